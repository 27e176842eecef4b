// Says what is in a checkpoint without reading a tensor: format, architecture, tensors, and what would be ignored.
import { StillwaveError } from "../errors.ts";
import { sizeOf } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import type { CheckpointFormat, LoadOptions, ModelPlan } from "./checkpoint.types.ts";
import { openCheckpoint } from "./load.ts";

export interface CheckpointReport {
  readonly path: string;
  readonly format: CheckpointFormat;
  readonly part?: "student" | "teacher";
  /** The model in it; null where `problem` says why there is none. */
  readonly config: ModelConfig | null;
  readonly problem: string | null;
  /** Numbers in the tensors that the model uses. */
  readonly parameters: number;
  readonly tensors: readonly { name: string; dtype: string; shape: readonly number[]; used: boolean }[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly ignored: readonly string[];
  readonly notes: readonly string[];
}

/** Reports on a checkpoint of any format. A model that does not fit its configuration is reported; a broken file throws. */
export async function inspectCheckpoint(path: string, options: LoadOptions = {}): Promise<CheckpointReport> {
  const checkpoint = await openCheckpoint(path, options);
  try {
    let plan: ModelPlan | undefined;
    let problem: string | null = null;
    try {
      plan = checkpoint.plan();
    } catch (error) {
      if (!(error instanceof StillwaveError)) throw error;
      problem = error.message;
    }
    const used = new Set(plan?.used.map(({ name }) => name));
    return {
      path: checkpoint.path,
      format: checkpoint.format,
      part: plan?.part,
      config: plan?.config ?? null,
      problem,
      parameters: plan?.used.reduce((sum, { shape }) => sum + sizeOf(shape), 0) ?? 0,
      tensors: Array.from(checkpoint.tensors.values(), ({ name, dtype, shape }) => {
        return { name, dtype, shape, used: used.has(name) };
      }),
      metadata: checkpoint.metadata,
      ignored: plan?.ignored ?? [],
      notes: plan?.notes ?? [],
    };
  } finally {
    await checkpoint.close();
  }
}
