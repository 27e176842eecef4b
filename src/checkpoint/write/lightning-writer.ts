// Writes a student as the released distillation code stores it: a Lightning .ckpt and the YAML that describes it.
import { join } from "node:path";
import { Document, Scalar, visit } from "yaml";
import { writeFileAtomic } from "../../files.ts";
import { checkModelConfig } from "../../models/config.ts";
import { PickleFloat, type PickleValue } from "../formats/pickle-writer.ts";
import { writeTorch } from "../formats/torch-writer.ts";
import type { OfficialStudent } from "../read/config-fairseq.ts";
import { toFairseqNames } from "../read/names.ts";
import { checkParameters } from "./model-folder.ts";
import { type OfficialSettings, officialSettings } from "./official-settings.ts";
import { compareWithWritten, type WrittenModel } from "./read-back.ts";

export interface LightningFiles {
  /** The checkpoint (`-k` of s3prl's run_downstream.py) and its settings (`-g`). */
  readonly checkpoint: string;
  readonly settings: string;
  /** The upstream of the released code that reads them. */
  readonly upstream: OfficialStudent;
}

const BASE_NAME = "checkpoint";

/**
 * Writes `checkpoint.ckpt` and `checkpoint.yaml` into `folder`, for the s3prl upstream of the released ARMHuBERT code
 * (arXiv:2305.11685), which reads the YAML's `distiller` section and the `student_model.` weights; read back and
 * compared. There is no teacher and no optimiser state in it: training cannot be resumed from it.
 * @throws StillwaveError where that code has no such structure
 */
export async function writeLightning(folder: string, content: WrittenModel): Promise<LightningFiles> {
  const { config, parameters, dtype = "float32" } = content;
  checkModelConfig(config);
  const { upstream, distiller } = officialSettings(config, folder);
  const named = toFairseqNames(checkParameters(folder, config, parameters), config, "student_model.");
  const settings = { model: upstream, distiller, stillwave: { reuse: config.reuse } };
  const checkpoint = join(folder, `${BASE_NAME}.ckpt`);
  await writeTorch(
    checkpoint,
    {
      epoch: 0,
      global_step: 0,
      "pytorch-lightning_version": "1.7.7",
      state_dict: named,
      hparams_name: "kwargs",
      hyper_parameters: { cfg: { ...settings, distiller: withoutFloats(distiller) } },
    },
    { dtype },
  );
  const yaml = join(folder, `${BASE_NAME}.yaml`);
  await writeFileAtomic(yaml, asYaml(settings));
  await compareWithWritten(checkpoint, { config, parameters, dtype }, { reuse: config.reuse });
  return { checkpoint, settings: yaml, upstream };
}

/** Training rates are left to the YAML: `torch.load(weights_only=True)` of torch 1.13 knows no floats outside of tensors. */
function withoutFloats(fields: OfficialSettings): OfficialSettings {
  const isFloat = (value: PickleValue) =>
    value instanceof PickleFloat || (typeof value === "number" && !Number.isInteger(value));
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isFloat(value)));
}

function asYaml(settings: object): string {
  const replacer = (_: unknown, value: unknown) => (value instanceof PickleFloat ? wholeFloat(value.value) : value);
  // PyYAML reads YAML 1.1, in which "on", "no" and the like need quotes
  const document = new Document(settings, replacer, { aliasDuplicateObjects: false, version: "1.1" });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === "string") node.type = Scalar.QUOTE_SINGLE;
    },
    Pair(_, pair) {
      if (pair.key instanceof Scalar) pair.key = pair.key.value;
    },
  });
  return document.toString({ lineWidth: 0 });
}

function wholeFloat(value: number): Scalar<number> {
  const scalar = new Scalar(value);
  scalar.minFractionDigits = 1;
  return scalar;
}
