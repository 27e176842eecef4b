// Parts of recordings in lists: every way of saying them, what is refused, and that the right samples are used.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { expect, test } from "vitest";
import { librispeech, openCorpus, planEpoch, prefetchBatches, type Utterance } from "../../../src/data/index.ts";
import { sharing } from "../../../src/data/recording.ts";
import { corpusOf, speechFolder } from "../corpora.ts";

const stop = { onBadFile: "stop" } as const;
/** 3 s at 16 kHz under `a.wav`, and a list beside it. */
const open = (name: string, text: string, options: { readonly onBadFile: "stop" | "skip" } = stop) =>
  openCorpus({ path: join(corpusOf({ "a.wav": 48_000, [name]: text }), name) }, options);
const part = ({ segment }: Utterance) => segment && [segment.start, segment.samples];

/** Columns, their values, and the samples that they mean. */
const WAYS: readonly (readonly [string, readonly (readonly [string, number])[], number, number])[] = [
  ["start and end", [["start", 0.5], ["end", 1.25]], 8000, 12_000],
  ["start and stop", [["start", 0.2], ["stop", 0.6]], 3200, 6400],
  ["begin and end", [["begin", 0.1], ["end", 0.4]], 1600, 4800],
  ["start_time and end_time", [["start_time", 1], ["end_time", 2]], 16_000, 16_000],
  ["offset and duration", [["offset", 0.29], ["duration", 1]], 4640, 16_000],
  ["an offset of 0 and a duration", [["offset", 0], ["duration", 0.5]], 0, 8000],
  ["start and duration", [["start", 1], ["duration", 0.5]], 16_000, 8000],
  ["start, end and the duration of the part", [["start", 1], ["end", 2], ["duration", 1]], 16_000, 16_000],
  ["start, end and the duration of the whole", [["start", 1], ["end", 2], ["duration", 3]], 16_000, 16_000],
  ["start and frames", [["start", 4000], ["frames", 8001]], 4000, 8001],
  ["start_frame and num_frames", [["start_frame", 1], ["num_frames", 1000]], 1, 1000],
  ["start_frame and end_frame", [["start_frame", 100], ["end_frame", 1100]], 100, 1000],
  ["frame_offset and num_frames", [["frame_offset", 400], ["num_frames", 800]], 400, 800],
  ["a start alone", [["start", 2.5]], 40_000, 8000],
  ["an end alone", [["end", 0.5]], 0, 8000],
  ["an end that rounding puts behind the recording's", [["start", 2], ["end", 3.005]], 32_000, 16_000],
]; // biome-ignore format: a table

test.each(WAYS)("%s, in every form of a list", async (_, columns, start, samples) => {
  const names = ["path", ...columns.map(([name]) => name)];
  const values = ["a.wav", ...columns.map(([, value]) => value)];
  const object = JSON.stringify(Object.fromEntries([["path", "a.wav"], ...columns]));
  const forms: Readonly<Record<string, string>> = {
    "l.jsonl": `${object}\n`,
    "l.json": `[\n  ${object}\n]`,
    "l.tsv": `${names.join("\t")}\n${values.join("\t")}\n`,
    "l.csv": `${names.map((name) => name.toUpperCase()).join(",")}\r\n"a.wav",${values.slice(1).join(",")}\r\n`,
  };
  for (const [name, text] of Object.entries(forms)) {
    const { utterances } = await open(name, text);
    expect(utterances.map(part), name).toEqual([[start, samples]]);
    expect(utterances[0]).toMatchObject({ id: "a", samples });
  }
});

test.each([
  ["nothing", ""],
  ["a duration of the whole", ',"duration":3'],
  ["a length of the whole, rounded", ',"length":2.98'],
  ["all of it", ',"start":0,"end":3'],
  [
    "columns that are no times",
    ',"gender":1,"sender":2,"age":30,"segment":"","segment_id":4,"start_word":"yes","time":1700000000',
  ],
  ["empty cells", ',"start":"","end":null'],
])("%s means the whole file", async (_, fields) => {
  expect((await open("l.jsonl", `{"path":"a.wav"${fields}}\n`)).utterances).toEqual([
    expect.objectContaining({ id: "a", samples: 48_000 }),
  ]);
  expect((await open("l.jsonl", `{"path":"a.wav"${fields}}\n`)).utterances[0].segment).toBeUndefined();
});

test.each([
  ["onset", "0.5"], ["startTime", "0.5"], ["start_ms", "500"], ["end_sec", "1.5"], ["segment_end", '"2"'], ["from", "0"],
  ["timestamp", "[0.5, 1.5]"], ["segment", '{"start":1,"end":2}'], ["t0", "1"], ["duration_ms", "3000"], ["begin_at", '"00:00:01.5"'],
  ["chunk", "[[0, 1]]"], ["endTime", "2"],
])("a column %s of %s is refused by name", async (name, value) => {
  await expect(open("l.jsonl", `{"path":"a.wav"}\n{"path":"a.wav","${name}":${value}}\n`)).rejects.toThrow(
    new RegExp(`l\\.jsonl:2: the column "${name.toLowerCase()}" .* looks like a time and is not read; times are start and end, `),
  );
}); // biome-ignore format: a table

