// Two-speaker mixtures by a list: which utterances are added with which gains, and when each of them speaks.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, extname, join, resolve } from "node:path";
import { AUDIO_EXTENSIONS } from "../audio/index.ts";
import { parseTable, readLines, splitTabs } from "../data/lines.ts";
import type { RecordingPart } from "../data/recording.ts";
import { StillwaveError } from "../errors.ts";
import type { SpeakerTurn } from "../metrics/der.ts";
import { listSome } from "../tokens.ts";
import { readRttm } from "./rttm.ts";

/** Names of the two files that such a corpus consists of. */
export const MIXTURE_LIST = "mixtures.tsv";
const TURNS = "utterances.rttm";
const COLUMNS = ["split", "mixture", "utterance1", "gain1", "utterance2", "gain2"] as const;

export interface Mixture extends RecordingPart {
  readonly id: string;
  /** As the list has it, and where. */
  readonly split: string;
  readonly place: string;
  readonly turns: readonly SpeakerTurn[];
}

/**
 * The mixtures of `<root>/mixtures.tsv` (split, mixture, utterance1, gain1, utterance2, gain2): sums of utterances of the corpus
 * at `speech`, as long as the longer. They speak as `<root>/utterances.rttm` says, whose recordings are utterances, or
 * LibriSpeech's without the speaker's number. A mixture of an utterance of which that file says nothing is left out, and a note says so.
 * @throws StillwaveError with file and line for anything malformed, or naming utterances that are not there
 */
export async function readMixtures(
  root: string,
  speech: string,
): Promise<{ readonly mixtures: readonly Mixture[]; readonly notes: readonly string[] }> {
  const file = join(root, MIXTURE_LIST);
  const turns = await readRttm(join(root, TURNS));
  const paths = await pathsBelow(speech);
  const [missing, unsaid] = [new Set<string>(), new Set<string>()];
  const { rows } = parseTable(await readLines(file, "mixture"), file, splitTabs, COLUMNS);
  const places = new Map<string, string>();
  const mixtures = rows.flatMap((row): Mixture[] => {
    const place = `${file}:${row.number}`;
    const id = (row.get("mixture") ?? "").trim();
    if (!isFileName(id)) throw new StillwaveError(`${place}: mixture: expected a name without / or \\, got "${id}"`);
    const earlier = places.get(id);
    if (earlier) throw new StillwaveError(`${place}: "${id}" was at ${earlier} already`);
    places.set(id, place);
    const [one, two] = (["1", "2"] as const).map((side) => {
      const name = row.get(`utterance${side}`) ?? "";
      const gain = Number(row.get(`gain${side}`));
      if (!(gain > 0 && Number.isFinite(gain)))
        throw new StillwaveError(`${place}: gain${side}: expected a number above 0`);
      const path = paths.get(name);
      if (path === undefined) missing.add(name);
      const spoken = turns.get(name) ?? turnsOfSpeaker(name, turns);
      if (!spoken) unsaid.add(name);
      return { path: path ?? "", gain, turns: spoken };
    });
    const split = row.get("split") ?? "";
    if (!one.turns || !two.turns) return [];
    const making = { kind: "mixed", gain: one.gain, others: [{ path: two.path, gain: two.gain }] } as const;
    return [{ id, split, place, path: one.path, making, turns: [...one.turns, ...two.turns] }];
  });
  if (missing.size > 0)
    throw new StillwaveError(
      `${speech}: ${missing.size} utterances of ${file} are not there: ${listSome([...missing].sort(), 5)}; name the corpus that they are of with --speech`,
    );
  const left = rows.length - mixtures.length;
  const note = `${file}: ${left} of ${rows.length} mixtures are left out: ${TURNS} does not say when ${listSome([...unsaid].sort(), 5)} speak`;
  return { mixtures, notes: left > 0 ? [note] : [] };
}

/** Recordings are written to files of their names. */
const isFileName = (name: string): boolean => name !== "" && !/[/\\]/.test(name);

/** LibriSpeech's `<speaker>-<chapter>-<n>` where recordings are called `<chapter>-<n>` and speakers by their number. */
function turnsOfSpeaker(
  name: string,
  turns: ReadonlyMap<string, readonly SpeakerTurn[]>,
): readonly SpeakerTurn[] | undefined {
  const [speaker, ...rest] = name.split("-");
  const own = turns.get(rest.join("-"))?.filter((turn) => turn.speaker === speaker);
  return own && own.length > 0 ? own : undefined;
}

/** Audio files below a folder by their names. */
async function pathsBelow(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => {
    throw new StillwaveError(`${folder}: no such folder; --speech names the corpus that mixtures are made of`);
  });
  const found = new Map<string, string>();
  for (const entry of entries) {
    const extension = extname(entry.name).toLowerCase();
    if (AUDIO_EXTENSIONS.includes(extension))
      found.set(entry.name.slice(0, entry.name.length - extension.length), join(entry.parentPath, entry.name));
  }
  return found;
}

/** Where the utterances lie: as given, or in the folder that the list's own notes name. */
export function speechFolder(root: string, given: string | undefined): string {
  if (given !== undefined) return given;
  const beside = ["libri-6h", "LibriSpeech"].map((name) => join(dirname(resolve(root)), name));
  return beside.find(existsSync) ?? root;
}
