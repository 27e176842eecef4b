// Opens torch checkpoints of whole models: fairseq, s3prl-converted, original WavLM, Lightning and DPHuBERT, told apart by content.
import { StillwaveError } from "../../errors.ts";
import type { CheckpointFormat, LoadOptions, OpenCheckpoint } from "../checkpoint.types.ts";
import { RandomAccessFile } from "../formats/file.ts";
import { brief, fieldsOf, plain } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import { openTorch, pickleErrorIn } from "../formats/torch.ts";
import { configFromFairseq, type TeacherKind } from "./config/fairseq.ts";
import { type Fields, isFields } from "./config/fields.ts";
import { findSettings } from "./config/lightning-settings.ts";
import { openLightning } from "./lightning.ts";
import { canonicalOf } from "./names.ts";
import { MAX_LISTED, tensorPaths } from "./outside.ts";
import { isStateDict, openStateDict, stateDict, type TorchContent } from "./state-dict.ts";
import { isTorchaudio, openTorchaudio } from "./torchaudio.ts";
import { modelRoot } from "./wrappers.ts";

/** Opens a torch file that is a checkpoint of its own (its configuration is inside or in a YAML beside it). */
export async function openTorchModel(path: string, options: LoadOptions): Promise<OpenCheckpoint> {
  const file = await RandomAccessFile.open(path);
  try {
    const torch = await openTorch(file);
    const root = fieldsOf(torch.root);
    if (!root) throw new StillwaveError(`${path}: the checkpoint is no dict`);
    const content: TorchContent = { path, file, torch, root };
    const other = knownOther(content);
    if (other) return openUnknown(content, other);
    const torchaudio = isTorchaudio(root);
    const lightning = ["state_dict", "module"].find((key) => isStateDict(root.get(key)));
    if (!torchaudio && lightning) return await openLightning(content, lightning, options);
    if (options.part === "student" && !isStateDict(root))
      throw new StillwaveError(`${path}: holds one model; there is no student in it`);
    if (torchaudio) return openTorchaudio(content);
    if (root.has("model_weight") && root.has("model_cfg")) return openS3prl(content);
    if (isStateDict(root.get("model"))) {
      const cfg = fieldsOf(root.get("cfg"));
      const flat = cfg?.has("encoder_layers") && !cfg.has("model");
      return flat ? openWavlm(content) : openFairseq(content);
    }
    const bare = "tensors without a configuration; put the config.json of the model beside the file";
    if (isStateDict(root) && (await findSettings(path, undefined)))
      return await openLightning(content, undefined, options);
    return openUnknown(content, isStateDict(root) ? bare : `no known checkpoint layout; top-level keys: ${keys(root)}`);
  } catch (error) {
    await file.close();
    throw pickleErrorIn(path, error);
  }
}

function keys(map: Map<unknown, unknown>): string {
  return [...map.keys()].slice(0, 20).map(brief).join(", ") || "(none)";
}

/** Checkpoints whose layout is known and whose models cannot be expressed here. */
function knownOther({ root }: TorchContent): string | undefined {
  if (root.has("Distiller") || root.has("Upstream_Config"))
    return "an s3prl pre-training checkpoint (DistilHuBERT, Mockingjay...), whose architecture is not supported";
  return undefined;
}

/** Can be inspected, but not loaded, for the reason given. */
function openUnknown({ path, file, torch, root }: TorchContent, reason: string): OpenCheckpoint {
  const tensors: StoredTensors = new Map();
  for (const [name, tensor] of tensorPaths(root, "", MAX_LISTED)) tensors.set(name, torch.tensor(name, tensor));
  return {
    path,
    format: "unknown",
    tensors,
    metadata: { keys: keys(root) },
    plan() {
      throw new StillwaveError(`${path}: ${reason}`);
    },
    close: () => file.close(),
  };
}

