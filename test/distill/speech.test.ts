// Speech of a run: padded lengths, epochs that go into each other, and speech that stays decoded: the same batches all the same.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Batch } from "../../src/data/batch.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import { distillRun } from "../../src/distill/run.ts";
import { epochBatches, type OpenSpeechOptions, openSpeech, type TrainingSpeech } from "../../src/distill/speech.ts";
import { readMetrics } from "../../src/log/index.ts";
import { alignedSamples } from "../../src/models/config.ts";
import { Random } from "../../src/random.ts";
import { wav16 } from "../audio/signals.ts";
import { doneOf, events, fakePrepare, fakeStep, notesOf } from "./fake-run.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-speech-"));
  for (const split of ["train", "dev"]) mkdirSync(join(root, split));
  const write = (name: string, samples: number) => {
    const random = new Random(samples, name);
    const noise = Array.from({ length: samples }, () => (Math.round(3000 * random.normal()) | 0) / 32768);
    writeFileSync(join(root, name), wav16(noise));
  };
  for (let i = 0; i < 23; i++) write(join("train", `t${i}.wav`), 3200 + 1111 * ((i * 7) % 23));
  for (let i = 0; i < 5; i++) write(join("dev", `d${i}.wav`), 4000 + 2800 * i);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const hubert = [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 8, kernel, stride: i === 0 ? 5 : 2 }));
const align = (samples: number) => alignedSamples(hubert, samples);

const recipe = (...set: string[]) =>
  parseRecipe(
    `
teacher: nowhere
student: { layers: 2, dim: 24, ffnDim: 32, heads: 2, posConv: { groups: 2 } }
data:
  train: { path: ${JSON.stringify(root)}, splits: [train] }
  validation: { path: ${JSON.stringify(root)}, splits: [dev] }
  batchSize: 3
run: { epochs: 3, outDir: ${JSON.stringify(join(root, "run"))}, validateEverySteps: 5, checkpointEverySteps: 4, logEverySteps: 1 }
`,
    "test.yaml",
    set,
  );

async function open(set: readonly string[], options: Partial<OpenSpeechOptions> = {}) {
  const notes: string[] = [];
  const onNote = (text: string) => void notes.push(text);
  const speech = await openSpeech(recipe(...set), { minSamples: 400, align, onNote, ...options });
  return { speech, notes };
}

const digest = ({ ids, samples, paddedSamples, wave }: Batch) => {
  const bytes = new Uint8Array(wave.buffer, wave.byteOffset, wave.byteLength);
  return { ids, samples, paddedSamples, wave: createHash("sha256").update(bytes).digest("hex") };
};

/** Batches `from` on of a run, `count` of them. */
async function take(speech: TrainingSpeech, from: number, count: number) {
  const all: unknown[] = [];
  for await (const { epoch, batch } of epochBatches(speech, from)) {
    all.push({ epoch, ...digest(batch) });
    if (all.length === count) break;
  }
  return all;
}

