// One long recording to a file: read in windows, written state by state as they come, so that hours fit in memory.
import { join } from "node:path";
import { SAMPLE_RATE_HZ, streamAudio } from "../audio/index.ts";
import { encodeFloats, safetensorsHead } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import { type PlacedBytes, writeFileAtomic } from "../files.ts";
import { frameCount } from "../models/config.ts";
import type { ModelWindows } from "../upstream/windows/layers.ts";
import { keptRows, type WindowSettings, type WindowStates } from "../upstream/windows/plan.ts";
import { valueProblem } from "./batch-states.ts";
import type { ExtractRecord } from "./manifest.ts";
import { npyHead } from "./npy.ts";
import type { Intent } from "./settings.ts";
import type { Source } from "./sources.ts";
import { fileOf, recordOf } from "./write.ts";

/** Where a recording is written to, and how. */
export interface LongTarget {
  readonly outDir: string;
  readonly intent: Intent;
  readonly windows: WindowSettings;
  readonly signal?: AbortSignal;
}

/** How far a long recording is done. */
export interface LongProgress {
  readonly window: { readonly path: string; readonly seconds: number; readonly totalSeconds: number };
}

/**
 * Writes the states of `source`. What is written appears whole or not at all.
 * @throws StillwaveError where the audio cannot be read, or a value not be stored
 */
export async function* writeLong(
  model: ModelWindows,
  source: Source,
  target: LongTarget,
): AsyncGenerator<LongProgress, ExtractRecord, undefined> {
  const { outDir, intent } = target;
  const { config } = model;
  const frames = frameCount(config.conv, source.samples);
  const dim = intent.settings.heads && config.headDim !== null ? config.headDim : config.dim;
  const recording = { samples: source.samples, pieces: () => streamAudio(source.path, source.segment) };
  const totalSeconds = source.samples / SAMPLE_RATE_HZ;
  yield* reporting<LongProgress>(async (report) => {
    const states = model.states(recording, intent.states, target.windows);
    async function* content(): AsyncGenerator<PlacedBytes> {
      const head = headOf(source, intent, [frames, dim]);
      yield { at: 0, bytes: head };
      for await (const window of states) {
        target.signal?.throwIfAborted();
        yield* placed(window, intent, head.length, [frames, dim]);
        const seconds = (window.span.keepTo / frames) * totalSeconds;
        report({ window: { path: source.path, seconds, totalSeconds } });
      }
    }
    await writeFileAtomic(join(outDir, fileOf(source, intent)), content());
  });
  return recordOf(outDir, source, intent, [frames, dim]);
}

function headOf({ id, samples }: Source, { format, settings }: Intent, shape: readonly [number, number]): Uint8Array {
  const { layers, heads, dtype } = settings;
  if (format === "npy") return npyHead([layers.length, ...shape], dtype);
  const tensors = layers.map((layer) => [`${heads ? "head" : "layer"}.${layer}`, shape] as const);
  return safetensorsHead(id, tensors, { dtype, metadata: { id, samples: String(samples) } });
}

/** The kept rows of every state at their places: both formats hold state after state. */
function* placed(
  window: WindowStates,
  { states, settings }: Intent,
  start: number,
  [frames, dim]: readonly [number, number],
) {
  const size = settings.dtype === "float16" ? 2 : 4;
  for (const [i, { number }] of states.entries()) {
    const rows = keptRows(window, i);
    const problem = valueProblem(rows, settings);
    if (problem) throw new StillwaveError(`layer ${number} holds ${problem}`);
    const bytes = encodeFloats(rows, settings.dtype === "float16" ? "F16" : "F32", `layer ${number} holds`);
    yield { at: start + (i * frames + window.span.keepFrom) * dim * size, bytes };
  }
}

/** What `work` reports while it runs, as values of a generator. Left early, it ends with the next report. */
async function* reporting<T>(work: (report: (value: T) => void) => Promise<void>): AsyncGenerator<T, void, undefined> {
  const waiting: T[] = [];
  let wake = () => {};
  let [ended, left] = [false, false];
  const done = work((value) => {
    if (left) throw new Error("nobody waits for the rest");
    waiting.push(value);
    wake();
  }).finally(() => {
    ended = true;
    wake();
  });
  done.catch(() => {});
  try {
    for (;;) {
      const value = waiting.shift();
      if (value !== undefined) yield value;
      else if (ended) break;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    await done;
  } finally {
    left = true;
    await done.catch(() => {});
  }
}
