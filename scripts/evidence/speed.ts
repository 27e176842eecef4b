// How long a model computes for a second of speech on one core: what a user of it waits for.
import { cpus } from "node:os";
import { loadUpstream } from "../../src/index.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";

export interface Speed {
  /** Seconds of computing for a second of speech. */
  readonly realTimeFactor: number;
  readonly processor: string;
}

const [SECONDS, PASSES] = [10, 9];

/** All layers of ten seconds, on one thread: the median of nine passes after one that compiles. */
export async function measureSpeed(path: string): Promise<Speed> {
  const model = await loadUpstream(path);
  const runtime = await createRuntime({ threads: 1 });
  const random = new Random(0, "speed");
  const wave = Float32Array.from({ length: 16_000 * SECONDS }, () => 0.1 * random.normal());
  const taken: number[] = [];
  for (let pass = 0; pass <= PASSES; pass++) {
    const began = performance.now();
    await model.extract(wave, { runtime });
    taken.push((performance.now() - began) / 1000);
  }
  await model.dispose();
  const median = taken.slice(1).toSorted((a, b) => a - b)[PASSES >> 1];
  return { realTimeFactor: median / SECONDS, processor: cpus()[0]?.model ?? "" };
}