describe("padded lengths", () => {
  test("training and validation use the same few, each utterance once an epoch; told, and recorded", async () => {
    const { speech, notes } = await open(["data.lengths=3"]);
    const { lengths = [] } = speech.records;
    expect(lengths).toHaveLength(3);
    for (const { paddedSamples, items } of lengths) {
      expect((paddedSamples - 80) % 2560).toBe(0);
      expect(items).toBe(3);
    }
    expect(notes.join()).toMatch(
      /^batches of 3 x .* s, 3 x .* s, 3 x .* s: \d shapes, \d+\.\d % of the samples are padding$/,
    );
    const known = new Set(lengths.map(({ paddedSamples }) => paddedSamples));
    const seen: string[] = [];
    const shapes = new Set<string>();
    for await (const batch of speech.train.batches(1, 0)) {
      expect(known).toContain(batch.paddedSamples);
      expect(batch.wave).toHaveLength(batch.samples.length * batch.paddedSamples);
      seen.push(...batch.ids);
      shapes.add(`${batch.samples.length} ${batch.paddedSamples}`);
    }
    expect(seen.sort()).toEqual(Array.from({ length: 23 }, (_, i) => `train/t${i}`).sort());
    const validated: string[] = [];
    for await (const batch of speech.validation!.batches()) {
      expect(known).toContain(batch.paddedSamples);
      validated.push(...batch.ids);
      shapes.add(`${batch.samples.length} ${batch.paddedSamples}`);
    }
    expect(validated.sort()).toEqual([0, 1, 2, 3, 4].map((i) => `dev/d${i}`));
    expect(speech.shapes?.map(({ items, paddedSamples }) => `${items} ${paddedSamples}`).sort()).toEqual(
      [...shapes].sort(),
    );
    await speech.close();
  });
  test("without them batches are what they were: padded to the longest", async () => {
    const { speech, notes } = await open([]);
    expect([speech.records.lengths, speech.shapes, notes]).toEqual([undefined, undefined, []]);
    for await (const { samples, paddedSamples } of speech.train.batches(0, 0))
      expect(paddedSamples).toBe(Math.max(...samples));
    await speech.close();
  });
  test("a batch that lost bad files keeps its length", async () => {
    const { speech } = await open(["data.lengths=[3]", "data.onBadFile=skip"]);
    const bytes = readFileSync(join(root, "train", "t3.wav"));
    writeFileSync(join(root, "train", "t3.wav"), bytes.subarray(0, 3000));
    let items = 0;
    for await (const batch of speech.train.batches(0, 0)) {
      expect(batch.paddedSamples).toBe(align(48_000));
      items += batch.samples.length;
    }
    expect(items).toBe(22);
    await speech.close();
  });
  test("lengths that do not hold a recording, or are out of order, are errors before training", async () => {
    await expect(open(["data.lengths=[0.5, 1]"])).rejects.toThrow(
      /^data\.lengths: the longest is 1 s and .*t\d+\.wav has 1\.73 s; add a length of 1\.73 s or more, or set data\.maxSeconds to 1 or less$/,
    );
    await (await open(["data.lengths=[0.5, 1]", "data.maxSeconds=1"])).speech.close();
    for (const lengths of ["[2, 1]", "[1, 1]"])
      expect(() => recipe(`data.lengths=${lengths}`)).toThrow(/lengths must be listed once each, shortest first/);
    for (const lengths of ["0", "[]", "[0]", "many"])
      expect(() => recipe(`data.lengths=${lengths}`)).toThrow(/lengths/);
  });
});

describe("from any batch on", () => {
  test.each([[[]], [["data.lengths=2"]], [["data.batchSize=null", "data.batchSeconds=4", "data.lengths=3"]]])(
    "epochs go into each other and a resumed run gets what an uninterrupted one got: %j",
    async (set) => {
      const { speech } = await open(set);
      const { batchesPerEpoch } = speech.train;
      const count = 2 * batchesPerEpoch + 3;
      const whole = await take(speech.train, 0, count);
      for (const from of [1, batchesPerEpoch - 1, batchesPerEpoch, batchesPerEpoch + 2])
        expect(await take(speech.train, from, count - from)).toEqual(whole.slice(from));
      await speech.close();
    },
  );
  test("the next epoch is begun before this one ends, once; its failure is told in its turn", async () => {
    const begun: string[] = [];
    const batch = { ids: [], paths: [], samples: [], paddedSamples: 0, wave: new Float32Array(0) };
    const speech: TrainingSpeech = {
      batchesPerEpoch: 4,
      async *batches(epoch, from) {
        begun.push(`${epoch}+${from}`);
        if (epoch === 2) throw new Error("unreadable");
        for (let i = from; i < 4; i++) yield batch;
      },
    };
    const run = epochBatches(speech, 1);
    await run.next();
    expect(begun).toEqual(["0+1", "1+0"]);
    for (let i = 0; i < 6; i++) expect((await run.next()).value.epoch).toBe(i < 2 ? 0 : 1);
    expect(begun).toEqual(["0+1", "1+0", "2+0"]);
    await expect(run.next()).rejects.toThrow("unreadable");
    const short = epochBatches({ batchesPerEpoch: 2, async *batches() {} }, 0);
    await expect(short.next()).rejects.toThrow("epoch 0 ended after 0 of 2 batches");
  });
});

