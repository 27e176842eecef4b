// Transcripts in the formats of other programs: files of a folder, or one after another on standard output.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StillwaveError, UsageError, unknownName } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import {
  formatTranscript,
  type NamedTranscript,
  TRANSCRIPT_FORMATS,
  type TranscriptFormat,
} from "../../recognizer/formats/transcript-formats.ts";
import type { Output } from "../output.ts";

/** `srt,vtt` -> formats. @throws UsageError for one that there is not */
export function formatList(text: string): TranscriptFormat[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names)
    if (!(TRANSCRIPT_FORMATS as readonly string[]).includes(name))
      throw unknownName("format", name, TRANSCRIPT_FORMATS);
  return [...new Set(names)] as TranscriptFormat[];
}

export interface WritingFlags {
  readonly format?: readonly TranscriptFormat[];
  readonly outputDir?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly times?: boolean;
}

/** Formats of which several recordings in one stream make a sound file. */
const JOINABLE: readonly TranscriptFormat[] = ["txt", "ctm"];

/**
 * What is written, checked before anything is recognised: undefined where nothing but lines for people is wanted.
 * @param ids of the recordings, which name files
 * @throws UsageError for flags that do not fit, StillwaveError for a file that is there
 */
export function transcriptWriter(
  { format, outputDir, force, json, times }: WritingFlags,
  ids: readonly string[],
  output: Output,
): ((transcript: NamedTranscript) => Promise<void>) | undefined {
  if (outputDir === undefined && force) throw new UsageError("--force replaces files; it goes with --output-dir");
  if (format === undefined && outputDir === undefined) return undefined;
  const formats = format ?? ["txt"];
  const idle = json ? "--json" : times ? "--times" : undefined;
  if (idle) throw new UsageError(`${idle} says how lines are printed; with --format, formats say it`);
  if (outputDir === undefined) {
    const [only] = formats;
    if (formats.length > 1) throw new UsageError(`--format ${formats.join(",")}: several need a folder (--output-dir)`);
    if (ids.length > 1 && !JOINABLE.includes(only))
      throw new UsageError(
        `--format ${only}: a file for each of ${ids.length} recordings needs a folder (--output-dir)`,
      );
    return async (transcript) => output.print(formatTranscript(transcript, only).replace(/\n$/, ""));
  }
  const pathOf = (id: string, one: TranscriptFormat) => join(outputDir, `${safeName(id)}.${one}`);
  const paths = ids.flatMap((id) => formats.map((one) => pathOf(id, one)));
  const there = force ? undefined : paths.find((path) => existsSync(path));
  if (there)
    throw new StillwaveError(`${there}: is there already; give another --output-dir, or replace files with --force`);
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice) throw new StillwaveError(`${twice}: two recordings would be written there; transcribe them apart`);
  return async (transcript) => {
    for (const one of formats) await writeFileAtomic(pathOf(transcript.id, one), formatTranscript(transcript, one));
  };
}

/** An id as the path of a file below the folder, whatever it holds. */
const safeName = (id: string): string =>
  id
    .split("/")
    .filter((name) => name !== "")
    .map((name) => name.replace(/[\p{Cc}<>:"|?*\\]/gu, "_").replace(/^\.+$/, "_"))
    .join("/") || "_";
