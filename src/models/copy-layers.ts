// What a student may begin with of its teacher's encoder: whole layers, and what stands before them.
import { UsageError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import type { ModelConfig } from "./config.ts";
import type { ModelWeights } from "./parameters.ts";

export interface CopiedLayers {
  /** The teacher's layer that each of the student's first layers is copied from. */
  readonly layers: readonly number[];
  /** Copy the feature projection, the positional convolution, the encoder's norm and the mask embedding too. */
  readonly input: boolean;
}

const BEFORE_LAYERS = /^(masked_spec_embed$|feature_projection\.|encoder\.pos_conv_embed\.|encoder\.layer_norm\.)/;

/**
 * Copies weights of a teacher into fresh ones of a student, in place. A layer that takes another's map over has neither queries
 * nor keys, and gets none.
 * @throws UsageError that names what does not fit
 */
export function copyLayers(
  config: ModelConfig,
  parameters: Parameters,
  teacher: ModelWeights,
  { layers, input }: CopiedLayers,
): void {
  const refuse = (what: string, own: unknown, theirs: unknown): never => {
    throw new UsageError(
      `initialise: cannot copy from the teacher: ${what} is ${own} in the student and ${theirs} in the teacher`,
    );
  };
  if (layers.length > config.layers) refuse("the number of layers", config.layers, `copied for ${layers.length}`);
  for (const field of ["normFirst", "heads"] as const)
    if (layers.length > 0 && config[field] !== teacher.config[field])
      refuse(field, config[field], teacher.config[field]);
  for (const layer of layers)
    if (!(layer >= 0 && layer < teacher.config.layers))
      throw new UsageError(`initialise: the teacher has layers 0 to ${teacher.config.layers - 1}, not ${layer}`);
  for (const [name, { shape, data }] of parameters) {
    const source = sourceOf(name, layers, input);
    if (source === undefined) continue;
    const found = teacher.parameters.get(source);
    if (found?.shape.join() !== shape.join())
      refuse(`${name}${source === name ? "" : ` (from ${source})`}`, `[${shape.join(", ")}]`, found ? `[${found.shape.join(", ")}]` : "absent"); // biome-ignore format: one line
    data.set(found?.data ?? []);
  }
}

/** The teacher's parameter that a student's is copied from. */
function sourceOf(name: string, layers: readonly number[], input: boolean): string | undefined {
  const own = /^encoder\.layers\.(\d+)\.(.*)$/.exec(name);
  if (!own) return input && BEFORE_LAYERS.test(name) ? name : undefined;
  const layer = layers.at(Number(own[1]));
  return layer === undefined ? undefined : `encoder.layers.${layer}.${own[2]}`;
}
