// One entry of a list, and the names under which lists give paths, ids, speakers, transcripts and splits (docs/manifests.md).
import { StillwaveError } from "../../errors.ts";

/** One entry: its values by column, in lower case. */
export interface Entry {
  /** `list.tsv:12`, for messages. */
  readonly place: string;
  readonly fields: ReadonlyMap<string, unknown>;
}

/** In the order in which they are looked for. */
export const PATH_NAMES: readonly string[] = [
  "path",
  "file",
  "file_name",
  "filename",
  "audio",
  "audio_path",
  "audio_file",
  "audio_filepath",
  "wav",
  "wav_path",
  "wav_filename",
];
export const ID_NAMES: readonly string[] = ["id", "utt_id", "utterance_id", "utt", "key"];
export const SPEAKER_NAMES: readonly string[] = ["speaker", "speaker_id", "spk_id", "spk", "client_id"];
export const TRANSCRIPT_NAMES: readonly string[] = [
  "text",
  "transcript",
  "transcription",
  "sentence",
  "words",
  "wrd",
  "txt",
];
export const SPLIT_NAMES: readonly string[] = ["split"];

/**
 * The value under the first of `names` that an entry has; undefined where it is empty or not there.
 * @throws StillwaveError naming the entry for a value that is neither text nor a number.
 */
export function textOf({ place, fields }: Entry, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields.get(name);
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "string" || typeof value === "number") return String(value);
    throw new StillwaveError(`${place}: "${name}" must be text, got ${shown(value)}`);
  }
  return undefined;
}

/**
 * The path of an entry.
 * @throws StillwaveError where there is none, two differ, or it is not filled in.
 */
export function pathOf(entry: Entry): string {
  const found = PATH_NAMES.flatMap((name) => {
    const text = textOf(entry, [name]);
    return text === undefined ? [] : [{ name, text }];
  });
  const [path, ...others] = found;
  if (!path) throw new StillwaveError(`${entry.place}: no path; expected a column named ${PATH_NAMES.join(", ")}`);
  const other = others.find(({ text }) => text !== path.text);
  if (other)
    throw new StillwaveError(
      `${entry.place}: "${path.name}" is ${path.text} and "${other.name}" is ${other.text}; give one path`,
    );
  const placeholder = /^(\{[^}]*\}|\$\{?\w+\}?)/.exec(path.text);
  if (placeholder)
    throw new StillwaveError(
      `${entry.place}: the path begins with the placeholder ${placeholder[0]}; put the folder of the audio in its place`,
    );
  return path.text;
}

/** A value for messages. */
export const shown = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? Array.isArray(value)
      ? "a list"
      : "an object"
    : String(JSON.stringify(value)).slice(0, 60);
