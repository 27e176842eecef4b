// Recordings for a report to play: embedded as data: URIs where a browser plays them as they are and they are small enough.
import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { AudioFormat } from "../../audio/format.ts";
import { findAudio } from "../../audio/tags.ts";
import { StillwaveError } from "../../errors.ts";
import { formatBytes } from "../../log/format.ts";
import type { Prediction } from "../../metrics/predictions.ts";

/** A recording, or why it is left out. */
export type Recording = { readonly uri: string } | { readonly reason: string };

const MAX_FILE_BYTES = 400_000;
/** Of all data: URIs together, which are a third longer than the files. */
export const MAX_URI_CHARACTERS = 3_000_000;

const MIME: Readonly<Partial<Record<AudioFormat, string>>> = {
  flac: "audio/flac",
  wav: "audio/wav",
  "ogg-opus": "audio/ogg",
  "ogg-vorbis": "audio/ogg",
  "ogg-flac": "audio/ogg",
  mp3: "audio/mpeg",
  aac: "audio/aac",
  mp4: "audio/mp4",
};

const NOT_PLAYED: Recording = { reason: "it is in no format that browsers play" };

/**
 * Reads the recording of each row until the page is full. Paths are absolute, or relative to `root`. What cannot be embedded
 * gets a reason: a report never fails for a recording, and never embeds a file that is no audio.
 */
export function embedRecordings(
  rows: readonly Pick<Prediction, "audio" | "segment">[],
  root: string,
  budget = MAX_URI_CHARACTERS,
): Recording[] {
  let left = budget;
  return rows.map(({ audio, segment }) => {
    const recording = embed(audio, root, left);
    if (!("uri" in recording)) return recording;
    left -= recording.uri.length;
    return segment ? { uri: recording.uri + fragmentOf(segment) } : recording;
  });
}

/** The part of a recording that a player shall play. */
function fragmentOf({ start, samples, sampleRateHz }: NonNullable<Prediction["segment"]>): string {
  const [from, to] = [start, start + samples].map((value) => Number((value / sampleRateHz).toFixed(3)));
  return `#t=${from},${to}`;
}

function embed(audio: string | undefined, root: string, left: number): Recording {
  if (audio === undefined || audio === "") return { reason: "the predictions do not say where the recording is" };
  const path = isAbsolute(audio) ? audio : join(root, audio);
  try {
    const info = statSync(path);
    if (!info.isFile()) return { reason: "its path is no file" };
    if (info.size > MAX_FILE_BYTES) {
      const [size, most] = [info.size, MAX_FILE_BYTES].map(formatBytes);
      return { reason: `${size} are more than the ${most} that a page holds of one` };
    }
    if ((4 * info.size) / 3 + 50 > left) return { reason: "the page holds as much audio as it can" };
    const bytes = readFileSync(path);
    const mime = MIME[findAudio(bytes, path).format];
    return mime ? { uri: `data:${mime};base64,${bytes.toString("base64")}` } : NOT_PLAYED;
  } catch (error) {
    if (error instanceof StillwaveError) return NOT_PLAYED;
    const { code = "bad path" } = error as NodeJS.ErrnoException;
    const isGone = code === "ENOENT" || code === "ENOTDIR";
    return { reason: isGone ? "the file is not there (any more)" : `it cannot be read (${code})` };
  }
}