test.each([
  [{ start: 2.5, end: 3.5 }, /segment of 2\.5 s to 3\.5 s runs past the end of the recording, 3 s/],
  [{ start: 3, end: 3.5 }, /begins at 3 s, the recording ends at 3 s/],
  [{ start: 8000, end: 16_000 }, /begins at 8000 s, .* \(seconds; samples are given as start_frame and end_frame\)/],
  [{ start: 1, end: 1 }, /segment of 1 to 1 s is empty/],
  [{ start: 2, end: 1 }, /segment of 2 to 1 s is empty/],
  [{ start: -1, end: 1 }, /"start" is -1; times are not negative/],
  [{ start: "NaN", end: 1 }, /"start" is "NaN"; expected a number of seconds/],
  [{ start: "0x10", end: 1 }, /"start" is "0x10"; expected a number/],
  [{ start: true, end: 1 }, /"start" is true; expected a number/],
  [{ start: "1,5", end: 2 }, /"start" is "1,5"; expected a number/],
  [{ start: 1, end: 1.02 }, /too short: 320 samples/],
  [{ start: 1, end: 2, duration: 0.2 }, /lasts 1 s, the manifest says 0\.2 s as well/],
  [{ start: 0.5, frames: 100 }, /"start" is 0\.5; samples are whole numbers/],
  [{ start: 1, offset: 2 }, /"start" is 1 and "offset" is 2; give one of them/],
  [{ offset: 1, num_frames: 500 }, /"offset" in seconds and "num_frames" in samples/],
  [{ start_frame: 0, num_frames: 48_001 }, /runs past the end/],
  [{ duration: 1 }, /the manifest says 1 s, the file has 3 s/],
  [{ num_samples: 47_999 }, /the manifest says 47999 samples, the file has 48000/],
])("%j is an error with its line, or left out", async (fields, message) => {
  const text = `{"path":"a.wav","id":"whole"}\n${JSON.stringify({ path: "a.wav", id: "part", ...fields })}\n`;
  await expect(open("l.jsonl", text)).rejects.toThrow(message);
  await expect(open("l.jsonl", text)).rejects.toThrow(/a\.wav: .*l\.jsonl:2\)/);
  const { utterances, badFiles } = await open("l.jsonl", text, { onBadFile: "skip" });
  expect([utterances.map(({ id }) => id), badFiles.length]).toEqual([["whole"], 1]);
});

test("parts of one file without ids are told apart by their times", async () => {
  const { utterances } = await open("l.tsv", "path\tstart\tend\na.wav\t0.12\t0.35\na.wav\t1\t\na.wav\t0\t0.5\n");
  expect(utterances.map(({ id }) => id)).toEqual(["a_000000-000500", "a_000120-000350", "a_001000-end"]);
  await expect(open("l.tsv", "path\tstart\tend\na.wav\t0\t1\na.wav\t0\t1\n")).rejects.toThrow(
    /utterance id "a_000000-001000": .*l\.tsv:2\) and .*l\.tsv:3\)/,
  );
});

test("the fingerprint holds the parts, and is what it was without any", async () => {
  const one = await open("l.jsonl", '{"path":"a.wav","start":0,"end":1}\n');
  const other = await open("l.jsonl", '{"path":"a.wav","start":1,"end":2}\n');
  expect(one.fingerprint).not.toBe(other.fingerprint);
  // recorded before lists had parts
  expect((await openCorpus(librispeech(speechFolder, ["dev"]), stop)).fingerprint).toBe(
    "b0f162e90efe42ce17428220e59d449e69fbcae65506515b12430a5299401a9f",
  );
});

test.each([0, 1])(
  "batches hold the samples that libsndfile reads between start and stop, %i threads",
  async (workers) => {
    const path = join(speechFolder, "train/672/122797/672-122797-0058.flac");
    const corpus = await open("l.jsonl", `${JSON.stringify({ path, start_frame: 50_001, end_frame: 71_520 })}\n`);
    const plan = planEpoch(corpus, { batchSize: 1, seed: 0, epoch: 0, shuffle: false });
    for await (const { batch } of prefetchBatches(plan, { onBadFile: "stop", workers })) {
      expect(batch.samples).toEqual([21_519]);
      // soundfile.read(path, start=50001, stop=71520, dtype="float32")
      expect(
        createHash("sha256")
          .update(new Uint8Array(batch.wave.buffer, 0, 4 * 21_519))
          .digest("hex"),
      ).toBe("da6a8723c732ac517bf4309574e17e64007815cc9032abb498d9b128773c1903");
    }
  },
);

test("recordings share samples where their parts overlap", () => {
  const at = (start: number, samples: number, path = "a") => ({
    path,
    segment: { start, samples, sampleRateHz: 16000 },
  });
  const some = [at(0, 100), at(200, 100), { path: "whole" }];
  const others = [at(100, 100), at(99, 2), at(250, 10), at(0, 9, "b"), at(5, 5, "whole"), { path: "a" }];
  expect(sharing(some, others)).toEqual([others[1], others[2], others[4], others[5]]);
});
