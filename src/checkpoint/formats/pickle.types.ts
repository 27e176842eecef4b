// Values that the restricted unpickler gives: plain data, and inert records where Python would build an object.
import { StillwaveError } from "../../errors.ts";

/** A name in a pickle (`module name`). It is never looked up or called; it only names things. */
export class PickleGlobal {
  readonly module: string;
  readonly name: string;
  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** What the pickle wanted Python to construct, kept as data: the callable's name, its arguments and the state. */
export class PickleRecord {
  readonly type: string;
  readonly args: readonly unknown[];
  state: unknown = undefined;
  readonly items: Map<unknown, unknown> = new Map();
  readonly list: unknown[] = [];
  constructor(type: string, args: readonly unknown[]) {
    this.type = type;
    this.args = args;
  }
}

/** A torch storage named by the pickle: where the numbers are, not the numbers. */
export class TorchStorage {
  readonly key: string;
  /** e.g. `FloatStorage`. */
  readonly type: string;
  /** Elements (bytes for untyped storages). */
  readonly elements: number;
  /** Legacy files: element offset of this view in the storage `key`. */
  readonly viewOffset: number;
  constructor(key: string, type: string, elements: number, viewOffset = 0) {
    this.key = key;
    this.type = type;
    this.elements = elements;
    this.viewOffset = viewOffset;
  }
}

/** A torch tensor named by the pickle. Offset and strides count elements. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** Element type where the storage is untyped, e.g. `torch.float32`. */
  readonly dtype: string | undefined;
  constructor(
    storage: TorchStorage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
    dtype?: string,
  ) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
    this.dtype = dtype;
  }
}

/** The attributes of a pickled dict, Namespace, OmegaConf container or other record as a Map; undefined for other values. */
export function fieldsOf(value: unknown): Map<unknown, unknown> | undefined {
  if (value instanceof Map) return value;
  if (!(value instanceof PickleRecord)) return undefined;
  if (value.type.startsWith("omegaconf.")) {
    const content = value.state instanceof Map ? value.state.get("_content") : undefined;
    return content instanceof Map ? content : undefined;
  }
  if (value.state instanceof Map) return value.state;
  return value.items.size > 0 ? value.items : undefined;
}

/** A pickled value in an error message: scalars as they are, others by kind (they may be deep, cyclic or huge). */
export function brief(value: unknown): string {
  if (typeof value === "object" && value !== null)
    return Array.isArray(value) ? `a list of ${value.length}` : "an object";
  return String(value).slice(0, 60);
}

const MAX_DEPTH = 32;
/** Most values taken over: containers that share their content unfold to far more than the pickle holds. */
const MAX_VALUES = 200_000;

/** A pickled configuration as plain objects, arrays and scalars; things without a plain form become undefined. */
export function plain(value: unknown): unknown {
  return unfold(value, 0, { left: MAX_VALUES });
}

function unfold(value: unknown, depth: number, budget: { left: number }): unknown {
  if (budget.left-- <= 0) throw new StillwaveError(`pickle: a configuration of more than ${MAX_VALUES} values`);
  if (depth > MAX_DEPTH) return undefined;
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map((item) => unfold(item, depth + 1, budget));
  if (value instanceof PickleRecord) {
    if (value.type.startsWith("omegaconf.") && value.state instanceof Map) {
      const leaf = value.state.get("_val");
      if (leaf !== undefined) return unfold(leaf, depth + 1, budget);
      const content = value.state.get("_content");
      if (Array.isArray(content)) return unfold(content, depth + 1, budget);
    }
    // Enum members are pickled as Class(value).
    if (value.args.length === 1 && value.state === undefined && typeof value.args[0] !== "object") return value.args[0];
  }
  const fields = fieldsOf(value);
  if (!fields) return undefined;
  const object: Record<string, unknown> = Object.create(null);
  for (const [key, item] of fields) if (typeof key === "string") object[key] = unfold(item, depth + 1, budget);
  return object;
}
