// Diarisation in Kaldi's folders: recordings with their lengths, and the segments in which somebody talks.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Line, numberedLines, readText } from "../data/lines.ts";
import { KALDI_LIST, listScp } from "../data/list/kaldi.ts";
import { StillwaveError } from "../errors.ts";
import type { SpeakerTurn } from "../metrics/der.ts";
import { tokensOf } from "../tokens.ts";

export interface DiarizedRecording {
  readonly id: string;
  readonly path: string;
  /** Its length as `reco2dur` gives it; undefined where that is not there. */
  readonly seconds?: number;
  readonly turns: readonly SpeakerTurn[];
}

const NUMBER = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

async function linesOf(folder: string, name: string): Promise<readonly Line[]> {
  const file = join(folder, name);
  if (!existsSync(file))
    throw new StillwaveError(
      `${folder}: no ${name}; a folder of recordings with speakers has wav.scp, segments and utt2spk`,
    );
  return numberedLines(await readText(file, "Kaldi"));
}

/** Lines of `<key> <value>` with so many fields; each key once. */
async function fieldsOf(folder: string, name: string, count: number): Promise<Map<string, readonly string[]>> {
  const rows = new Map<string, readonly string[]>();
  for (const { number, text } of await linesOf(folder, name)) {
    const fields = tokensOf(text);
    const place = `${join(folder, name)}:${number}`;
    if (fields.length !== count)
      throw new StillwaveError(`${place}: expected ${count} fields, got "${text.trim().slice(0, 80)}"`);
    if (rows.has(fields[0])) throw new StillwaveError(`${place}: "${fields[0]}" is there twice`);
    rows.set(fields[0], fields.slice(1));
  }
  return rows;
}

/**
 * The recordings of a folder with wav.scp, segments, utt2spk and, where it is there, reco2dur. A recording without segments has
 * no speech.
 * @throws StillwaveError with file and line for anything malformed
 */
export async function readDiarizedFolder(folder: string): Promise<DiarizedRecording[]> {
  const speakers = await fieldsOf(folder, "utt2spk", 2);
  const lengths = existsSync(join(folder, "reco2dur")) ? await fieldsOf(folder, "reco2dur", 2) : new Map();
  const turns = new Map<string, SpeakerTurn[]>();
  for (const [segment, [recording, from, to]] of await fieldsOf(folder, "segments", 4)) {
    const where = `${join(folder, "segments")}: ${segment}`;
    const speaker = speakers.get(segment)?.[0];
    if (speaker === undefined) throw new StillwaveError(`${where}: utt2spk does not say who it is`);
    const [startSeconds, endSeconds] = [from, to].map((time) => (NUMBER.test(time) ? Number(time) : Number.NaN));
    if (!(endSeconds > startSeconds))
      throw new StillwaveError(`${where}: expected a start and a later end in seconds, got ${from} and ${to}`);
    const list = turns.get(recording) ?? [];
    turns.set(recording, list);
    list.push({ speaker, startSeconds, endSeconds });
  }
  const scp = join(folder, KALDI_LIST);
  const recordings = listScp(await linesOf(folder, KALDI_LIST), scp);
  const known = new Set(recordings.map(({ id }) => id));
  const strange = [...turns.keys()].find((recording) => !known.has(recording));
  if (strange !== undefined)
    throw new StillwaveError(`${join(folder, "segments")}: ${KALDI_LIST} has no recording "${strange}"`);
  return recordings.map(({ id = "", path }) => {
    const [text] = lengths.get(id) ?? [];
    const seconds = text === undefined ? undefined : Number(text);
    if (seconds !== undefined && !(seconds > 0 && NUMBER.test(text)))
      throw new StillwaveError(`${join(folder, "reco2dur")}: ${id}: expected seconds, got ${text}`);
    return { id, path, seconds, turns: turns.get(id) ?? [] };
  });
}