describe("kept speech", () => {
  test.each(["memory", "disk", "auto"])("%s: the same batches; files on disk serve a later run", async (mode) => {
    const expected = await (async () => {
      const { speech } = await open(["data.keepDecoded=none"], { keptFolder: join(root, "kept") });
      const all = await take(speech.train, 0, 20);
      await speech.close();
      return all;
    })();
    const set = [`data.keepDecoded=${mode}`, "data.workers=2"];
    const { speech, notes } = await open(set, { keptFolder: join(root, "kept") });
    expect(await take(speech.train, 0, 20)).toEqual(expected);
    await speech.close();
    expect(notes).toHaveLength(mode === "disk" ? 1 : 0);
    expect(existsSync(join(root, "kept"))).toBe(mode === "disk");
    const again = await open(set, { keptFolder: join(root, "kept") });
    expect(await take(again.speech.train, 3, 17)).toEqual(expected.slice(3));
    await again.speech.close();
  });
  test("nothing is kept where nobody says where, as for a report", async () => {
    const { speech } = await open(["data.keepDecoded=disk"]);
    await take(speech.train, 0, 3);
    await speech.close();
    expect(readdirSync(root).sort()).toEqual(["dev", "train"]);
  });
});

describe("a run", () => {
  const prepare = async (...[chosen, { outDir, note }]: Parameters<ReturnType<typeof fakePrepare>>) => ({
    ...(await fakePrepare({})(chosen, { outDir, note })),
    step: fakeStep(),
    speech: await openSpeech(chosen, { minSamples: 400, align, keptFolder: join(outDir, "speech"), onNote: note }),
  });
  const run = (set: string[], resume = false) => events(distillRun({ recipe: recipe(...set), prepare, resume }));

  test("records its lengths and goes on with them alone; where speech is kept may change", async () => {
    const all = await run(["data.lengths=2", "run.steps=4", "run.epochs=null"]);
    expect(notesOf(all).join("\n")).toMatch(/batches of 3 x .* 3 x/);
    const weights = doneOf(all).summary.weightsSha256;
    const folder = join(root, "run");
    const { data } = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    expect(data.lengths).toHaveLength(2);
    const rows = (await readMetrics(join(folder, "metrics.jsonl"))).filter((row) => row.kind === "train");
    expect(rows).toHaveLength(4);
    const { speech } = await open(["data.lengths=2"]);
    const batches = speech.train.batches(0, 0)[Symbol.asyncIterator]();
    for (const { paddedFraction, waitShare } of rows) {
      const { samples, paddedSamples } = (await batches.next()).value as Batch;
      const used = samples.reduce((sum, count) => sum + count, 0);
      expect(paddedFraction).toBeCloseTo(1 - used / (samples.length * paddedSamples), 12);
      expect(waitShare).toBeGreaterThanOrEqual(0);
      expect(waitShare).toBeLessThanOrEqual(1);
    }
    await batches.return?.();
    await speech.close();
    rmSync(join(folder, "summary.json"));
    await expect(run(["data.lengths=3", "run.steps=4", "run.epochs=null"], true)).rejects.toThrow(
      /data\.lengths: 2 -> 3/,
    );
    const again = await run(["data.lengths=2", "data.keepDecoded=disk", "run.steps=4", "run.epochs=null"], true);
    expect(doneOf(again).summary.weightsSha256).toBe(weights);
  });

  test("whose first start was cut off while it kept speech begins", async () => {
    mkdirSync(join(root, "run", "speech", "a0"), { recursive: true });
    writeFileSync(join(root, "run", "speech", "a0", "a0.pcm"), "half");
    doneOf(await run(["data.keepDecoded=disk", "run.steps=2", "run.epochs=null"]));
    expect(readdirSync(join(root, "run", "speech")).length).toBeGreaterThan(1);
  });

  test("that was begun before there were lengths and kept speech goes on", async () => {
    const set = ["run.steps=4", "run.epochs=null"];
    const weights = doneOf(await run(set)).summary.weightsSha256;
    const folder = join(root, "run");
    const record = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
    const { lengths, keepDecoded, ...data } = record.recipe.data;
    expect([lengths, keepDecoded]).toEqual([null, "auto"]);
    writeFileSync(join(folder, "run.json"), JSON.stringify({ ...record, recipe: { ...record.recipe, data } }));
    rmSync(join(folder, "summary.json"));
    expect(doneOf(await run(set, true)).summary.weightsSha256).toBe(weights);
  });
});