function open(
  content: TorchContent,
  format: CheckpointFormat,
  modelKey: string,
  metadata: Record<string, unknown>,
  build: (tensors: StoredTensors) => { kind: TeacherKind; fields: Fields; task?: Fields; where: string },
): OpenCheckpoint {
  const { path, torch, root } = content;
  const state = stateDict(torch, root.get(modelKey), path);
  return openStateDict(content, state, { format, modelKey, metadata }, (tensors) => {
    const { prefix, own } = modelRoot(tensors, path);
    const { kind, fields, task, where } = build(tensors);
    const said = configFromFairseq(fields, kind, { where, task });
    const featureProjection = said.featureProjection || own.has("post_extract_proj.weight");
    const batchNorm = said.posConv.batchNorm || own.has("encoder.pos_conv.0.running_var") || undefined;
    const config = { ...said, featureProjection, posConv: { ...said.posConv, batchNorm } };
    return { config, prefix, canonical: canonicalOf(config), unknown: "error" };
  });
}

/** fairseq: `cfg` (dict or OmegaConf) with `model` and `task`, or old `args` (Namespace) with everything in one. */
function openFairseq(content: TorchContent): OpenCheckpoint {
  const { path, root, torch } = content;
  const cfg = plain(root.get("cfg"));
  const args = plain(root.get("args"));
  const nested = isFields(cfg) && isFields(cfg.model) ? cfg : undefined;
  return open(
    content,
    `fairseq-${torch.serialization}`,
    "model",
    { cfg: cfg ?? null, args: args ?? null },
    (tensors) => {
      if (!nested && !isFields(args))
        throw new StillwaveError(`${path}: neither cfg.model nor args describes the model`);
      const where = `${path}: ${nested ? "cfg.model" : "args"}`;
      const outer = { model: (nested?.model ?? args) as Fields, task: nested?.task };
      const { model, task } = fineTuned(outer.model) ?? outer;
      return { kind: familyOf(model, tensors, where), fields: model, where, task: isFields(task) ? task : undefined };
    },
  );
}

/** CTC models keep the configuration of the model they started from in `w2v_args`. */
function fineTuned(model: Fields): { model: Fields; task: unknown } | undefined {
  const args = model.w2v_args;
  if (!isFields(args)) return undefined;
  return isFields(args.model) ? { model: args.model, task: args.task } : { model: args, task: undefined };
}

function openS3prl(content: TorchContent): OpenCheckpoint {
  const model = plain(content.root.get("model_cfg"));
  const task = plain(content.root.get("task_cfg"));
  return open(content, "s3prl-converted", "model_weight", { model_cfg: model, task_cfg: task }, (tensors) => {
    const where = `${content.path}: model_cfg`;
    if (!isFields(model)) throw new StillwaveError(`${where} is no dict`);
    return { kind: familyOf(model, tensors, where), fields: model, where, task: isFields(task) ? task : undefined };
  });
}

function openWavlm(content: TorchContent): OpenCheckpoint {
  const cfg = plain(content.root.get("cfg"));
  return open(content, "wavlm", "model", { cfg }, () => ({
    kind: "wavlm",
    fields: cfg as Fields,
    where: `${content.path}: cfg`,
  }));
}

/** HuBERT or wav2vec 2.0, by the name in the configuration, else by the tensors only one of them has. */
function familyOf(model: Fields, tensors: StoredTensors, where: string): TeacherKind {
  const name = [model._name, model.arch].find((value) => typeof value === "string" && value !== "");
  if (typeof name === "string") {
    if (/^hubert/.test(name)) return "hubert";
    if (/^wav2vec2?_?/.test(name) && !/conformer/.test(name)) return "wav2vec2";
    throw new StillwaveError(`${where}: model "${name}" is not supported; supported: hubert, wav2vec2`);
  }
  const has = (part: string): boolean => [...tensors.keys()].some((key) => key.includes(part));
  if (has("quantizer.") || has("project_q.")) return "wav2vec2";
  if (has("label_embs_concat") || has("final_proj.")) return "hubert";
  throw new StillwaveError(`${where}: neither its name nor its tensors say whether this is HuBERT or wav2vec 2.0`);
}
