// KS, SID and IC: every layout they know, made up of tones; dev held out where there is none; bad files.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import type { LabelledCorpus, LabelledFile } from "../../../src/superb/labels/classes.ts";
import { KEYWORDS, splitByHash } from "../../../src/superb/labels/speech-commands.ts";
import type { ObjectiveSpec } from "../../../src/superb/objectives/spec.ts";
import type { DataSettings } from "../../../src/superb/recipe/schema.ts";
import { classData } from "../../../src/superb/tasks/classes.ts";
import { ic } from "../../../src/superb/tasks/ic.ts";
import { ks } from "../../../src/superb/tasks/ks.ts";
import { sid } from "../../../src/superb/tasks/sid.ts";
import type { TaskData } from "../../../src/superb/tasks/task.types.ts";
import { sine, wav16 } from "../../audio/signals.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { examples, hasShared, shared } from "../speech.ts";

const isShared = hasShared();
const SPLITS = ["train", "dev", "test"] as const;
const options = (root: string, rest: Partial<DataSettings> = {}): DataSettings => ({
  root,
  onBadFile: "stop",
  ...rest,
});
const slotsOf = ({ objective }: TaskData) => (objective as Extract<ObjectiveSpec, { kind: "classes" }>).slots;
/** `split id reference label samples` of everything. */
const linesOf = (data: TaskData) =>
  SPLITS.flatMap((split) =>
    data.utterances[split].map(
      ({ id, reference, label, samples }) => `${split} ${id}: ${reference} ${label} ${samples}`,
    ),
  );

