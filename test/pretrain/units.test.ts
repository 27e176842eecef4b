// The units of an iteration on real speech: features under the model's frames, every stage killed and gone on with, and what
// is refused.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HUBERT_MFCC, mfcc } from "../../src/audio/index.ts";
import { loadModel, readSafetensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import type { Batch } from "../../src/data/batch.ts";
import { type Corpus, closeDecodingThreads, openCorpus } from "../../src/data/index.ts";
import { frameCount } from "../../src/models/config.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { layerFeatures, mfccFeatures, planWhole, wholeUtterances } from "../../src/units/making/features.ts";
import { makeUnits } from "../../src/units/making/make.ts";
import type { UnitProgress, UnitSettings } from "../../src/units/making/settings.ts";
import { createNearest, type Nearest } from "../../src/units/nearest.ts";
import { createModel } from "../../src/upstream/model.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const reading = { onBadFile: "stop", workers: 0, seed: 3 } as const;
const never = new AbortController().signal;
let runtime: Runtime;
let nearest: Nearest;
let train: Corpus;
let validation: Corpus;
let root: string;

beforeAll(async () => {
  runtime = await createRuntime({ threads: 1, spin: false, optimize: "all" });
  nearest = createNearest(runtime);
  const speech = join(examples, "speech");
  train = await openCorpus({ path: speech, splits: ["train"] }, { onBadFile: "stop", maxUtterances: 6 });
  validation = await openCorpus({ path: speech, splits: ["dev"] }, { onBadFile: "stop", maxUtterances: 2 });
  root = mkdtempSync(join(tmpdir(), "stillwave-pretrain-units-"));
});
afterAll(async () => {
  await nearest.dispose();
  await closeDecodingThreads();
  rmSync(root, { recursive: true, force: true });
});

const conv = [
  { channels: 8, kernel: 10, stride: 5 },
  ...Array(4).fill({ channels: 8, kernel: 3, stride: 2 }),
  ...Array(2).fill({ channels: 8, kernel: 2, stride: 2 }),
];

const settings = (name: string, set: Partial<UnitSettings> = {}): UnitSettings => ({
  folder: join(root, name),
  train,
  validation,
  features: mfccFeatures(conv),
  nearest,
  samplesPerFrame: 320,
  kMeans: { clusters: 20, seed: 0, batchFrames: 500, iterations: 40, starts: 2 },
  share: 0.7,
  phones: null,
  reading,
  ...set,
});

const make = (given: UnitSettings, signal = never, tell: (progress: UnitProgress) => void = () => {}) =>
  makeUnits(given, { signal, tell });

describe("features", () => {
  test("of cepstra are those whose 25 ms lie under the model's frames", async () => {
    for await (const batch of wholeUtterances(planWhole(train, reading), reading, never))
      for (const [item, { id, data }] of (await mfccFeatures(conv).of(batch)).entries()) {
        const { paddedSamples, samples, wave } = batch;
        const all = mfcc(wave.slice(item * paddedSamples, item * paddedSamples + samples[item]), HUBERT_MFCC);
        expect(id).toBe(batch.ids[item]);
        expect(data.length).toBe(39 * frameCount(conv, samples[item]));
        for (const t of [0, 1, 50])
          expect(data.slice(t * 39, (t + 1) * 39)).toEqual(all.data.slice(2 * t * 39, (2 * t + 1) * 39));
      }
  });

  test("of cepstra under longer frames are taken at their middles, and at the ends", async () => {
    const other = [{ channels: 4, kernel: 800, stride: 480 }];
    const wave = Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i * i));
    const [{ data }] = await mfccFeatures(other).of({
      wave,
      paddedSamples: 8000,
      samples: [8000],
      ids: ["a"],
      paths: ["a"],
    });
    const all = mfcc(wave, HUBERT_MFCC);
    // frame 3 reads samples 1440 to 2239, middle 1840: cepstra 10 (1600 to 1999) and 10.25 fit best
    expect(data.slice(3 * 39, 4 * 39)).toEqual(all.data.slice(10 * 39, 11 * 39));
    expect(data.length).toBe(39 * 16);
  });

  test("of a layer are that layer's output, whatever comes after it and whatever shares the batch", async () => {
    const teacher = await loadModel(join(examples, "hubert-small-libri"));
    const features = layerFeatures(teacher, 2, runtime);
    const whole = createModel(teacher, runtime);
    for await (const batch of wholeUtterances(planWhole(validation, reading), reading, never))
      for (const [item, { data }] of (await features.of(batch)).entries()) {
        const { paddedSamples, samples, wave } = batch;
        const own = wave.slice(item * paddedSamples, item * paddedSamples + samples[item]);
        const { layers } = await whole.extract(own, { isolate: true });
        expect(data.length).toBe(layers[1].data.length);
        for (const [i, value] of data.entries()) expect(Math.abs(value - layers[1].data[i])).toBeLessThan(2e-4);
      }
    await features.dispose();
    await whole.dispose();
  });
});

