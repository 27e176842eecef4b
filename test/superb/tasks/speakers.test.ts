// The corpora of verification and diarisation: who is trained on, held out and tested, what is left out, and how labels come about.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { closeDecodingThreads } from "../../../src/data/index.ts";
import { Random } from "../../../src/random.ts";
import { asv } from "../../../src/superb/tasks/speakers/asv.ts";
import { sd } from "../../../src/superb/tasks/speakers/sd.ts";
import type { LoadContext } from "../../../src/superb/tasks/task.types.ts";
import { wavFile } from "../../audio/signals.ts";
import { temporaryFolder } from "../../data/corpora.ts";

process.env.STILLWAVE_CACHE = temporaryFolder();
afterAll(closeDecodingThreads);

/** Noise of so many seconds, silent beyond `loud` of them. */
function recording(path: string, seconds: number, loud = seconds): void {
  const random = new Random(1, path);
  const pcm = Int16Array.from({ length: seconds * 16_000 }, (_, i) => (i < loud * 16_000 ? Math.round(9000 * (2 * random.uniform() - 1)) : 0)); // biome-ignore format: one line
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, wavFile({ bits: 16, data: new Uint8Array(pcm.buffer) }));
}

const context = (protocol: LoadContext["protocol"], samplesPerFrame = 320): LoadContext => ({
  protocol,
  framing: async () => ({ samplesPerFrame, minSamples: 400 }),
});

/** Speakers by two videos of two recordings each. */
function voxceleb(train: readonly string[], tested: readonly string[]): string {
  const root = temporaryFolder();
  for (const [folder, speakers] of [
    ["dev/wav", train],
    ["test/wav", tested],
  ] as const)
    for (const speaker of speakers)
      for (const video of ["a", "b"])
        for (const n of [1, 2]) recording(join(root, folder, speaker, video, `0000${n}.wav`), 2.5);
  return root;
}
const names = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `id1${String(from + i).padStart(4, "0")}`);

