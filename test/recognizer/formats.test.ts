// Transcripts in the formats of other programs: by hand, for whatever text, and as ffmpeg reads them.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatTranscript,
  type NamedTranscript,
  TRANSCRIPT_FORMATS,
  type TranscriptFormat,
} from "../../src/recognizer/formats/transcript-formats.ts";
import type { TimedPart } from "../../src/streaming/stream.types.ts";
import { temporaryFolder } from "../data/corpora.ts";

const root = temporaryFolder();
const part = (text: string, startSeconds: number, endSeconds: number, confidence = 0.5): TimedPart => ({ text, startSeconds, endSeconds, confidence }); // biome-ignore format: one line
const transcript = (parts: readonly TimedPart[], id = "talk"): NamedTranscript => ({
  ...{ id, path: `${id}.flac`, seconds: 5000, alternatives: [], score: null, confidence: 0.5, parts },
  text: parts.map(({ text }) => text).join(" "),
});
const talk = transcript([part("HELLO", 0.5, 0.9), part("WORLD", 1, 1.4, 0.25), part("A<B>&{C}", 3661.2345, 3662)]);

test.each<[TranscriptFormat, string]>([
  ["txt", "HELLO WORLD A<B>&{C}\n"],
  ["srt", "1\n00:00:00,500 --> 00:00:01,400\nHELLO WORLD\n\n2\n01:01:01,235 --> 01:01:02,000\nA＜B＞&｛C｝\n"],
  [
    "vtt",
    "WEBVTT\n\n00:00:00.500 --> 00:00:01.400\nHELLO WORLD\n\n01:01:01.235 --> 01:01:02.000\nA&lt;B&gt;&amp;{C}\n",
  ],
  [
    "tsv",
    "start\tend\ttext\tconfidence\n0.500\t0.900\tHELLO\t0.500\n1.000\t1.400\tWORLD\t0.250\n3661.235\t3662.000\tA<B>&{C}\t0.500\n",
  ],
  ["ctm", "talk 1 0.500 0.400 HELLO 0.500\ntalk 1 1.000 0.400 WORLD 0.250\ntalk 1 3661.235 0.765 A<B>&{C} 0.500\n"],
])("%s", (format, expected) => {
  expect(formatTranscript(talk, format)).toBe(expected);
});

test("json holds it all; silence is an empty cue list, not an error; another format is named", () => {
  const { text, parts, ...rest } = JSON.parse(formatTranscript(talk, "json"));
  expect([text, parts]).toEqual([talk.text, talk.parts]);
  expect(rest).toEqual({
    id: "talk",
    path: "talk.flac",
    seconds: 5000,
    alternatives: [],
    score: null,
    confidence: 0.5,
  });
  expect(TRANSCRIPT_FORMATS.slice(0, 4).map((format) => formatTranscript(transcript([]), format))).toEqual(["\n", "", "WEBVTT\n", "start\tend\ttext\tconfidence\n"]); // biome-ignore format: one line
  expect(() => formatTranscript(talk, "doc" as "txt")).toThrow('unknown format "doc"; valid: txt, srt');
});

/** Any words, one after another. */
const anyTalk = fc
  .array(fc.tuple(fc.string({ unit: "binary", maxLength: 30 }), fc.double({ min: 0, max: 9, noNaN: true }), fc.double({ min: 0, max: 2, noNaN: true }))) // biome-ignore format: one line
  .map((words) => {
    let at = 0;
    return words.map(([text, pause, length]) => {
      const start = at + pause;
      at = start + length;
      return part(text, start, at);
    });
  });

test("whatever is said, columns and cues are whole, in order, and longer than nothing", () => {
  const clock = (text: string) => text.split(/[:.,]/).reduce((sum, digits, i) => sum + Number(digits) * [3_600_000, 60_000, 1000, 1][i], 0); // biome-ignore format: one line
  fc.assert(
    fc.property(anyTalk, fc.string({ unit: "binary", minLength: 1 }), (parts, id) => {
      const named = transcript(parts, id);
      for (const line of formatTranscript(named, "ctm").split("\n").slice(0, -1)) expect(line).toMatch(/^(?!;;)\S+ 1 \d+\.\d{3} \d+\.\d{3} \S+ [01]\.\d{3}$/); // biome-ignore format: one line
      for (const line of formatTranscript(named, "tsv").split("\n").slice(0, -1)) expect(line.split("\t").length).toBe(4); // biome-ignore format: one line
      for (const format of ["srt", "vtt"] as const) {
        const blocks = formatTranscript(named, format).trimEnd().split(/\n\n/).slice(format === "vtt" ? 1 : 0).filter((block) => block !== ""); // biome-ignore format: one line
        let from = 0;
        for (const block of blocks) {
          const lines = block.split("\n").slice(format === "srt" ? 1 : 0);
          const [, start, end] = /^([\d:.,]+) --> ([\d:.,]+)$/.exec(lines[0])!;
          expect(clock(start)).toBeGreaterThanOrEqual(from);
          expect(clock(end)).toBeGreaterThan(clock(start));
          from = clock(end);
          expect(lines.length).toBeLessThanOrEqual(2);
          if (format === "vtt") expect(lines[1] ?? "").not.toMatch(/-->|</);
        }
      }
    }),
  );
});

const hasFfmpeg = spawnSync("ffprobe", ["-version"]).status === 0;
if (!hasFfmpeg) console.log("skipped: ffprobe is not there, which reads subtitles independently");
describe.runIf(hasFfmpeg)("as ffmpeg reads them", () => {
  test.each(["srt", "vtt"] as const)("%s", (format) => {
    const file = join(root, `talk.${format}`);
    writeFileSync(file, formatTranscript(talk, format));
    const { stdout } = spawnSync("ffprobe", ["-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0", file], { encoding: "utf8" }); // biome-ignore format: one line
    const cues = stdout.trim().split("\n").map((line) => line.split(",").slice(0, 2).map(Number)); // biome-ignore format: one line
    expect(cues).toEqual([[0.5, 0.9], [3661.235, 0.765]]); // biome-ignore format: one line
    const text = spawnSync("ffmpeg", ["-v", "error", "-i", file, "-f", "webvtt", "-"], { encoding: "utf8" }).stdout;
    expect(text).toContain("HELLO WORLD");
    expect(text).toMatch(format === "srt" ? /A＜B＞&(amp;)?｛C｝/ : /A(&lt;|<)B(&gt;|>)&(amp;)?\\?\{C\\?\}/);
  });
});