describe("keywords", () => {
  test("from labels.tsv, with the split and column it says", async () => {
    const root = corpusOf({
      "a/1.wav": 16_000,
      "a/2.wav": 8000,
      "b/3.wav": 12_000,
      "b/4.wav": 16_000,
      "labels.tsv": [
        "file\tsplit\tlabel\tloudness",
        "a/1.wav\ttrain\tyes\tloud",
        "a/2.wav\ttrain\tno\tsoft",
        "b/3.wav\tvalid\tyes\tsoft",
        "b/4.wav\ttest\tno\tloud",
      ].join("\n"),
    });
    const data = await ks.load(options(root));
    expect(linesOf(data)).toEqual([
      "train a/1: yes 1 16000",
      "train a/2: no 0 8000",
      "dev b/3: yes 1 12000",
      "test b/4: no 0 16000",
    ]);
    expect(slotsOf(data)).toEqual([{ name: "label", values: ["no", "yes"] }]);
    expect(data).toMatchObject({ root, badFiles: [], notes: [] });
    expect(data.facts).toEqual({
      train: { utterances: 2, seconds: 1.5, source: "train" },
      dev: { utterances: 1, seconds: 0.75, source: "dev" },
      test: { utterances: 1, seconds: 1, source: "test" },
    });
    const loudness = await ks.load(options(root, { labelColumns: ["loudness"] }));
    expect(linesOf(loudness)[0]).toBe("train a/1: loud 0 16000");
    expect(loudness.fingerprint).not.toBe(data.fingerprint);
    await expect(ks.load(options(root, { labelColumns: ["colour"] }))).rejects.toThrow('no column "colour"');
  });

  test("from folders", async () => {
    const root = corpusOf({
      "train/stop/a.wav": 16_000,
      "train/go/deep/b.wav": 16_000,
      "validation/go/a.wav": 16_000,
      "test/stop/a.wav": 16_000,
      "other/stop/a.wav": 16_000,
    });
    expect(linesOf(await ks.load(options(root)))).toEqual([
      "train train/go/deep/b: go 0 16000",
      "train train/stop/a: stop 1 16000",
      "dev validation/go/a: go 0 16000",
      "test test/stop/a: stop 1 16000",
    ]);
    const strange = corpusOf({ "train/stop/a.wav": 16_000, "train/go/a.wav": 9000, "test/halt/a.wav": 16_000 });
    await expect(ks.load(options(strange))).rejects.toThrow("labels that occur in dev or test only: halt");
    await expect(ks.load(options(corpusOf({ "x/y.wav": 16_000 })))).rejects.toThrow("no class labels found; expected labels.tsv, folders"); // biome-ignore format: one line
    const untested = corpusOf({ "train/a/1.wav": 16_000, "train/b/1.wav": 9000, "dev/a/1.wav": 9000 });
    await expect(ks.load(options(untested))).rejects.toThrow(`${untested}: no files of the split test`);
  });

  test("from folders that are links, to elsewhere or back", async () => {
    const elsewhere = corpusOf({ "go/b.wav": 16_000, "split/stop/c.wav": 16_000 });
    const root = corpusOf({ "train/stop/a.wav": 16_000, "dev/stop/a.wav": 16_000, "train/.hidden/x.wav": 16_000 });
    symlinkSync(join(elsewhere, "go"), join(root, "train/go"));
    symlinkSync(join(elsewhere, "split"), join(root, "test"));
    symlinkSync(join(root, "train/stop"), join(root, "train/stop/again"));
    symlinkSync(join(root, "nowhere"), join(root, "train/stop/dangling.wav"));
    await expect(ks.load(options(root))).rejects.toThrow(/1 of 5 audio files cannot be used.*\n.*dangling\.wav/);
    const data = await ks.load(options(root, { onBadFile: "skip" }));
    expect(linesOf(data).map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "train train/go/b: go",
      "train train/stop/a: stop",
      "dev dev/stop/a: stop",
      "test test/stop/c: stop",
    ]);
  });

  test("from Speech Commands: side by side, or each by itself", async () => {
    // speakers whose hash puts them in train, dev and test
    const speakers = Array.from({ length: 200 }, (_, i) => i.toString(16).padStart(8, "0"));
    const in3 = SPLITS.map((split) => speakers.find((name) => splitByHash(`${name}_nohash_0.wav`) === split)!);
    const files: Record<string, number> = {};
    for (const word of [...KEYWORDS, "bed"]) {
      for (const speaker of in3) files[`speech_commands_v0.01/${word}/${speaker}_nohash_0.wav`] = 16_000;
      files[`speech_commands_test_set_v0.01/${word === "bed" ? "_unknown_" : word}/x_nohash_0.wav`] = 16_000;
    }
    files["speech_commands_test_set_v0.01/_silence_/s.wav"] = 16_000;
    files["speech_commands_v0.01/_background_noise_/pink.wav"] = 48_000;
    const root = corpusOf(files);
    const data = await ks.load(options(root));
    expect(slotsOf(data)).toEqual([{ name: "keyword", values: [...KEYWORDS, "_unknown_", "_silence_"] }]);
    // eleven words of one speaker and the noise; the hash's test part is dropped
    expect(SPLITS.map((split) => data.utterances[split].length)).toEqual([12, 12, 12]);
    const noises = SPLITS.map((split) => data.utterances[split].filter(({ reference }) => reference === "_silence_"));
    expect(noises.map((list) => list.map(({ randomCropSeconds }) => randomCropSeconds))).toEqual([
      [1],
      [1],
      [undefined],
    ]);
    expect(noises[0][0].samples).toBe(48_000);
    expect(noises[0][0].path).toBe(noises[1][0].path);
    expect(noises[0][0].id).not.toBe(noises[1][0].id);
    for (const [i, split] of (["train", "dev"] as const).entries())
      expect(data.utterances[split].filter(({ path }) => path.includes(in3[i])).length).toBe(11);
    expect(data.utterances.train.find(({ path }) => path.includes("/bed/"))!.reference).toBe("_unknown_");
    const [train, test] = ["speech_commands_v0.01", "speech_commands_test_set_v0.01"].map((name) => join(root, name));
    const apart = await ks.load(options(train!, { testRoot: test! }));
    expect(apart.fingerprint).toBe(data.fingerprint);
    await expect(ks.load(options(train!))).rejects.toThrow(`${train}: the training archive of Speech Commands; name the folder of the test archive with --test-data <dir>`); // biome-ignore format: one line
    rmSync(test!, { recursive: true });
    await expect(ks.load(options(root))).rejects.toThrow("no test archive of Speech Commands beside speech_commands_v0.01; name it with --test-data"); // biome-ignore format: one line
  });

  test("a noise that is no audio is listed once", async () => {
    const files: Record<string, number | string> = {};
    for (const word of [...KEYWORDS, "bed"]) {
      files[`train/${word}/a_nohash_0.wav`] = 16_000;
      files[`speech_commands_test/${word}/x.wav`] = 16_000;
    }
    files["train/_background_noise_/bad.wav"] = "no audio";
    files["train/_background_noise_/pink.wav"] = 32_000;
    const root = corpusOf(files);
    const stopped = await ks.load(options(root)).catch((error: Error) => error);
    expect((stopped as Error).message).toMatch(/^1 of \d+ audio files cannot be used/);
    expect((await ks.load(options(root, { onBadFile: "skip" }))).badFiles.length).toBe(1);
  });

  test.skipIf(!isShared)("of real wake words", async () => {
    const data = await ks.load(options(join(shared, "keywords")));
    expect(slotsOf(data)[0].values.length).toBe(6);
    expect(data.facts.dev.source).toBe("dev");
    expect(data.utterances.train.every(({ samples }) => samples > 4000)).toBe(true);
  });
});

