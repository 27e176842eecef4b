// Transcripts as text files that other programs read: txt, srt, vtt, tsv, json and ctm. Imports nothing of Node's.
import { unknownName } from "../../errors.ts";
import type { TimedPart } from "../../streaming/stream.types.ts";
import type { Transcript, Transcription } from "../recognizer.types.ts";
import { clockTime, cuesOf } from "./cues.ts";

export const TRANSCRIPT_FORMATS = ["txt", "srt", "vtt", "tsv", "json", "ctm"] as const;
export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number];

/** A transcript, and which recording it is of: its id names it in `ctm`. */
export interface NamedTranscript extends Omit<Transcription, "labels" | "alternatives"> {
  readonly id: string;
  readonly path: string;
  readonly alternatives: readonly Omit<Transcript, "labels">[];
}

/**
 * A transcript in a format, a line break at its end; empty where the format has nothing to say of silence.
 * Times are in seconds but in the cues of `srt` and `vtt`, which hold words up to a pause of 0.8 s, 6 s or 84 characters.
 * @throws UsageError for a format that there is not
 */
export function formatTranscript(transcript: NamedTranscript, format: TranscriptFormat): string {
  if (!Object.hasOwn(WRITERS, format)) throw unknownName("format", format, TRANSCRIPT_FORMATS);
  return WRITERS[format](transcript);
}

const WRITERS: Readonly<Record<TranscriptFormat, (transcript: NamedTranscript) => string>> = {
  txt: ({ text }) => `${oneLine(text)}\n`,
  srt: ({ parts }) =>
    cuesOf(visible(parts))
      .map(({ startMs, endMs, text }, i) => {
        const times = `${clockTime(startMs, ",")} --> ${clockTime(endMs, ",")}`;
        return `${i + 1}\n${times}\n${subtitle(text)}\n`;
      })
      .join("\n"),
  vtt: ({ parts }) =>
    `WEBVTT\n${cuesOf(visible(parts))
      .map(({ startMs, endMs, text }) => {
        return `\n${clockTime(startMs, ".")} --> ${clockTime(endMs, ".")}\n${escaped(oneLine(text))}\n`;
      })
      .join("")}`,
  tsv: ({ parts }) => `start\tend\ttext\tconfidence\n${parts.map((part) => `${row(part).join("\t")}\n`).join("")}`,
  json: ({ id, path, seconds, text, confidence, score, parts, alternatives }) =>
    `${JSON.stringify({ id, path, seconds, text, confidence, score, parts, alternatives }, null, 2)}\n`,
  ctm: ({ id, parts }) => parts.map((part) => `${ctmRow(id, part)}\n`).join(""),
};

/** A cue without text would end at its blank line. */
const visible = (parts: readonly TimedPart[]) => parts.filter(({ text }) => oneLine(text) !== "");

/** What breaks lines or columns becomes a space. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** SubRip has no escapes: players take <b> and {\\an8} for styles, so these brackets are written wide. */
const subtitle = (text: string): string =>
  oneLine(text).replaceAll("<", "＜").replaceAll(">", "＞").replaceAll("{", "｛").replaceAll("}", "｝");

const row = ({ text, startSeconds, endSeconds, confidence }: TimedPart): string[] => [
  startSeconds.toFixed(3),
  endSeconds.toFixed(3),
  oneLine(text),
  confidence.toFixed(3),
];

/** NIST's: recording, channel, start, duration, word, confidence; none of them may hold a space. */
function ctmRow(id: string, { text, startSeconds, endSeconds, confidence }: TimedPart): string {
  const word = (name: string) => oneLine(name).replace(/\s+/g, "_").replace(/^;;/, "__") || "_";
  const [start, end] = [startSeconds, endSeconds].map((seconds) => Math.round(1000 * seconds));
  const times = [start, Math.max(0, end - start)].map((milliseconds) => (milliseconds / 1000).toFixed(3));
  return [word(id), "1", ...times, word(text), confidence.toFixed(3)].join(" ");
}
