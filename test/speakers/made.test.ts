// What is made of recordings: silence cut out, mixtures, parts of both; their lengths, names and keys.
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadAudio, trimSilence } from "../../src/audio/index.ts";
import { BadFiles } from "../../src/data/bad-files.ts";
import { closeDecodingThreads, prefetchBatches } from "../../src/data/index.ts";
import { loadRecording } from "../../src/data/made.ts";
import { nameOf, type RecordingPart, recordingKey, sharing } from "../../src/data/recording.ts";
import { Random } from "../../src/random.ts";
import { madeLengths } from "../../src/speakers/made-lengths.ts";
import { wavFile } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";

afterAll(closeDecodingThreads);

const folder = temporaryFolder();
/** Noise with a silence of a quarter in the middle. */
function speech(name: string, samples: number): string {
  const random = new Random(1, name);
  const isQuiet = (i: number) => i >= samples / 2 && i < 0.75 * samples;
  const pcm = Int16Array.from({ length: samples }, (_, i) =>
    isQuiet(i) ? 0 : Math.round(8000 * (2 * random.uniform() - 1)),
  );
  const path = join(folder, name);
  writeFileSync(path, wavFile({ bits: 16, data: new Uint8Array(pcm.buffer) }));
  return path;
}
const [a, b] = [speech("a.wav", 16_000), speech("b.wav", 24_000)];
const mixed = { kind: "mixed", gain: 0.5, others: [{ path: b, gain: 0.25 }] } as const;
const part = { start: 12_000, samples: 8000, sampleRateHz: 16_000 };

describe("what is made of recordings", () => {
  test("a trimmed recording is its samples without silences, in batches too", async () => {
    const expected = trimSilence(await loadAudio(a));
    expect(expected.length).toBeLessThan(16_000);
    expect(await loadRecording({ path: a, making: { kind: "trimmed" } })).toEqual(expected);
    const samples = expected.length;
    const item = { id: "a", path: a, making: { kind: "trimmed" }, start: 100, samples: samples - 100, fileSamples: samples } as const; // biome-ignore format: one line
    for (const workers of [0, 1])
      for await (const {
        batch,
      } of prefetchBatches([{ items: [item], paddedSamples: samples - 100 }], { workers, onBadFile: "stop" })) // biome-ignore format: one line
        expect(batch.wave).toEqual(expected.subarray(100));
  });

  test("a mixture is the sum of its parts times their gains, as long as the longest; a segment is one of the sum", async () => {
    const [x, y] = [await loadAudio(a), await loadAudio(b)];
    const expected = y.map((sample, i) => 0.25 * sample + 0.5 * (x[i] ?? 0));
    const whole = await loadRecording({ path: a, making: mixed });
    expect(whole.length).toBe(24_000);
    expect(Math.max(...whole.map((sample, i) => Math.abs(sample - expected[i])))).toBeLessThan(1e-7);
    expect(await loadRecording({ path: a, making: mixed, segment: part })).toEqual(whole.slice(12_000, 20_000));
    await expect(loadRecording({ path: a, making: mixed, segment: { ...part, samples: 12_001 } })).rejects.toThrow(
      "past the end",
    );
  });

  test("lengths are found by making it, and remembered while the files stay", async () => {
    const asked: RecordingPart[] = [{ path: a, making: { kind: "trimmed" } }, { path: a, making: mixed }, { path: a, making: mixed, segment: part }, { path: join(folder, "none.wav"), making: mixed }]; // biome-ignore format: one line
    const file = join(folder, "lengths.json");
    const trimmed = trimSilence(await loadAudio(a)).length;
    let made = 0;
    const options = { workers: 0, file, onProgress: () => made++ };
    const first = await madeLengths(asked, options);
    expect(first.slice(0, 3)).toEqual([trimmed, 24_000, 8000]);
    expect(first[3]).toMatchObject({ reason: expect.stringContaining("no such file") });
    expect(await madeLengths(asked.slice(0, 3), options)).toEqual(first.slice(0, 3));
    expect(made).toBe(4);
    utimesSync(b, statSync(b).atime, new Date(1e9));
    await madeLengths(asked.slice(0, 3), options);
    expect(made).toBe(6);
  });

  test("keys tell apart what is made, names say all files", () => {
    const all: RecordingPart[] = [{ path: a }, { path: a, making: { kind: "trimmed" } }, { path: a, making: mixed }, { path: a, segment: part }, { path: a, segment: part, making: mixed }, { path: a, making: { ...mixed, gain: 1 } }]; // biome-ignore format: one line
    expect(new Set(all.map(recordingKey)).size).toBe(all.length);
    expect(nameOf({ path: "x.wav", making: { ...mixed, others: [{ path: "y.wav", gain: 1 }] } })).toBe("x.wav + y.wav");
    expect(sharing([{ path: b }], [{ path: a, making: mixed }, { path: a }])).toEqual([{ path: a, making: mixed }]);
    const bad = new BadFiles();
    bad.add(a, "broken", { making: mixed });
    expect(bad.describe()).toBe(`  ${a} + ${b}: broken`);
  });
});