describe("speakers", () => {
  test("from VoxCeleb1's split file, found or named", async () => {
    const root = corpusOf({
      "dev/wav/id10001/v/00001.wav": 16_000,
      "dev/wav/id10001/v/00002.wav": 16_000,
      "dev/wav/id10002/v/00001.wav": 16_000,
      "test/wav/id10002/w/00003.wav": 16_000,
      "iden_split.txt": "1 id10001/v/00001.wav\n2 id10001/v/00002.wav\n1 id10002/v/00001.wav\n",
    });
    await expect(sid.load(options(root))).rejects.toThrow("no files of the split test");
    const splitFile = join(root, "other.txt");
    writeFileSync(splitFile, "1 id10002/v/00001.wav\n2 id10001/v/00002.wav\n1 id10001/v/00001.wav\n3 id10001/v/00002.wav\n"); // biome-ignore format: one line
    await expect(sid.load(options(root, { splitFile }))).rejects.toThrow("other.txt:4: id10001/v/00002.wav is listed twice"); // biome-ignore format: one line
    writeFileSync(splitFile, "1 id10002/v/00001.wav\n1 id10001/v/00002.wav\n3 id10001/v/00001.wav\n");
    // the split file has no dev: both classes have one file in train, so none can be held out
    await expect(sid.load(options(root, { splitFile }))).rejects.toThrow("no files of the split dev; train, test and (or held out of train) dev are needed"); // biome-ignore format: one line
    writeFileSync(join(root, "iden_split.txt"), "1 id10001/v/00001.wav\n1 id10002/v/00001.wav\n2 id10001/v/00002.wav\n3 id10001/v/00003.wav\n"); // biome-ignore format: one line
    await expect(sid.load(options(root))).rejects.toThrow(/1 of 4 audio files cannot be used.*\n.*00003\.wav/);
    writeFileSync(join(root, "dev/wav/id10001/v/00003.wav"), wav16(sine(300, 16_000, 9000)));
    expect(linesOf(await sid.load(options(root)))).toEqual([
      "train id10001/v/00001: id10001 0 16000",
      "train id10002/v/00001: id10002 1 16000",
      "dev id10001/v/00002: id10001 0 16000",
      "test id10001/v/00003: id10001 0 9000",
    ]);
  });

  test("from the column speaker, and from folders", async () => {
    const root = corpusOf({
      "1.wav": 16_000,
      "2.wav": 16_000,
      "3.wav": 16_000,
      "4.wav": 16_000,
      "labels.tsv":
        "file\tlabel\tsplit\tspeaker\n1.wav\tone\ttrain\tann\n2.wav\ttwo\ttrain\tbob\n3.wav\tone\tdev\tbob\n4.wav\tone\ttest\tann\n",
    });
    const data = await sid.load(options(root));
    expect(linesOf(data).map((line) => line.split(" ").slice(2).join(" "))).toEqual(["ann 0 16000", "bob 1 16000", "bob 1 16000", "ann 0 16000"]); // biome-ignore format: one line
    expect(slotsOf(data)).toEqual([{ name: "speaker", values: ["ann", "bob"] }]);
    const folders = corpusOf({ "train/ann/1.wav": 16_000, "train/bob/1.wav": 16_000, "dev/bob/2.wav": 16_000, "test/ann/3.wav": 16_000 }); // biome-ignore format: one line
    expect(slotsOf(await sid.load(options(folders)))).toEqual([{ name: "speaker", values: ["ann", "bob"] }]);
  });

  test("of the example speech are those of its folders", async () => {
    const root = temporaryFolder();
    const lines = ["file\tsplit\tspeaker"];
    for (const [speaker, files] of Object.entries({
      "1580": ["141083/1580-141083-0049", "141083/1580-141083-0051", "141083/1580-141083-0052"],
      "1995": ["1826/1995-1826-0004", "1826/1995-1826-0025", "1837/1995-1837-0002"],
    }))
      for (const [i, file] of files.entries()) lines.push(`${join(examples, "train", speaker, file)}.flac\t${SPLITS[i]}\t${speaker}`); // biome-ignore format: one line
    writeFileSync(join(root, "labels.tsv"), lines.join("\n"));
    const data = await sid.load(options(root));
    expect(SPLITS.map((split) => data.utterances[split].map(({ reference }) => reference))).toEqual(Array(3).fill(["1580", "1995"])); // biome-ignore format: one line
  });

  test.skipIf(!isShared)("of real digits, dev held out", async () => {
    const data = await sid.load(options(join(shared, "digits")));
    expect(data.notes).toEqual([
      `${join(shared, "digits")} has no dev split: a tenth of train is held out for choices`,
    ]);
    const [train, dev] = [data.utterances.train.length, data.utterances.dev.length];
    expect(dev / (train + dev)).toBeGreaterThan(0.05);
    expect(dev / (train + dev)).toBeLessThan(0.15);
    expect(slotsOf(data)[0].values).toContain("george");
  });
});

