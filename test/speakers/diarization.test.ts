// Who speaks when: labels and chunks against the benchmark's own, RTTM from hostile files, turns of probabilities by hand.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAllSafetensors } from "../../src/checkpoint/formats/safetensors.ts";
import { numberedLines } from "../../src/data/lines.ts";
import { StillwaveError } from "../../src/errors.ts";
import type { SpeakerTurn } from "../../src/metrics/der.ts";
import { chunksOf, frameAt, labelFrames, labelsOf } from "../../src/speakers/frames.ts";
import { readDiarizedFolder } from "../../src/speakers/kaldi.ts";
import { parseRttm, rttmLines } from "../../src/speakers/rttm.ts";
import { medianFiltered, turnsOf } from "../../src/speakers/turns.ts";
import { temporaryFolder } from "../data/corpora.ts";

const oracle = fileURLToPath(new URL("../../../shared/oracle/superb/sd", import.meta.url));
const hasOracle = existsSync(oracle);
if (!hasOracle) console.warn(`skipped: no numbers of the benchmark at ${oracle}`);

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(temporaryFolder(), "kaldi");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

describe.skipIf(!hasOracle)("labels of frames", () => {
  test("chunks, lengths and labels of a Kaldi folder are the benchmark's", async () => {
    const { files, expected } = JSON.parse(readFileSync(join(oracle, "labels.json"), "utf8"));
    const folder = folderOf({ ...files, "wav.scp": "a_b a.wav\nc_d c.wav\ne_f e.wav\n" });
    const recordings = await readDiarizedFolder(folder);
    const tensors = await readAllSafetensors(join(oracle, "labels.safetensors"));
    const options = { samplesPerFrame: 320, losesTurns: true };
    for (const [chunkFrames, name] of [
      [2000, "train_2000"],
      [100, "train_100"],
    ] as const) {
      const found = recordings.flatMap(({ id, seconds = 0, turns }) =>
        chunksOf(labelFrames(seconds, 320), chunkFrames).map((chunk) => ({ id, turns, chunk })),
      );
      const keys = found.map(({ id, chunk }) => `train.${chunkFrames}.${id}.${chunk.start}-${chunk.end}`);
      expect(keys).toEqual(expected[name].map(({ key }: { key: string }) => key));
      for (const [i, { turns, chunk }] of found.entries()) {
        expect(320 * (chunk.end - chunk.start)).toBe(expected[name][i].samples);
        const speakers = [...new Set(turns.map(({ speaker }) => speaker))].sort();
        const labels = labelsOf(turns, speakers, chunk, options);
        expect(Array.from(labels), keys[i]).toEqual(Array.from(tensors.get(keys[i])!.data, Number));
      }
    }
  });

  test("times are rounded as the benchmark rounds them, where frames of 20 ms would be others too", () => {
    const facts = JSON.parse(readFileSync(join(oracle, "labels.json"), "utf8"));
    const others: number[] = facts.seconds_of_0_to_60_by_0_001_where_times_50_rounds_otherwise;
    const even = (x: number) => (x - Math.floor(x) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
    const found: number[] = [];
    for (let i = 0; i < 60_000; i++) if (frameAt(i / 1000, 320) !== even((i / 1000) * 50)) found.push(i / 1000);
    expect(found).toEqual(others);
  });
});

test("a recording has the whole frames of its written length", () => {
  expect([4.02, 3.2, 6.411, 2.03, 0.019].map((seconds) => labelFrames(seconds, 320))).toEqual([200, 160, 320, 101, 0]);
  expect(chunksOf(2000, 2000)).toEqual([{ start: 0, end: 2000 }]);
  expect(chunksOf(4001, 2000).at(-1)).toEqual({ start: 4000, end: 4001 });
});

test("a turn that covers a chunk, or runs past the last frame, is kept unless the benchmark's mistake is asked for", () => {
  const turns = [{ speaker: "a", startSeconds: 0.1, endSeconds: 9.5 }];
  const count = (start: number, end: number, losesTurns: boolean) =>
    labelsOf(turns, ["a", "b"], { start, end }, { samplesPerFrame: 320, losesTurns }).reduce(
      (sum, one) => sum + one,
      0,
    );
  expect([count(0, 100, false), count(100, 200, false), count(400, 470, false)]).toEqual([95, 100, 70]);
  expect([count(0, 100, true), count(100, 200, true), count(400, 470, true)]).toEqual([95, 0, 0]);
});

describe("Kaldi folders with speakers", () => {
  const good = {
    "wav.scp": "r r.wav\nq q.wav\n",
    segments: "s1 r 0.5 1.25\ns2 r 1 2\n",
    utt2spk: "s1 a\ns2 b\n",
  };

  test("recordings have their turns, and those without segments no speech", async () => {
    const folder = folderOf(good);
    expect(await readDiarizedFolder(folder)).toEqual([
      {
        id: "r",
        path: join(folder, "r.wav"),
        seconds: undefined,
        turns: [
          { speaker: "a", startSeconds: 0.5, endSeconds: 1.25 },
          { speaker: "b", startSeconds: 1, endSeconds: 2 },
        ],
      },
      { id: "q", path: join(folder, "q.wav"), seconds: undefined, turns: [] },
    ]);
  });

  test.each([
    [{ segments: "s1 r 0.5\n" }, "segments:1: expected 4 fields"],
    [{ segments: "s1 r 2 1\n" }, "segments: s1: expected a start and a later end"],
    [{ segments: "s1 r -1 1\n" }, "expected a start and a later end in seconds, got -1 and 1"],
    [{ segments: "s1 x 0 1\n" }, 'wav.scp has no recording "x"'],
    [{ segments: "s9 r 0 1\n" }, "segments: s9: utt2spk does not say who"],
    [{ utt2spk: "s1 a\ns1 b\n" }, 'utt2spk:2: "s1" is there twice'],
    [{ reco2dur: "r long\n" }, "reco2dur: r: expected seconds, got long"],
  ])("what is wrong with %j is said", async (wrong, message) => {
    await expect(readDiarizedFolder(folderOf({ ...good, ...wrong } as Record<string, string>))).rejects.toThrow(
      message,
    );
  });

  test("a folder without segments is named", async () => {
    await expect(readDiarizedFolder(folderOf({ "wav.scp": "r r.wav\n", utt2spk: "" }))).rejects.toThrow("no segments");
  });
});

describe("RTTM", () => {
  const parse = (text: string) => parseRttm(numberedLines(text), "x.rttm");

  test("turns of recordings are read, other lines passed over", () => {
    const text = ";; comment\nSPKR-INFO r 1 <NA> <NA> <NA> unknown a <NA>\nSPEAKER r 1   0.50   1.25 <NA> <NA> a <NA> <NA>\nSPEAKER q 1 0 3e-1 <NA> <NA> b\n"; // biome-ignore format: one line
    expect(Object.fromEntries(parse(text))).toEqual({
      r: [{ speaker: "a", startSeconds: 0.5, endSeconds: 1.75 }],
      q: [{ speaker: "b", startSeconds: 0, endSeconds: 0.3 }],
    });
  });

  test.each([
    "SPEAKER r 1 0.5",
    "SPEAKER r 1 -1 2 <NA> <NA> a",
    "SPEAKER r 1 0 x <NA> <NA> a",
    "SPEAKER r 1 0 1 <NA> <NA> <NA>",
    "r a 0 1",
    "SPEAKER r 1 1e308 1e309 <NA> <NA> a",
  ])("%s is refused by its line", (line) => {
    expect(() => parse(`;; first\n${line}\n`)).toThrow("x.rttm:2: expected");
  });

  test("hostile text gives turns or a StillwaveError", () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom("SPEAKER", "1", "0.5", "<NA>", "-3", "1e999", "\t", "LEXEME"));
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 10 }), { maxLength: 6 }), (lines) => {
        try {
          for (const turns of parse(lines.map((fields) => fields.join(" ")).join("\n")).values())
            for (const { startSeconds, endSeconds } of turns) expect(endSeconds).toBeGreaterThanOrEqual(startSeconds);
        } catch (error) {
          if (!(error instanceof StillwaveError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("what is written is the benchmark's form, and read again", () => {
    const turns: SpeakerTurn[] = [{ speaker: "r_0", startSeconds: 0.02, endSeconds: 12.5 }];
    expect(rttmLines("r", turns)).toBe("SPEAKER r 1    0.02   12.48 <NA> <NA> r_0 <NA>\n");
    expect(parse(rttmLines("r", turns)).get("r")?.[0].endSeconds).toBeCloseTo(12.5, 12);
  });
});

describe("turns of probabilities", () => {
  test("a vote over frames is a median with zeros beyond the ends", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 3, 5, 11), (bytes, window) => {
        const active = bytes.map((value) => value & 1);
        const half = (window - 1) / 2;
        const expected = active.map((_, t) => {
          const around = Array.from({ length: window }, (_, k) => active[t + k - half] ?? 0).sort();
          return around[half];
        });
        expect(medianFiltered(active, window)).toEqual(expected);
      }),
    );
  });

  test("stretches above the threshold are turns, to the last frame", () => {
    const probabilities = [0.9, 0.1, 0.9, 0.1, 0.5, 0.8, 0.2, 0.8, 0.7, 0.8];
    const options = { threshold: 0.5, median: 1, samplesPerFrame: 320 };
    expect(turnsOf("r", probabilities, 2, options)).toEqual([
      { speaker: "r_0", startSeconds: 0, endSeconds: 0.04 },
      { speaker: "r_0", startSeconds: 0.08, endSeconds: 0.1 },
      { speaker: "r_1", startSeconds: 0.04, endSeconds: 0.1 },
    ]);
    expect(turnsOf("r", probabilities, 2, { ...options, median: 3 })).toEqual([
      { speaker: "r_0", startSeconds: 0, endSeconds: 0.04 },
      { speaker: "r_1", startSeconds: 0.04, endSeconds: 0.1 },
    ]);
    expect(turnsOf("r", [], 2, options)).toEqual([]);
  });
});
