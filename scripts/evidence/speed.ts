// How long models compute for a second of speech on one core: what their users wait for. All take turns, so that a slow minute slows all.
import { cpus } from "node:os";
import { loadUpstream } from "../../src/index.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Speed } from "./kept.ts";

const [SECONDS, ROUNDS] = [10, 9];

/** All layers of ten seconds by each model folder, on one thread: medians of nine rounds after one that compiles. */
export async function measureSpeeds(folders: readonly string[]): Promise<Speed[]> {
  const at = new Date().toISOString();
  const runtime = await createRuntime({ threads: 1 });
  const random = new Random(0, "speed");
  const wave = Float32Array.from({ length: 16_000 * SECONDS }, () => 0.1 * random.normal());
  const models = await Promise.all(folders.map((folder) => loadUpstream(folder)));
  const taken: number[][] = models.map(() => []);
  for (let round = 0; round <= ROUNDS; round++)
    for (const [i, model] of models.entries()) {
      const began = performance.now();
      await model.extract(wave, { runtime });
      taken[i].push((performance.now() - began) / 1000);
    }
  for (const model of models) await model.dispose();
  const processor = cpus()[0]?.model ?? "";
  return taken.map((seconds) => ({ realTimeFactor: median(seconds.slice(1)) / SECONDS, processor, at }));
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
