// Extraction of long recordings in windows, and of files whose states are no numbers.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAllSafetensors } from "../../src/checkpoint/index.ts";
import { readNpy } from "../../src/extract/npy.ts";
import { type ExtractEvent, extractFiles } from "../../src/extract/run.ts";
import type { ExtractFilesOptions } from "../../src/extract/settings.ts";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { wav16, wavFile } from "../audio/signals.ts";

const config: ModelConfig = {
  family: "student",
  conv: [
    { channels: 8, kernel: 10, stride: 5 },
    { channels: 12, kernel: 8, stride: 8 },
    { channels: 12, kernel: 4, stride: 8 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: false,
  dim: 12,
  layers: 2,
  heads: 3,
  ffnDim: 16,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(2),
  reuse: "exact",
  frameRule: "conv",
  headDim: 7,
  headLayers: noReuse(2),
};
const model = { config, parameters: initParameters(config, { seed: 4 }) };

let root = "";
let runtime: Runtime;
let folders = 0;
const fresh = () => join(root, `out${folders++}`);
const SAMPLES = 65 * 16000 + 321;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-long-"));
  runtime = await createRuntime({ threads: 1, arena: false });
  mkdirSync(join(root, "speech"));
  writeWav(join(root, "speech", "long.wav"), SAMPLES);
  writeWav(join(root, "speech", "short.wav"), 9000);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function noise(samples: number): Float32Array {
  const random = new Random(samples, "wav");
  return Float32Array.from({ length: samples }, () => Math.round(3000 * random.normal()) / 32768);
}
const writeWav = (path: string, samples: number) => writeFileSync(path, wav16(noise(samples)));
/** A float WAV of finite samples as large as floats get. */
function writeHuge(path: string, samples: number): void {
  const wave = noise(samples).map((x) => Math.sign(x || 1) * 1e38);
  writeFileSync(path, wavFile({ code: 3, bits: 32, data: new Uint8Array(wave.buffer) }));
}

async function run(outDir: string, options: Partial<ExtractFilesOptions> = {}): Promise<ExtractEvent[]> {
  const events: ExtractEvent[] = [];
  const all = { model, runtime, inputs: [join(root, "speech")], outDir, workers: 0, ...options };
  for await (const event of extractFiles(all)) events.push(event);
  return events;
}
const endOf = (events: ExtractEvent[]) => events.at(-1) as Extract<ExtractEvent, { kind: "done" | "interrupted" }>;
const manifestOf = (folder: string) =>
  readFileSync(join(folder, "manifest.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

function worst(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

describe("long recordings", () => {
  test("one window is the whole, short files keep their bits, both formats, both types", async () => {
    const [whole, windows] = [fresh(), fresh()];
    await run(whole, { window: "off" });
    const events = await run(windows);
    expect(events.filter(({ kind }) => kind === "window")).toEqual([
      {
        kind: "window",
        path: join(root, "speech", "long.wav"),
        seconds: SAMPLES / 16000,
        totalSeconds: SAMPLES / 16000,
      },
    ]);
    expect(readFileSync(join(windows, "short.npy"))).toEqual(readFileSync(join(whole, "short.npy")));
    const [a, b] = await Promise.all([whole, windows].map((folder) => readNpy(join(folder, "long.npy"))));
    expect(b.shape).toEqual(a.shape);
    expect(worst(a.data, b.data)).toBeLessThan(2e-4);
    const [long, short] = manifestOf(windows);
    expect(long).toMatchObject({
      id: "long",
      samples: SAMPLES,
      frames: a.shape[1],
      windowSeconds: 720,
      overlapSeconds: 4,
    });
    expect(short.windowSeconds).toBeUndefined();
    expect(short.options).toBe(manifestOf(whole)[1].options);

    const [named, half] = [fresh(), fresh()];
    await run(named, { format: "safetensors", heads: true, layers: [1, 2] });
    const tensors = await readAllSafetensors(join(named, "long.safetensors"));
    const heads = fresh();
    await run(heads, { heads: true, window: "off" });
    const expected = await readNpy(join(heads, "long.npy"));
    expect([...tensors.keys()]).toEqual(["head.1", "head.2"]);
    const joined = Float32Array.from([...tensors.values()].flatMap(({ data }) => [...data]));
    expect(worst(joined, expected.data)).toBeLessThan(2e-4);
    await run(half, { dtype: "float16", layers: [2] });
    const rounded = await readNpy(join(half, "long.npy"));
    expect(rounded.shape).toEqual([1, a.shape[1], 12]);
    expect(worst(rounded.data, a.data.subarray(2 * a.shape[1] * 12))).toBeLessThan(4e-3);
  });

  test("several windows are written in their places; another window is made otherwise, whole ones too", async () => {
    const outDir = fresh();
    const events = await run(outDir, { window: 20, overlap: 3 });
    expect(events.filter(({ kind }) => kind === "window").length).toBe(4);
    const whole = fresh();
    await run(whole, { window: "off" });
    const [a, b] = await Promise.all([whole, outDir].map((folder) => readNpy(join(folder, "long.npy"))));
    const perState = a.shape[1] * 12;
    expect(worst(a.data.subarray(0, perState), b.data.subarray(0, perState))).toBeLessThan(2e-4);
    expect(worst(a.data, b.data)).toBeLessThan(0.3);
    expect(endOf(await run(outDir, { window: 20, overlap: 3 }))).toMatchObject({ written: 0, skipped: 2 });
    await expect(run(outDir, { window: 30, overlap: 3 })).rejects.toThrow(/made otherwise: window 20 \(now 30\)/);
    await expect(run(whole)).rejects.toThrow(/made otherwise: window off \(now 720\), overlap none \(now 4\)/);
    await expect(run(outDir, { window: 5 })).rejects.toThrow(/window: 5 s; expected at least 10/);
  });

  test("stopped inside a recording: nothing of it is left, and the same call goes on", async () => {
    const outDir = fresh();
    const stop = new AbortController();
    const options = { window: 20, overlap: 3, signal: stop.signal };
    for await (const event of extractFiles({
      model,
      runtime,
      inputs: [join(root, "speech")],
      outDir,
      workers: 0,
      ...options,
    }))
      if (event.kind === "window") stop.abort();
    expect(readdirSync(outDir).sort()).toEqual(["manifest.jsonl", "short.npy"]);
    expect(endOf(await run(outDir, { window: 20, overlap: 3 }))).toMatchObject({ written: 1, skipped: 1 });
    const left = extractFiles({
      model,
      runtime,
      inputs: [join(root, "speech")],
      outDir: fresh(),
      workers: 0,
      window: 20,
      overlap: 3,
    });
    for await (const event of left) if (event.kind === "window") break;
  });
});

test("what the disk refuses is no bad file: it ends the run under skip too", async () => {
  const outDir = fresh();
  const inputs = [join(root, "speech")];
  const events = extractFiles({
    model,
    runtime,
    inputs,
    outDir,
    workers: 0,
    window: 20,
    overlap: 3,
    onBadFile: "skip",
  });
  const all = async () => {
    for await (const event of events) if (event.kind === "window") rmSync(outDir, { recursive: true, force: true });
  };
  await expect(all()).rejects.toThrow(/out\d+.*: .*(folder is gone|ENOENT)/);
});

describe("files whose states are no numbers", () => {
  test("enormous samples: named under stop; left out under skip, and the others have the bits they have without", async () => {
    const [bad, good] = [join(root, "bad"), join(root, "good")];
    for (const folder of [bad, good]) {
      mkdirSync(folder);
      for (const samples of [6000, 7000, 8000]) writeWav(join(folder, `${samples}.wav`), samples);
    }
    writeHuge(join(bad, "huge.wav"), 9000);
    writeHuge(join(bad, "long-huge.wav"), 62 * 16000);
    await expect(run(fresh(), { inputs: [bad] })).rejects.toThrow(
      new RegExp(
        `^${join(bad, "huge.wav")}: layer 0 holds NaN; the audio \\(samples far too large\\) or the model is damaged`,
      ),
    );
    const [skipped, without] = [fresh(), fresh()];
    const events = await run(skipped, { inputs: [bad], onBadFile: "skip" });
    const notes = events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
    expect(notes.filter((text) => text.includes("left out: "))).toEqual([
      `left out: ${join(bad, "huge.wav")}: layer 0 holds NaN; the audio (samples far too large) or the model is damaged`,
      `left out: ${join(bad, "long-huge.wav")}: its samples are too large for the model's statistics`,
    ]);
    expect(endOf(events)).toMatchObject({ kind: "done", written: 3 });
    expect(endOf(events).badFiles.length).toBe(2);
    await run(without, { inputs: [good] });
    for (const name of ["6000.npy", "7000.npy", "8000.npy"])
      expect(readFileSync(join(skipped, name)), name).toEqual(readFileSync(join(without, name)));
    expect(existsSync(join(skipped, "huge.npy"))).toBe(false);
  });

  test("beyond float16: named, or left out", async () => {
    const large = { config, parameters: initParameters(config, { seed: 4 }) };
    const bias = large.parameters.get("heads.1.bias");
    if (bias) bias.data[0] = 1e6;
    const options = { model: large, heads: true, dtype: "float16" } as const;
    await expect(run(fresh(), options)).rejects.toThrow(/short\.wav: layer 2 holds \d+.*, beyond float16/);
    const left = run(fresh(), { ...options, onBadFile: "skip" });
    await expect(left).rejects.toThrow(/none of the files can be used\n.*long\.wav: .*\n.*short\.wav: layer 2 holds/);
  });
});
