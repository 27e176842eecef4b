// Speech to extract from, a quick upstream whose numbers show what they were batched with, and a driver of openFeatures.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openCorpus, type Utterance } from "../../../src/data/index.ts";
import type { FeatureEvent, FeatureOptions, OpenedFeatures } from "../../../src/superb/features/cache.types.ts";
import type { FeatureItem } from "../../../src/superb/features/features.types.ts";
import { openFeatures } from "../../../src/superb/features/open.ts";
import { framesOfSamples } from "../../../src/upstream/frames.ts";
import type { Upstream } from "../../../src/upstream/upstream.ts";

export const shipped = fileURLToPath(new URL("../../../examples/speech/", import.meta.url));

/** A folder with a copy of the shipped speech, and the first `count` files in it. */
export async function speechFolder(
  count: number,
): Promise<{ root: string; utterances: readonly Utterance[]; remove: () => void }> {
  const root = mkdtempSync(join(tmpdir(), "stillwave-features-"));
  cpSync(shipped, join(root, "speech"), { recursive: true });
  const source = { path: join(root, "speech") };
  const { utterances } = await openCorpus(source, { onBadFile: "stop", maxUtterances: count });
  return { root, utterances, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export interface FakeUpstream extends Upstream {
  /** Lengths of the batches it was given. */
  readonly batches: number[];
}

/**
 * 3 layers of 4 numbers for every 20 ms: sums of the frame's samples. Unlike what real upstreams promise they also depend on
 * how many waveforms come together, so that equal bytes mean equal batches.
 */
export function fakeUpstream(
  changes: Partial<Upstream> & { readonly scale?: number; readonly delayMs?: number } = {},
): FakeUpstream {
  const { scale = 1, delayMs = 0, ...rest } = changes;
  const batches: number[] = [];
  return {
    name: "fake",
    kind: "model",
    fingerprint: `fake ${scale}`,
    layers: ["input", "layer 1", "layer 2"],
    dim: 4,
    samplesPerFrame: 320,
    parameters: 0,
    minSamples: 400,
    batchSeconds: 30,
    windowSeconds: 240,
    windows: () => {
      throw new Error("nothing here is read in windows");
    },
    async extract(waves) {
      batches.push(waves.length);
      await wait(delayMs);
      return waves.map((wave) => {
        const frames = framesOfSamples(wave.length, { samplesPerFrame: 320, minSamples: 400 });
        const data = Float32Array.from({ length: 3 * frames * 4 }, (_, i) => {
          const t = Math.floor(i / 4) % frames;
          const sum = wave.subarray(t * 320, t * 320 + 320).reduce((a, b) => a + b, 0);
          return scale * (sum + (i % 4)) + Math.floor(i / (4 * frames)) + waves.length / 1000;
        });
        return { frames, data };
      });
    },
    async dispose() {},
    ...rest,
    batches,
  };
}

export interface Opening {
  readonly events: readonly FeatureEvent[];
  readonly opened: OpenedFeatures | undefined;
}

/** Drives `openFeatures` to its end. */
export async function drive(options: FeatureOptions, seen: (event: FeatureEvent) => void = () => {}): Promise<Opening> {
  const events: FeatureEvent[] = [];
  const running = openFeatures(options);
  for (;;) {
    const { done, value } = await running.next();
    if (done) return { events, opened: value };
    events.push(value);
    seen(value);
  }
}

export const find = <K extends FeatureEvent["kind"]>(events: readonly FeatureEvent[], kind: K) =>
  events.find((event): event is Extract<FeatureEvent, { kind: K }> => event.kind === kind);

export const notes = (events: readonly FeatureEvent[]) =>
  events.flatMap((event) => (event.kind === "note" ? [event.text] : []));

/** A copy of the numbers of one batch. */
export async function numbers({ source }: OpenedFeatures, items: readonly FeatureItem[]): Promise<number[]> {
  return Array.from((await source.batch(items)).data);
}

/** The numbers of every utterance, one at a time. */
export async function everything(opened: OpenedFeatures, utterances: readonly { id: string }[]): Promise<number[][]> {
  const all: number[][] = [];
  for (const { id } of utterances) all.push(await numbers(opened, [{ id }]));
  return all;
}

/** Files of a folder and their content. */
export function snapshot(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((file) => [file, readFileSync(join(folder, file)).toString("base64")]),
  );
}