describeWithPlugin("on XLA", () => {
  test("units of a layer are those of the CPU, but where two centroids are as near as rounding", async () => {
    const teacher = await loadModel(join(examples, "hubert-small-libri"));
    const made = async (name: string, on: Runtime) => {
      const [features, near] = [layerFeatures(teacher, 2, on), createNearest(on)];
      const speech = { train: validation, validation: null };
      const { train: units } = await make(settings(name, { ...speech, share: 1, features, nearest: near }));
      await features.dispose();
      await near.dispose();
      return units.ids.flatMap((id) => [...units.of(id)]);
    };
    const [here, there] = [
      await made("layer-cpu", runtime),
      await made("layer-xla", await createRuntime({ device: "xla" })),
    ];
    expect(new Set(here).size).toBeGreaterThan(10);
    expect(there.length).toBe(here.length);
    expect(there.filter((unit, i) => unit !== here[i]).length).toBeLessThan(0.01 * here.length);
  });
});

describe("units", () => {
  test("have a label for every frame, come again as they are, and leave no features behind", async () => {
    const stages: UnitProgress[] = [];
    const made = await make(settings("whole"), never, (progress) => stages.push(progress));
    expect([...new Set(stages.map(({ stage }) => stage))]).toEqual(["features", "seeding", "k-means", "labels"]);
    for (const { id, samples } of train.utterances) expect(made.train.of(id).length).toBe(frameCount(conv, samples));
    for (const { id } of validation.utterances) expect(made.validation!.of(id).length).toBeGreaterThan(0);
    const { summary } = made;
    const frames = train.utterances.reduce((sum, { samples }) => sum + frameCount(conv, samples), 0);
    expect(summary.usage.reduce((a, b) => a + b)).toBe(frames);
    expect(summary).toMatchObject({ features: "MFCC", clusters: 20, fitted: { iterations: 40 }, phones: null });
    expect(summary.fitted.frames).toBeLessThan(frames);
    expect(summary.perplexity).toBeGreaterThan(10);
    expect(summary.perplexity).toBeLessThanOrEqual(20);
    expect(readdirSync(join(root, "whole")).sort()).toEqual([
      "centroids.safetensors",
      "train.units",
      "units.json",
      "validation.units",
    ]);
    const again: UnitProgress[] = [];
    const second = await make(settings("whole"), never, (progress) => again.push(progress));
    expect(again).toEqual([]);
    expect(second.summary).toEqual(summary);
  });

  test.each(["features", "seeding", "k-means", "labels"] as const)(
    "stopped at %s, they end as if they had not been",
    async (stage) => {
      const given = settings(`stopped-${stage}`);
      const stop = new AbortController();
      let told = 0;
      const stopped = make(given, stop.signal, (progress) => {
        if (progress.stage === stage && ++told === (stage === "k-means" ? 17 : 1)) stop.abort();
      });
      await expect(stopped).rejects.toThrow(/abort/);
      if (stage === "k-means") expect(existsSync(join(given.folder, "k-means.safetensors"))).toBe(true);
      await make(given);
      await make(settings("reference"));
      const bytes = (name: string, file: string) => readFileSync(join(root, name, file));
      for (const file of ["centroids.safetensors", "train.units", "validation.units", "units.json"])
        expect(bytes(`stopped-${stage}`, file)).toEqual(bytes("reference", file));
    },
  );

  test("stopped between batches, they go on with the next one, and those before are not computed again", async () => {
    const long = await openCorpus({ path: join(examples, "speech"), splits: ["train"] }, { onBadFile: "stop" });
    const cepstra = mfccFeatures(conv);
    const makeStopping = async (folder: string, stops: readonly (readonly [UnitProgress["stage"], number])[]) => {
      const computed: string[] = [];
      const features = {
        ...cepstra,
        async of(batch: Batch) {
          computed.push(...batch.ids);
          return cepstra.of(batch);
        },
      };
      const given = settings(folder, { train: long, features });
      const told: number[] = [];
      for (const [at, times] of stops) {
        const stop = new AbortController();
        let heard = 0;
        const stopped = make(given, stop.signal, ({ stage, done }) => {
          if (stage !== at) return;
          told.push(done);
          if (++heard === times) stop.abort();
        });
        await expect(stopped).rejects.toThrow(/abort/);
      }
      const made = await make(given);
      return { computed, told, made };
    };
    const whole = await makeStopping("batches-whole", []);
    expect(whole.computed.length).toBe(long.utterances.length + validation.utterances.length);
    const cut = await makeStopping("batches-cut", [
      ["features", 1],
      ["features", 1],
      ["labels", 1],
      ["labels", 1],
    ]);
    // what was told is written; at most the batch that was computed when it stopped is computed again
    expect(cut.told[1]).toBeGreaterThan(cut.told[0]);
    expect(cut.told[3]).toBeGreaterThan(cut.told[2]);
    expect(new Set(cut.computed)).toEqual(new Set(whole.computed));
    expect(cut.computed.length).toBe(whole.computed.length);
    for (const file of ["centroids.safetensors", "train.units", "validation.units", "units.json"])
      expect(readFileSync(join(root, "batches-cut", file))).toEqual(readFileSync(join(root, "batches-whole", file)));
    expect(readdirSync(join(root, "batches-cut")).sort()).toEqual([
      "centroids.safetensors",
      "train.units",
      "units.json",
      "validation.units",
    ]);
  });

  test("stopped in the second start of seeding, they do not make the first again", async () => {
    const given = settings("starts");
    const stop = new AbortController();
    const stopped = make(given, stop.signal, ({ stage, done }) => {
      if (stage === "seeding" && done === 25) stop.abort();
    });
    await expect(stopped).rejects.toThrow(/abort/);
    const told: number[] = [];
    await make(given, never, ({ stage, done }) => void (stage === "seeding" && told.push(done)));
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => 21 + i));
    await make(settings("reference"));
    expect(readFileSync(join(given.folder, "centroids.safetensors"))).toEqual(
      readFileSync(join(root, "reference", "centroids.safetensors")),
    );
  });

  test.each([
    ["seeds.safetensors", "seeding", 25],
    ["k-means.safetensors", "k-means", 17],
  ] as const)("refuse a %s that is cut off or of something else", async (file, at, count) => {
    const given = settings(`damaged-${at}`);
    const stop = new AbortController();
    const stopped = make(given, stop.signal, ({ stage, done }) => {
      if (stage === at && done === count) stop.abort();
    });
    await expect(stopped).rejects.toThrow(/abort/);
    const path = join(given.folder, file);
    const { key } = JSON.parse((await readSafetensors(path)).metadata.get("kMeans")!);
    const few = { shape: [2, 39], data: new Float32Array(2 * 39) };
    for (const said of ["{", JSON.stringify({ key, starts: 1, sum: 0 }), JSON.stringify({ key })]) {
      await writeSafetensors(path, [["centroids", few]], { metadata: { kMeans: said } });
      await expect(make(given)).rejects.toThrow(`${path}: not the centroids of a run; delete it and resume`);
    }
    truncateSync(path, 30);
    await expect(make(given)).rejects.toThrow(path);
    rmSync(path);
    await make(given);
  });

  test("are labelled by the features that k-means was fitted to, or by the same ones made again", async () => {
    let computed = 0;
    const cepstra = mfccFeatures(conv);
    const counting = {
      ...cepstra,
      async of(batch: Batch) {
        computed += batch.ids.length;
        return cepstra.of(batch);
      },
    };
    const kept = settings("kept", { features: counting });
    await make(kept);
    expect(computed).toBe(train.utterances.length + validation.utterances.length);
    const stop = new AbortController();
    const again = settings("again");
    const stopped = make(again, stop.signal, ({ stage, done, total }) => {
      if (stage === "k-means" && done === total) stop.abort();
    });
    await expect(stopped).rejects.toThrow(/abort/);
    rmSync(join(again.folder, "frames.bin"));
    await make(again);
    for (const file of ["train.units", "validation.units", "units.json"])
      expect(readFileSync(join(root, "again", file))).toEqual(readFileSync(join(root, "kept", file)));
  });

  test("of other settings are made again; damaged ones are refused", async () => {
    const given = settings("changed");
    const first = await make(given);
    const other = await make({ ...given, kMeans: { ...given.kMeans, clusters: 21 } });
    expect(other.summary.clusters).toBe(21);
    expect(other.train.key).not.toBe(first.train.key);
    truncateSync(join(given.folder, "train.units"), 400);
    await expect(make({ ...given, kMeans: { ...given.kMeans, clusters: 21 } })).rejects.toThrow(
      /train.units: .*delete it/,
    );
    rmSync(join(given.folder, "train.units"));
    await make({ ...given, kMeans: { ...given.kMeans, clusters: 21 } });
    writeFileSync(join(given.folder, "units.json"), "{");
    await expect(make(given)).rejects.toThrow(/units.json: damaged/);
  });

  test("are judged against phones, and say what kind", async () => {
    const path = join(examples, "speech", "phones.txt");
    const { summary } = await make(settings("judged", { phones: { path, kind: "sequence" } }));
    expect(summary.phones).toMatchObject({ path, kind: "sequence", utterances: 6, without: 0 });
    expect(summary.phones!.pnmi).toBeGreaterThan(0);
    expect(summary.phones!.pnmi).toBeLessThan(1);
  });

  test("are judged by phones that came after them, of which nothing else is made again", async () => {
    const path = join(examples, "speech", "phones.txt");
    const before = await make(settings("later"));
    const heard: UnitProgress[] = [];
    const judged = settings("later", { phones: { path, kind: "sequence" } });
    const { summary } = await make(judged, never, (progress) => heard.push(progress));
    expect(heard).toEqual([]);
    expect(summary).toEqual({ ...before.summary, phones: expect.objectContaining({ path, utterances: 6 }) });
    expect((await make(settings("later"))).summary).toEqual(summary);
  });

  test("leave nothing behind that a kill kept from being removed", async () => {
    const given = settings("left");
    await make(given);
    const made = readdirSync(given.folder);
    for (const file of ["frames.bin", "frames.bin.journal", "train.units.labels", "k-means.safetensors"])
      writeFileSync(join(given.folder, file), "left");
    await make(given);
    expect(readdirSync(given.folder)).toEqual(made);
  });

  test.each(["train", "validation"] as const)(
    "name the recording of %s whose features are not finite",
    async (where) => {
      const cepstra = mfccFeatures(conv);
      const bad = { train, validation }[where].utterances.at(-1)!;
      const features = {
        ...cepstra,
        async of(batch: Batch) {
          const all = await cepstra.of(batch);
          for (const { id, data } of all) if (id === bad.id) data[7] = Number.NaN;
          return all;
        },
      };
      // k-means hears of no more than one utterance, labels of all
      const given = settings(`nan-${where}`, { features, share: 1e-9 });
      await expect(make(given)).rejects.toThrow(/\.flac: its features \(MFCC\) hold values that are not finite/);
      expect(existsSync(join(given.folder, "units.json"))).toBe(false);
    },
  );

  test("of one utterance where the share is too small for any", async () => {
    const { summary } = await make(
      settings("least", { share: 1e-9, kMeans: { clusters: 4, seed: 0, batchFrames: null, iterations: 5, starts: 1 } }),
    );
    expect(summary.fitted.frames).toBe(frameCount(conv, train.utterances[0].samples));
  });
});