describe("verification", () => {
  const root = voxceleb(names(1, 6), names(270, 2));
  const list = join(root, "voxceleb1_test_v2.txt");
  writeFileSync(list, "1 id10270/a/00001.wav id10270/b/00001.wav\n0 id10270/a/00001.wav id10271/a/00001.wav\n");
  const data = { root, onBadFile: "stop" } as const;

  test("under superb all speakers are trained on, and the corpus's trials test", async () => {
    const loaded = await asv.load(data, context("superb"));
    expect(loaded.objective).toEqual({ kind: "voices", speakers: names(1, 6) });
    expect(loaded.utterances.train).toHaveLength(24);
    expect(loaded.utterances.dev).toEqual([]);
    expect(loaded.utterances.test.map(({ id }) => id)).toEqual([
      "id10270/a/00001",
      "id10270/b/00001",
      "id10271/a/00001",
    ]);
    expect(loaded.trials?.test).toHaveLength(2);
    const [first] = loaded.utterances.train;
    expect(first).toMatchObject({
      id: "id10001/a/00001",
      reference: "id10001",
      label: [0],
      making: { kind: "trimmed" },
    });
    expect(loaded.files).toEqual({});
  });

  test("under fixed speakers are held out of training, and their trials are made and kept", async () => {
    const loaded = await asv.load(data, context("fixed"));
    const speakers = (split: "train" | "dev") => new Set(loaded.utterances[split].map(({ reference }) => reference));
    expect([speakers("train").size, speakers("dev").size]).toEqual([4, 2]);
    for (const speaker of speakers("dev")) expect(speakers("train")).not.toContain(speaker);
    expect(loaded.trials?.dev?.filter(({ isTarget }) => isTarget)).toHaveLength(2 * 4);
    expect(Object.keys(loaded.files ?? {})).toEqual(["trials-dev.txt"]);
    expect(loaded.facts.dev.source).toContain("held out");
  });

  test("short speech is not trained on; a trial of one too short is an error, or left out with its trials", async () => {
    const other = voxceleb(names(1, 5), names(270, 2));
    recording(join(other, "dev/wav/id10001/a/00001.wav"), 4, 1.9);
    recording(join(other, "test/wav/id10270/a/00001.wav"), 2, 0.25);
    await expect(asv.load({ root: other, onBadFile: "stop" }, context("superb"))).rejects.toThrow(
      /x-vector takes 16 frames/,
    );
    const loaded = await asv.load({ root: other, onBadFile: "skip" }, context("superb"));
    expect(loaded.utterances.train).toHaveLength(19);
    expect(loaded.notes.join()).toContain("1 recordings of 2 s of speech and less");
    expect(loaded.badFiles.map(({ path }) => path)).toEqual([join(other, "test/wav/id10270/a/00001.wav")]);
    expect(loaded.trials?.test?.some(({ first, second }) => [first, second].includes("id10270/a/00001"))).toBe(false);
    expect(loaded.notes.join()).toContain("has no list of trials");
    expect(loaded.files?.["trials-test.txt"]).toMatch(/^[01] id1027/);
  });

  test("a list that names training speakers, and one that lacks recordings, are refused", async () => {
    const bad = join(temporaryFolder(), "bad.txt");
    writeFileSync(bad, "0 id10001/a/00001.wav id10270/a/00001.wav\n");
    await expect(asv.load({ ...data, trials: bad }, context("superb"))).rejects.toThrow("which is trained on");
    writeFileSync(bad, "0 id10272/a/00001.wav id10270/a/00001.wav\n");
    await expect(asv.load({ ...data, trials: bad }, context("superb"))).rejects.toThrow("bad.txt:1: no recording");
  });

  test("trials of one kind are refused before anything is trained, given or made", async () => {
    const one = join(temporaryFolder(), "one.txt");
    writeFileSync(one, "1 id10270/a/00001.wav id10270/b/00001.wav\n");
    for (const protocol of ["superb", "fixed"] as const)
      await expect(asv.load({ ...data, trials: one }, context(protocol))).rejects.toThrow(
        "one.txt: all 1 trials are of one speaker; an equal error rate needs trials of one speaker and of two",
      );
    writeFileSync(one, "0 id10270/a/00001.wav id10271/b/00001.wav\n");
    await expect(asv.load({ ...data, trials: one }, context("superb"))).rejects.toThrow("are of two speakers");
    const table = join(temporaryFolder(), "labels.tsv");
    const [first, second, third] = ["dev/wav/id10001", "test/wav/id10270", "test/wav/id10271"].map((at) => join(root, at)); // biome-ignore format: one line
    writeFileSync(table, `file\tsplit\tspeaker\n${first}/a/00001.wav\ttrain\t1\n${second}/a/00001.wav\ttest\t2\n${third}/a/00001.wav\ttest\t3\n`); // biome-ignore format: one line
    await expect(asv.load({ root: join(table, ".."), onBadFile: "stop" }, context("superb"))).rejects.toThrow(
      "split test: no trials can be made: no speaker has two recordings; test takes a list by --trials",
    );
  });
});