describe("intents", () => {
  const head = ",path,speakerId,transcription,action,object,location\n";
  const row = (name: string, ...slots: string[]) => `0,wavs/${name}.wav,s1,"Well, ""do"" it",${slots.join(",")}\n`;

  test("from Fluent Speech Commands, numbered in the order of the training file", async () => {
    const root = corpusOf({
      "wavs/a.wav": 16_000,
      "wavs/b.wav": 16_000,
      "wavs/c.wav": 16_000,
      "wavs/d.wav": 16_000,
      "data/train_data.csv": head + row("a", "increase", "volume", "none") + row("b", "activate", "lights", "kitchen"),
      "data/valid_data.csv": head + row("c", "activate", "volume", "kitchen"),
      "data/test_data.csv": head + row("d", "increase", "lights", "none"),
    });
    const data = await ic.load(options(root));
    expect(linesOf(data)).toEqual([
      "train a: increase / volume / none 0,0,0 16000",
      "train b: activate / lights / kitchen 1,1,1 16000",
      "dev c: activate / volume / kitchen 1,0,1 16000",
      "test d: increase / lights / none 0,1,0 16000",
    ]);
    expect(slotsOf(data).map(({ name, values }) => [name, ...values])).toEqual([
      ["action", "increase", "activate"],
      ["object", "volume", "lights"],
      ["location", "none", "kitchen"],
    ]);
  });

  test("from labels.tsv, three columns or those that are named; from folders", async () => {
    const root = corpusOf({
      "1.wav": 16_000,
      "2.wav": 16_000,
      "3.wav": 16_000,
      "4.wav": 16_000,
      "labels.tsv":
        "file\tsplit\taction\tobject\tlocation\n1.wav\ttrain\ton\tlamp\there\n2.wav\ttrain\toff\theat\tthere\n3.wav\tdev\ton\theat\there\n4.wav\ttest\toff\tlamp\there\n",
    });
    expect(linesOf(await ic.load(options(root)))[0]).toBe("train 1: on / lamp / here 1,1,0 16000");
    const two = await ic.load(options(root, { labelColumns: ["object", "action"] }));
    expect(linesOf(two)[0]).toBe("train 1: lamp / on 1,1 16000");
    const folders = corpusOf({ "train/on/1.wav": 16_000, "train/off/1.wav": 16_000, "dev/on/2.wav": 16_000, "test/on/3.wav": 16_000 }); // biome-ignore format: one line
    expect(slotsOf(await ic.load(options(folders)))).toEqual([{ name: "intent", values: ["off", "on"] }]);
  });
});

test("parts of recordings in labels.tsv are used as such, and refused where splits share them", async () => {
  const row = (split: string, label: string, start: number) => `r.wav\t${split}\t${label}\t${start}\t${start + 1}\n`;
  const rows = (last: number) =>
    ["train", "dev", "test"]
      .map((split, i) => row(split, "a", 2 * i) + row(split, "b", i === 2 ? last : 2 * i + 1))
      .join("");
  const root = corpusOf({ "r.wav": 96_000, "labels.tsv": `path\tsplit\tlabel\tstart\tend\n${rows(5)}` });
  const data = { root, onBadFile: "stop" } as const;
  const { utterances } = await ks.load(data);
  expect(utterances.test.map(({ id, segment, samples }) => [id, segment?.start, samples])).toEqual([
    ["r_004000-005000", 64_000, 16_000],
    ["r_005000-006000", 80_000, 16_000],
  ]);
  writeFileSync(join(root, "labels.tsv"), `path\tsplit\tlabel\tstart\tend\n${rows(2.5)}`);
  await expect(ks.load(data)).rejects.toThrow(/1 utterances are in both dev and test \(r_002500-003500\)/);
});

