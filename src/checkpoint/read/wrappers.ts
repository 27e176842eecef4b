// Names behind wrappers: what compilers, parallel trainers and modules around a model put before and between its names.
import { StillwaveError } from "../../errors.ts";
import type { LoadOptions } from "../checkpoint.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";

/**
 * Parts of names that wrappers add anywhere: DataParallel and DeepSpeed, torch.compile, FSDP (newer and older),
 * activation checkpointing, Lightning's strategies, Opacus. No part of a model has such a name.
 */
const WRAPPERS: ReadonlySet<string> = new Set([
  "module",
  "_orig_mod",
  "_fsdp_wrapped_module",
  "_fpw_module",
  "_checkpoint_wrapped_module",
  "_forward_module",
  "_module",
]);

/** What FSDP calls a whole module's parameters, joined end to end. */
const FLATTENED = /(^|\.)_?flat_param(_\d+)?$/;

/** A tensor's name in the model itself. */
export function bareName(name: string): string {
  const bare = name.split(".").filter((part) => !WRAPPERS.has(part));
  return bare.length > 0 ? bare.join(".") : name;
}

/**
 * The tensors by their names without wrappers; they keep the names they have in the file.
 * @throws StillwaveError where two tensors become one name, or are flattened so that none can be told from another
 */
export function withoutWrappers(tensors: StoredTensors, path: string): StoredTensors {
  const bare: StoredTensors = new Map();
  for (const tensor of tensors.values()) {
    const name = bareName(tensor.name);
    const other = bare.get(name);
    if (other)
      throw new StillwaveError(
        `${path}: "${other.name}" and "${tensor.name}" are both "${name}" without their wrappers`,
      );
    if (FLATTENED.test(name))
      throw new StillwaveError(
        `${path}: "${tensor.name}" is what FSDP makes of many parameters; save the full state dict (FULL_STATE_DICT)`,
      );
    bare.set(name, tensor);
  }
  return bare;
}

const BEFORE_EXTRACTOR = /^((?:[^.]+\.)*?)feature_extractor\.conv_layers\.\d+\./;
const STUDENT = /(^|[._])student([._]|$)/i;
const TEACHER = /(^|[._])teacher([._]|$)/i;

export interface ModelRoot {
  /** What comes before every name of the model: `hubert.`, `student_model.`, nothing. */
  readonly prefix: string;
  /** Which model it is, where the names say so. */
  readonly part?: "student" | "teacher";
  /** Its tensors, by what follows the prefix. */
  readonly own: StoredTensors;
}

/**
 * Where in a checkpoint its model is: whatever precedes the feature extractor. Of several models the `part` asked for is
 * taken, the student unless given.
 * @throws StillwaveError where that part is not there, or which of several models it is cannot be told
 */
export function modelRoot(tensors: StoredTensors, path: string, part?: LoadOptions["part"]): ModelRoot {
  const before = (name: string) => BEFORE_EXTRACTOR.exec(name)?.slice(1, 2) ?? [];
  const roots = [...new Set([...tensors.keys()].flatMap(before))].map((prefix) => ({ prefix, part: partOf(prefix) }));
  const named = roots.filter((root) => root.part === (part ?? "student"));
  const unnamed = roots.filter((root) => root.part === undefined);
  const single = roots.length <= 1 && (part === undefined || roots[0]?.part === undefined);
  const fitting = single ? roots : named.length > 0 || part === "teacher" ? named : unnamed;
  const [root = { prefix: "", part: undefined }] = fitting;
  if (fitting.length > 1 || (fitting.length === 0 && roots.length > 0)) {
    const found = roots.map(({ prefix }) => (prefix === "" ? "the top level" : `"${prefix}"`)).join(", ");
    throw new StillwaveError(
      fitting.length === 0
        ? `${path}: there is no ${part ?? "student"} in it; models under ${found}`
        : `${path}: holds several models, under ${found}, and nothing says which is meant; save one of them alone`,
    );
  }
  const own = [...tensors].flatMap(([name, tensor]) =>
    name.startsWith(root.prefix) ? [[name.slice(root.prefix.length), tensor] as const] : [],
  );
  return { ...root, own: new Map(own) };
}

/** Whose a name says it is. */
export function partOf(prefix: string): LoadOptions["part"] {
  if (STUDENT.test(prefix)) return "student";
  return TEACHER.test(prefix) ? "teacher" : undefined;
}
