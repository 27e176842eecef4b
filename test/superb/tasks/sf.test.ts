// SF: Audio SNIPS in its own layout, tables with aligned slots, batches of neighbours, submission.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { parseSentence } from "../../../src/superb/labels/slots/snips.ts";
import type { DataSettings } from "../../../src/superb/recipe/schema.ts";
import { sf } from "../../../src/superb/tasks/sf.ts";
import { Sampler } from "../../../src/superb/training/sampler.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { answersOf, doneOf, evaluate, evaluationsIn } from "../run/evaluations.ts";

const options = (root: string, rest: Partial<DataSettings> = {}): DataSettings => ({ root, onBadFile: "stop", ...rest }); // biome-ignore format: one line
const SENTENCES = [
  "PLAY NORA JONES\tO artist artist",
  "GO TO ROME\tO O city",
  "RATE DUNE FIVE\tO object_name rating_value",
  "STOP\tO",
];

/** `speakers` by split; one sentence a recording, with or without the speaker in its id. */
function snips(speakers: Record<"train" | "valid" | "test", readonly string[]>, bySpeaker = true): string {
  const files: Record<string, number | string> = { "slots.txt": "O\nartist\ncity\nobject_name\nrating_value\n" };
  const lines = new Set<string>();
  for (const [split, names] of Object.entries(speakers))
    for (const speaker of names)
      for (const [n, sentence] of SENTENCES.entries()) {
        files[`${split}/${speaker}-snips-${split}-${n}.wav`] = 6000 + 400 * n;
        const [words, slots] = sentence.split("\t");
        lines.add(`${bySpeaker ? `${speaker}-` : ""}snips-${split}-${n} BOS ${words} EOS\tO ${slots} Intent`);
      }
  return corpusOf({ ...files, "all.iob.snips.txt": [...lines].join("\n") });
}

describe("Audio SNIPS", () => {
  test.each([true, false])(
    "is read, the benchmark's speakers alone where there are some (sentences by speaker: %s)",
    async (bySpeaker) => {
      const data = await sf.load(options(snips({ train: ["Ivy", "Joey", "Emma"], valid: ["Amy"], test: ["Brian", "Ivy"] }, bySpeaker))); // biome-ignore format: one line
      expect(data.utterances.train.map(({ id }) => id.split("-")[0])).toEqual([..."1111"].map(() => "Ivy").concat([..."1111"].map(() => "Joey"))); // biome-ignore format: one line
      expect(data.utterances.test.map(({ reference }) => reference)).toEqual(["PLAY B-artist NORA JONES E-artist", "GO TO B-city ROME E-city", "RATE B-object_name DUNE E-object_name B-rating_value FIVE E-rating_value", "STOP"]); // biome-ignore format: one line
      expect(data.objective).toMatchObject({ kind: "ctc", text: "slots", special: ["<pad>", "<eos>"] });
      // 31, four slots and a nameless one
      expect(data.objective.kind === "ctc" && data.objective.symbols.length).toBe(41);
      expect(data.notes.join()).toMatch(
        /train: 4 recordings of speakers that the benchmark has elsewhere are left out/,
      );
    },
  );

  test("other voices are taken as they are", async () => {
    const data = await sf.load(options(snips({ train: ["a", "b"], valid: ["c"], test: ["d"] })));
    expect([data.utterances.train.length, data.utterances.dev.length, data.utterances.test.length]).toEqual([8, 4, 4]);
    expect(data.notes).toEqual([]);
  });

  test("what is missing or malformed is named", async () => {
    const root = snips({ train: ["a"], valid: ["c"], test: ["d"] });
    writeFileSync(join(root, "slots.txt"), "O\nartist\ncity\nobject_name");
    await expect(sf.load(options(root))).rejects.toThrow(/all\.iob\.snips\.txt:3: slots that are not in slots\.txt: rating_value/); // biome-ignore format: one line
    writeFileSync(join(root, "slots.txt"), "rating_value\nartist\ncity\nobject_name");
    await expect(sf.load(options(root))).rejects.toThrow('slots.txt:1: expected O before the names of the slots, got "rating_value"'); // biome-ignore format: one line
    writeFileSync(join(root, "slots.txt"), "O\nartist");
    writeFileSync(join(root, "all.iob.snips.txt"), "a-snips-train-0 BOS PLAY NORA EOS\tO artist P");
    await expect(sf.load(options(root))).rejects.toThrow("snips.txt:1: 2 words between BOS and EOS, and 3 slots");
    writeFileSync(join(root, "all.iob.snips.txt"), "a-snips-train-0 BOS NORA EOS\tO artist P");
    await expect(sf.load(options(root))).rejects.toThrow("no sentence of 11 recordings: train/a-snips-train-1.wav");
    await expect(sf.load(options(corpusOf({ "x.wav": 4000 })))).rejects.toThrow("no sentences with slots; expected");
  });

  test("any line gives a sentence or an error that names its place", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (said, tags) => {
        for (const line of [said, `${said}\t${tags}`, `id BOS ${said} EOS\t${tags}`, `id BOS ${said} EOS\tO ${tags}`])
          try {
            const { words, slots } = parseSentence(line, "here");
            expect(words.length).toBe(slots.length);
          } catch (error) {
            expect(error).toBeInstanceOf(StillwaveError);
            expect((error as Error).message).toMatch(/^here: /);
          }
      }),
    );
  });
});

