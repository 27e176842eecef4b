// Trials of speaker verification: lists that are read, lists that are made, sexes from whatever says them.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { numberedLines } from "../../src/data/lines.ts";
import { StillwaveError } from "../../src/errors.ts";
import { sexesOf } from "../../src/speakers/sexes.ts";
import { makeTrials, parseTrials, trialLines, type Voice } from "../../src/speakers/trials.ts";
import { voxcelebFolders, voxcelebRecordings } from "../../src/speakers/voxceleb.ts";
import { temporaryFolder } from "../data/corpora.ts";

const voices: readonly Voice[] = ["f", "m"].flatMap((sex) =>
  [0, 1, 2].flatMap((speaker) =>
    [0, 1].flatMap((session) =>
      [0, 1, 2].map((n) => {
        const name = `${sex}${speaker}`;
        return { id: `${name}/${session}/${n}`, speaker: name, session: `${name}/${session}`, sex };
      }),
    ),
  ),
);
const of = new Map(voices.map((voice) => [voice.id, voice]));

describe("lists that are read", () => {
  const parse = (text: string) =>
    parseTrials(numberedLines(text), "trials.txt", (name) => of.get(name.replace(".wav", "")));

  test("VoxCeleb's and Kaldi's form say the same", () => {
    const trials = parse("1 f0/0/0.wav f0/1/2.wav\n0 f0/0/0.wav f1/1/2.wav\n");
    expect(trials).toEqual([
      { first: "f0/0/0", second: "f0/1/2", isTarget: true },
      { first: "f0/0/0", second: "f1/1/2", isTarget: false },
    ]);
    expect(parse("f0/0/0 f0/1/2 target\nf0/0/0 f1/1/2 nontarget\n")).toEqual(trials);
    expect(parse(trialLines(trials))).toEqual(trials);
  });

  test.each([
    ["1 f0/0/0.wav", "trials.txt:1: expected"],
    ["2 f0/0/0 f0/1/2", "trials.txt:1: expected"],
    ["1 f0/0/0 nobody/0/0", 'no recording "nobody/0/0"'],
    ["1 f0/0/0 f1/0/0", "says one speaker, but the recordings are of f0 and f1"],
    ["0 f0/0/0 f0/1/0", "says two speakers"],
  ])("%s is refused", (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });

  test("hostile text gives trials or a StillwaveError", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("1", "0", "f0/0/0", "f0/1/2", "target", "constructor", "__proto__"),
    );
    fc.assert(
      fc.property(fc.array(fc.array(word, { maxLength: 4 }), { maxLength: 5 }), (lines) => {
        try {
          parse(lines.map((fields) => fields.join(" ")).join("\n"));
        } catch (error) {
          if (!(error instanceof StillwaveError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("lists that are made", () => {
  const trials = makeTrials(voices, { seed: 0 });
  const targets = trials.filter(({ isTarget }) => isTarget);

  test("all pairs of one speaker across sessions, and as many of two speakers of one sex, none twice", () => {
    expect(targets.length).toBe(6 * 3 * 3);
    for (const { first, second, isTarget } of trials) {
      const [a, b] = [of.get(first), of.get(second)];
      expect(a?.speaker === b?.speaker).toBe(isTarget);
      if (isTarget) expect(a?.session).not.toBe(b?.session);
      else expect(a?.sex).toBe(b?.sex);
    }
    expect(trials.length).toBe(2 * targets.length);
    expect(new Set(trials.map(({ first, second }) => [first, second].sort().join())).size).toBe(trials.length);
  });

  test("a seed gives the same list in any order of the recordings, another seed another", () => {
    expect(makeTrials(voices.toReversed(), { seed: 0 })).toEqual(trials);
    expect(makeTrials(voices, { seed: 1 })).not.toEqual(trials);
  });

  test("of too many pairs some are drawn; speakers of one session are paired within it", () => {
    const some = makeTrials(voices, { seed: 0, most: 10 });
    expect(some.filter(({ isTarget }) => isTarget)).toHaveLength(10);
    expect(some).toHaveLength(20);
    const single = voices.filter(({ session }) => session.endsWith("/0"));
    expect(makeTrials(single, { seed: 0 }).filter(({ isTarget }) => isTarget)).toHaveLength(6 * 3);
  });

  test("sexes that are not known pair anybody, and what cannot be paired is an error", () => {
    const unknown = voices.map(({ sex: _, ...voice }) => voice);
    const pairs = makeTrials(unknown, { seed: 0 }).filter(({ isTarget }) => !isTarget);
    expect(pairs.some(({ first, second }) => first[0] !== second[0])).toBe(true);
    const two = voices.filter(({ speaker }) => speaker === "f0" || speaker === "m0");
    expect(makeTrials(two, { seed: 0 }).some(({ isTarget }) => !isTarget)).toBe(true);
    expect(() => makeTrials(voices.slice(0, 6), { seed: 0 })).toThrow("only one speaker");
    expect(() =>
      makeTrials(
        voices.filter((_, i) => i % 6 === 0),
        { seed: 0 },
      ),
    ).toThrow("no speaker has two recordings");
  });
});

test("sexes are read from LibriSpeech's, VoxCeleb1's, Kaldi's files and from tables", async () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, "SPEAKERS.TXT"),
    ";ID | SEX | SUBSET\n14   | F | train-clean-360  | 25.03 | A\n16 | M | x\n",
  );
  writeFileSync(join(folder, "vox1_meta.csv"), "VoxCeleb1 ID\tVGGFace1 ID\tGender\tSet\nid10001\tA\tm\tdev\n");
  writeFileSync(join(folder, "spk2gender"), "x f\ny m\n");
  writeFileSync(join(folder, "labels.tsv"), "file\tspeaker\tsex\na.wav\tbob\tmale\n");
  writeFileSync(join(folder, "speakers.tsv"), "nothing\tof use\n1\t2\n");
  expect(Object.fromEntries(await sexesOf(folder))).toEqual({
    14: "f",
    16: "m",
    id10001: "m",
    x: "f",
    y: "m",
    bob: "m",
  });
  expect((await sexesOf(temporaryFolder())).size).toBe(0);
});

test("VoxCeleb1 is found as it is unpacked", async () => {
  const root = temporaryFolder();
  expect(await voxcelebFolders(root)).toBeUndefined();
  for (const path of ["dev/wav/id10001/v1", "dev/wav/id10001/v2", "test/wav/id10270/x"]) {
    mkdirSync(join(root, path), { recursive: true });
    for (const name of ["00001.wav", "00002.wav", "notes.txt", ".hidden.wav"])
      writeFileSync(join(root, path, name), "");
  }
  const folders = await voxcelebFolders(root);
  expect(folders).toEqual({ train: join(root, "dev/wav"), test: join(root, "test/wav") });
  const found = await voxcelebRecordings(join(root, "dev/wav"));
  expect(found.map(({ id }) => id)).toEqual([
    "id10001/v1/00001",
    "id10001/v1/00002",
    "id10001/v2/00001",
    "id10001/v2/00002",
  ]);
  expect(found[0]).toMatchObject({ speaker: "id10001", path: join(root, "dev/wav/id10001/v1/00001.wav") });
  await expect(voxcelebRecordings(root)).rejects.toThrow("no recordings");
});
