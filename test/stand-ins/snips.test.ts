// Spoken SNIPS: the annotation spelled as the benchmark does, and the corpus that is made of it where espeak-ng is.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { speakSnips, spelledSentence } from "../../src/stand-ins/snips.ts";
import { sf } from "../../src/superb/tasks/sf.ts";
import { temporaryFolder } from "../data/corpora.ts";

const row = (text: string, slots: string) => `snips-test-1\t${text}\t${slots}\tGetWeather\r`;

test("sentences are spelled as the benchmark does", () => {
  expect(spelledSentence(row("Is there a storm now in NC ?", "O O O GetWeather/condition_description GetWeather/timeRange O GetWeather/state O"), "here")).toEqual({
    text: "Is there a storm now in NC ?",
    words: "IS THERE A STORM NOW IN NC".split(" "),
    slots: "O O O condition_description timeRange O state".split(" "),
    intent: "GetWeather",
  }); // biome-ignore format: as one
  // a word with a hyphen is two of one slot; curly apostrophes are plain ones
  expect(spelledSentence(row("add Jay-Z’s & more", "O X/artist O O"), "here")).toMatchObject({ words: ["ADD", "JAY", "Z'S", "&", "MORE"], slots: ["O", "artist", "artist", "O", "O"] }); // biome-ignore format: one line
  expect(spelledSentence(row("rate it 6", "O O O"), "here")).toBeUndefined();
  expect(spelledSentence(row("play café", "O O"), "here")).toBeUndefined();
  expect(() => spelledSentence(row("play it", "O"), "here")).toThrow("here: expected u_id, utterance, a slot for each");
});

test("any row is spelled with letters, passed over or refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (text, slots) => {
      try {
        const sentence = spelledSentence(`id\t${text}\t${slots}\tintent`, "here");
        for (const word of sentence?.words ?? []) expect(word).toMatch(/^[A-Z'&]+$/);
        expect(sentence?.slots.length).toBe(sentence?.words.length);
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
  );
});

function annotation(): string {
  const folder = temporaryFolder();
  const cities = ["Rome", "Oslo", "Paris", "Bern", "Riga"];
  for (const split of ["train", "valid", "test"]) {
    const rows = cities.map((city) => row(`go to ${city} ${split === "train" ? "now" : ""}`.trim(), `O O GoTo/city${split === "train" ? " O" : ""}`)); // biome-ignore format: one line
    writeFileSync(join(folder, split), ["u_id\tutterance\tslot-labels\tintent\r", ...rows, row("rate it 6", "O O O"), ""].join("\n")); // biome-ignore format: one line
  }
  return folder;
}

const hasEspeak = spawnSync("espeak-ng", ["--version"]).status === 0;
if (!hasEspeak) console.warn("skipped: espeak-ng is not installed (Debian: apt-get install espeak-ng)");

test.skipIf(!hasEspeak)(
  "voices are disjoint, the corpus is read as Audio SNIPS, the same again from the same seed",
  async () => {
    const [from, out, again] = [annotation(), temporaryFolder(), temporaryFolder()];
    const options = { annotation: from, voices: [2, 1, 1], sentences: [3, 2, 2], seed: 1 };
    expect(await speakSnips({ ...options, out })).toEqual({
      recordings: { train: 6, valid: 2, test: 2 },
      unspelled: 3,
    });
    const data = await sf.load({ root: out, onBadFile: "stop" });
    const speakers = Object.values(data.utterances).map((list) => new Set(list.map(({ id }) => id.split("-")[0])));
    expect(speakers.map((set) => [...set])).toEqual([["enusf2", "enusm3"], ["enusm5"], ["enusf4"]]);
    expect(data.utterances.test[0].reference).toMatch(/^GO TO B-city [A-Z]+ E-city$/);
    for (const { samples } of data.utterances.train) expect(samples).toBeGreaterThan(8000);
    await speakSnips({ ...options, out: again });
    const files = ["all.iob.snips.txt", "slots.txt", "voices.tsv", "train/enusf2-snips-train-0.wav"];
    expect(files.map((file) => readFileSync(join(again, file), "base64"))).toEqual(files.map((file) => readFileSync(join(out, file), "base64"))); // biome-ignore format: one line
  },
);

test("counts and annotations that do not fit are refused", async () => {
  const from = annotation();
  const options = { annotation: from, out: temporaryFolder(), voices: [1, 1, 1], sentences: [1, 1, 1], seed: 0 };
  await expect(speakSnips({ ...options, voices: [9, 1, 1] })).rejects.toThrow(
    "train: 1 sentences by 9 voices; expected",
  );
  await expect(speakSnips({ ...options, sentences: [6, 1, 1] })).rejects.toThrow("train: 5 sentences can be spelled, 6 are asked for"); // biome-ignore format: one line
  const empty = temporaryFolder();
  await expect(speakSnips({ ...options, annotation: empty })).rejects.toThrow(join(empty, "train"));
  mkdirSync(join(empty, "x"));
  writeFileSync(join(empty, "train"), "a,b\n");
  await expect(speakSnips({ ...options, annotation: empty })).rejects.toThrow("expected the columns u_id, utterance");
});