describe("tables", () => {
  const line = (name: string, split: string, text: string, slots: string) => `${name}\t${split}\t${text}\t${slots}`;
  const table = (lines: readonly string[], columns = "file\tsplit\ttext\tslots") =>
    corpusOf({ "a.wav": 9000, "b.wav": 8000, "c.wav": 7000, "labels.tsv": [columns, ...lines].join("\n") });

  test("slots are aligned with words; their order is that of training", async () => {
    const root = table([
      line("a.wav", "train", "fly from Rome to Oslo at ten", "O O city O city O time"),
      line("b.wav", "valid", "go to Rome", "O O city"),
      line("c.wav", "test", "café at ten", "city O time"),
    ]);
    const data = await sf.load(options(root));
    expect(data.utterances.train[0].reference).toBe(
      "FLY FROM B-city ROME E-city TO B-city OSLO E-city AT B-time TEN E-time",
    );
    expect(data.utterances.test[0].reference).toBe("B-city CAF<unk> E-city AT B-time TEN E-time");
    expect(data.objective.kind === "ctc" && data.objective.symbols.slice(31)).toEqual(["B-city", "E-city", "B-time", "E-time"]); // biome-ignore format: one line
    expect(data.notes.join()).toContain("1 sentences have letters beyond A to Z");
  });

  test("rows that do not fit are named with their line", async () => {
    const good = [line("a.wav", "train", "go to Rome", "O O city"), line("b.wav", "valid", "go to Rome", "O O city")];
    await expect(sf.load(options(table([...good, line("c.wav", "test", "go Rome", "O O city")])))).rejects.toThrow(/labels\.tsv:4: 2 words and 3 slots/); // biome-ignore format: one line
    await expect(sf.load(options(table([...good, line("c.wav", "test", "go  Rome", "O city")])))).rejects.toThrow(/labels\.tsv:4: 3 words and 2 slots/); // biome-ignore format: one line
    await expect(sf.load(options(table([...good, line("c.wav", "test", "go Rome", "O town")])))).rejects.toThrow("slots that are not in training: town"); // biome-ignore format: one line
    await expect(sf.load(options(table([...good, line("c.wav", "test", "go", "O")])))).rejects.toThrow("no sentence of the split test has a slot"); // biome-ignore format: one line
    await expect(sf.load(options(table(good.map((text) => text.slice(0, text.lastIndexOf("\t"))), "file\tsplit\ttext")))).rejects.toThrow("has no column slots"); // biome-ignore format: one line
  });
});

test("batches are windows of neighbours by the number of symbols, beginning anywhere", () => {
  const utterances = Array.from({ length: 10 }, (_, i) => {
    return { id: String(i), path: "", samples: i === 9 ? 400_000 : 1000 * (10 - i), label: new Array(i + 1).fill(4), reference: "" }; // biome-ignore format: one line
  });
  const options = { batching: "windows", batchSize: 4, halveAboveSamples: 300_000, seed: 1, framing: { samplesPerFrame: 320, minSamples: 400 } } as const; // biome-ignore format: one line
  const sampler = new Sampler(utterances, options);
  expect([sampler.batchesPerEpoch, sampler.batchesPerPass]).toEqual([10, 3]);
  const windows = Array.from({ length: 10 }, (_, micro) => sampler.at(micro).utterances.map(({ id }) => id).join("")); // biome-ignore format: one line
  // sorted by labels: 9 8 7 ... 0; the first is long, so that its window loses its second half; the last four starts give one window
  expect(windows.sort()).toEqual(["3210", "3210", "3210", "3210", "4321", "5432", "6543", "7654", "8765", "98"]);
});

test("a head is trained, scored by both metrics and submitted", async () => {
  const root = snips({ train: ["a", "b"], valid: ["c"], test: ["d"] });
  const { folder, optionsFor } = evaluationsIn(temporaryFolder(), root);
  const out = folder();
  const training = { steps: 4, evaluateEvery: 2, learningRates: [1e-2], batchSize: 4, accumulate: 1 };
  const { result } = doneOf(await evaluate(optionsFor(out, { task: "sf", training, head: { hidden: 4 } })));
  expect(result).toMatchObject({ unit: "slot", metric: { name: "F1", isHigherBetter: true }, otherMetrics: [{ name: "CER", isHigherBetter: false }] }); // biome-ignore format: one line
  const test = answersOf(out, "predictions/test.jsonl");
  expect(test.length).toBe(4);
  const [file] = await sf.submission!({ folder: out, test });
  expect(file).toMatchObject({ name: "test-hyp.ark" });
  expect(String(file.content).split("\n").length).toBe(5);
});