describe("where there is no dev", () => {
  const tone = corpusOf({ "tone.wav": 8000 });
  const path = join(tone, "tone.wav");
  const corpus = (
    files: readonly (readonly [id: string, label: string, split: LabelledFile["split"]])[],
  ): LabelledCorpus => ({
    slots: [{ name: "label", values: [...new Set(files.map(([, label]) => label))].sort() }],
    files: files.map(([id, label, split]) => ({ id, path, split, labels: [label] })),
  });
  const load = (files: Parameters<typeof corpus>[0]) => classData("root", corpus(files), "stop");
  const devOf = (data: TaskData) => data.utterances.dev.map(({ id }) => id);
  const many = (count: number, label: string, prefix = label) =>
    Array.from({ length: count }, (_, i) => [`${prefix}${i}`, label, "train"] as const);

  test("a tenth of train is held out, in every class, and said", async () => {
    const files = [...many(1000, "a"), ...many(500, "b"), ["t", "a", "test"] as const];
    const data = await load(files);
    for (const [label, count] of [
      ["a", 1000],
      ["b", 500],
    ] as const) {
      const held = data.utterances.dev.filter(({ reference }) => reference === label).length;
      // five standard deviations
      expect(Math.abs(held - count / 10)).toBeLessThan(5 * Math.sqrt(count * 0.09));
    }
    expect(data.utterances.train.length + data.utterances.dev.length).toBe(1500);
    expect(data.utterances.test.map(({ id }) => id)).toEqual(["t"]);
    expect(data.notes).toEqual(["root has no dev split: a tenth of train is held out for choices"]);
    expect(data.facts.dev.source).toMatch("held out of train (1 in 10");
    expect(data.facts.train.source).toBe("train without what is held out");
    expect(devOf(await load(files))).toEqual(devOf(data));
  });

  test("what is held out stays so when files are added", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 30, max: 80 }), fc.nat(60), async (first, more) => {
        const before = [...many(first, "a"), ...many(20, "b"), ["t", "a", "test"] as const];
        const after = [...many(more, "a", "new"), ...before, ...many(more, "c", "other")];
        const held = new Set(devOf(await load(after)));
        for (const id of devOf(await load(before))) expect(held.has(id), id).toBe(true);
        const train = new Set((await load(after)).utterances.train.map(({ id }) => id));
        // and what is not held out stays in train, but for a class that had too few to give one
        const kept = (await load(before)).utterances.train.filter(({ id }) => !train.has(id));
        expect(kept.length).toBe(0);
      }),
      { numRuns: 10 },
    );
  });

  test("never the last file of a class", async () => {
    const files = Array.from({ length: 200 }, (_, i) => [`f${i}`, `class ${i % 150}`, "train"] as const);
    const data = await load([...files, ["t", "class 0", "test"]]);
    const classes = new Set(data.utterances.train.map(({ reference }) => reference));
    expect(classes.size).toBe(150);
    expect(data.utterances.dev.length).toBeGreaterThan(0);
    // of the hundred classes with one file none gave it
    const alone = data.utterances.dev.filter(({ reference }) => Number(reference.slice(6)) >= 50);
    expect(alone).toEqual([]);
  });

  test("a dev split that is there is left as it is", async () => {
    const data = await load([...many(50, "a"), ...many(50, "b"), ["d", "a", "dev"], ["t", "b", "test"]]);
    expect(devOf(data)).toEqual(["d"]);
    expect(data.utterances.train.length).toBe(100);
    expect(data.notes).toEqual([]);
  });
});

test("bad files stop it, all named, or are left out", async () => {
  const root = corpusOf({
    "train/a/1.wav": 16_000,
    "train/a/bad.flac": "no audio",
    "train/b/1.wav": 16_000,
    "train/b/short.wav": 399,
    "dev/a/1.wav": 16_000,
    "test/a/1.wav": 400,
  });
  mkdirSync(join(root, "test/b"));
  const error = await ks.load(options(root)).catch((e: Error) => e);
  expect(error).toBeInstanceOf(StillwaveError);
  expect((error as Error).message).toMatch(/^2 of 6 audio files cannot be used/);
  expect((error as Error).message).toContain(`${join(root, "train/b/short.wav")}: too short: 399 samples at 16 kHz, at least 400 are needed`); // biome-ignore format: one line
  const data = await ks.load(options(root, { onBadFile: "skip" }));
  expect(linesOf(data).map((line) => line.split(":")[0])).toEqual([
    "train train/a/1",
    "train train/b/1",
    "dev dev/a/1",
    "test test/a/1",
  ]);
  expect(data.badFiles.map(({ path }) => path)).toEqual(["train/a/bad.flac", "train/b/short.wav"].map((file) => join(root, file))); // biome-ignore format: one line
  rmSync(join(root, "train/b/1.wav"));
  writeFileSync(join(root, "test/a/1.wav"), "no audio either");
  await expect(ks.load(options(root, { onBadFile: "skip" }))).rejects.toThrow("no files of the split test");
});