describe("diarisation", () => {
  function kaldi(): string {
    const root = temporaryFolder();
    for (const split of ["train", "dev", "test"]) {
      recording(join(root, split, `${split}-1.wav`), 4.5);
      recording(join(root, split, `${split}-2.wav`), 3);
      const file = (name: string, text: string) => writeFileSync(join(root, split, name), text.replaceAll("@", split));
      file("wav.scp", "@-1 @-1.wav\n@-2 @-2.wav\n");
      file("segments", "a1 @-1 0.5 2.0\nb1 @-1 1.0 4.49\n");
      file("utt2spk", "a1 a\nb1 b\n");
      file("reco2dur", "@-1 4.5\n@-2 3.0\n");
    }
    return root;
  }

  test("labels of Kaldi's folders are of the upstream's frames; recordings without speech stay", async () => {
    const root = kaldi();
    const loaded = await sd.load({ root, onBadFile: "stop" }, context("superb"));
    const [one, two] = loaded.utterances.test;
    expect([one.frames, one.label.length, two.frames]).toEqual([225, 450, 150]);
    expect(Array.from(one.label).reduce((sum, value) => sum + value, 0)).toBe(75 + 174);
    expect(JSON.parse(one.reference)).toEqual([["a", 0.5, 2], ["b", 1, 4.49]]); // biome-ignore format: one line
    expect(two.reference).toBe("[]");
    expect(loaded.notes.join()).toContain("1 recordings to test have no speech");
    const fine = await sd.load({ root, onBadFile: "stop" }, context("superb", 160));
    expect(fine.utterances.test[0].frames).toBe(450);
  });

  test("recordings to train on come in chunks, those to read come whole", async () => {
    const root = kaldi();
    recording(join(root, "train/train-1.wav"), 41);
    recording(join(root, "test/test-1.wav"), 41);
    for (const split of ["train", "test"])
      writeFileSync(join(root, split, "reco2dur"), `${split}-1 41\n${split}-2 3\n`);
    const { utterances } = await sd.load({ root, onBadFile: "stop" }, context("fixed"));
    expect(utterances.train.map(({ id, frames }) => [id, frames])).toEqual([
      ["train-1.0-2000", 2000],
      ["train-1.2000-2050", 50],
      ["train-2", 150],
    ]);
    expect(utterances.train[1].segment).toEqual({ start: 640_000, samples: 16_000, sampleRateHz: 16_000 });
    expect(utterances.test[0]).toMatchObject({ id: "test-1", frames: 2050 });
  });

  test("mixtures are made of a corpus's utterances; those without a reference are left out and named", async () => {
    const root = temporaryFolder();
    const speech = temporaryFolder();
    for (const [i, id] of ["1-1-0", "1-1-1", "2-1-0", "3-1-0", "1-1-2", "2-1-1", "2-1-2"].entries())
      recording(join(speech, id.split("-")[0], `${id}.wav`), 2 + i);
    const row = (split: string, a: string, b: string) => `${split}\t${a}_${b}\t${a}\t0.5\t${b}\t0.25\tmade\n`;
    const head = "split\tmixture\tutterance1\tgain1\tutterance2\tgain2\tsource\n";
    writeFileSync(join(root, "mixtures.tsv"), head + row("train", "1-1-0", "2-1-1") + row("dev", "1-1-2", "2-1-2") + row("test", "2-1-0", "1-1-1") + row("test", "3-1-0", "1-1-1")); // biome-ignore format: one line
    writeFileSync(join(root, "utterances.rttm"), "SPEAKER 1-0 1 0.1 1 <NA> <NA> 1\nSPEAKER 1-1-1 1 0.5 1 <NA> <NA> 1\nSPEAKER 1-1-2 1 0 1 <NA> <NA> 1\nSPEAKER 2-1-0 1 0 2 <NA> <NA> 2\nSPEAKER 2-1-1 1 0 2 <NA> <NA> 2\nSPEAKER 2-1-2 1 0 2 <NA> <NA> 2\n"); // biome-ignore format: one line
    const loaded = await sd.load({ root, speech, onBadFile: "stop" }, context("fixed"));
    expect(loaded.utterances.test).toMatchObject([
      {
        id: "2-1-0_1-1-1",
        samples: 64_000,
        frames: 200,
        making: { kind: "mixed", gain: 0.5, others: [{ gain: 0.25 }] },
      },
    ]);
    expect(loaded.notes.join()).toContain(
      "1 of 4 mixtures are left out: utterances.rttm does not say when 3-1-0 speak",
    );
    await expect(sd.load({ root, speech: temporaryFolder(), onBadFile: "stop" }, context("fixed"))).rejects.toThrow(
      "--speech",
    );
  });

  test("a mixture without a name of its own is refused with its line", async () => {
    const root = temporaryFolder();
    for (const id of ["1-1-0", "2-1-0"]) recording(join(root, `${id}.wav`), 2);
    writeFileSync(join(root, "utterances.rttm"), "SPEAKER 1-1-0 1 0 1 <NA> <NA> 1\nSPEAKER 2-1-0 1 0 2 <NA> <NA> 2\n");
    const read = (...names: readonly string[]) => {
      const rows = names.map((name) => `train\t${name}\t1-1-0\t0.5\t2-1-0\t0.5\n`);
      writeFileSync(
        join(root, "mixtures.tsv"),
        `split\tmixture\tutterance1\tgain1\tutterance2\tgain2\n${rows.join("")}`,
      );
      return sd.load({ root, speech: root, onBadFile: "stop" }, context("fixed"));
    };
    await expect(read("a", "b", "a")).rejects.toThrow(/mixtures\.tsv:4: "a" was at .*mixtures\.tsv:2 already/);
    await expect(read("a", " ")).rejects.toThrow("mixtures.tsv:3: mixture: expected a name");
    await expect(read("../../a")).rejects.toThrow("mixtures.tsv:2: mixture: expected a name");
  });

  test("a split in which nobody speaks is refused before anything is trained, where it is scored", async () => {
    const root = kaldi();
    for (const split of ["dev", "test"]) {
      for (const name of ["segments", "utt2spk"]) writeFileSync(join(root, split, name), "");
      const load = (protocol: "superb" | "fixed") => sd.load({ root, onBadFile: "stop" }, context(protocol));
      await expect(load("fixed")).rejects.toThrow("nobody speaks in any recording of the split dev");
      if (split === "dev") expect((await load("superb")).utterances.dev).toHaveLength(2);
      else await expect(load("superb")).rejects.toThrow("nobody speaks in any recording of the split test");
    }
  });

  test("lengths and turns that the recording contradicts are refused, and recordings of two splits", async () => {
    const root = kaldi();
    const load = () => sd.load({ root, onBadFile: "stop" }, context("fixed"));
    writeFileSync(join(root, "test/reco2dur"), "test-1 100\ntest-2 3.2\n");
    await expect(load()).rejects.toThrow("test-1: reco2dur says 100 s, and the recording has 4.50 s");
    writeFileSync(join(root, "test/reco2dur"), "test-1 4.5\ntest-2 3.2\n");
    expect((await load()).utterances.test.map(({ frames }) => frames)).toEqual([225, 160]);
    writeFileSync(join(root, "test/segments"), "a1 test-1 0.5 2.0\nb1 test-1 1.0 34.49\n");
    await expect(load()).rejects.toThrow("test-1: somebody speaks up to 34.49 s, and the recording has 4.50 s");
    writeFileSync(join(root, "test/segments"), "a1 test-1 0.5 2.0\n");
    writeFileSync(join(root, "test/wav.scp"), `test-1 ${join(root, "train/train-1.wav")}\ntest-2 test-2.wav\n`);
    await expect(load()).rejects.toThrow("1 utterances are in both train and test (test-1)");
  });

  test("a third speaker, and a corpus that is none, are refused", async () => {
    const root = kaldi();
    writeFileSync(join(root, "dev/segments"), "a1 dev-1 0 1\nb1 dev-1 1 2\nc1 dev-1 2 3\n");
    writeFileSync(join(root, "dev/utt2spk"), "a1 a\nb1 b\nc1 c\n");
    await expect(sd.load({ root, onBadFile: "stop" }, context("fixed"))).rejects.toThrow(
      "3 speakers (a, b, c), expected at most 2",
    );
    await expect(sd.load({ root: temporaryFolder(), onBadFile: "stop" }, context("fixed"))).rejects.toThrow(
      "expected Kaldi's folders",
    );
  });

  test("submissions are HDF5 files, the frame shift and the turns; of verification, lines of scores", async () => {
    const detail = Buffer.from(Float32Array.of(0.9, 0.1).buffer).toString("base64");
    const row = { id: "r", reference: "[]", hypothesis: '[["r_0",0,0.02]]', detail };
    const files = await sd.submission?.({ folder: "run", test: [row] });
    expect(files?.map(({ name }) => name)).toEqual(["r.h5", "frame_shift", "test.rttm"]);
    expect(files?.[2].content).toBe("SPEAKER r 1    0.00    0.02 <NA> <NA> r_0 <NA>\n");
    await expect(sd.submission?.({ folder: "run", test: [{ ...row, detail: undefined }] })).rejects.toThrow(
      "no probabilities",
    );
    const trial = { id: "a/b/1 c/d/2", reference: '["a","c"]', hypothesis: "0.25" };
    expect(await asv.submission?.({ folder: "run", test: [trial] })).toEqual([
      { name: "test_predict.txt", content: "a-b-1_c-d-2 0.25\n" },
    ]);
    await expect(asv.submission?.({ folder: "run", test: [{ ...trial, id: "a b/1 c/d/2" }] })).rejects.toThrow(
      "blanks",
    );
  });
});
