// Corpora by reference, and the rules for any list of files: sorted by id, splits that exist.
import { StillwaveError } from "../../errors.ts";
import type { CorpusSource, Listed } from "../corpus.types.ts";

/** LibriSpeech's layout: `root/<split>/<speaker>/<chapter>/<speaker>-<chapter>-<n>.flac` with `.trans.txt` beside. */
export function librispeech(root: string, splits?: readonly string[]): CorpusSource {
  return { kind: "librispeech", path: root, splits };
}

/** Every audio file under `root`; `splits` limits it to these sub-folders. */
export function folder(root: string, splits?: readonly string[]): CorpusSource {
  return { kind: "folder", path: root, splits };
}

/** The recordings that a manifest or Kaldi's folder names (docs/manifests.md). */
export function manifest(file: string, splits?: readonly string[]): CorpusSource {
  return { kind: "manifest", path: file, splits };
}

/** Sorts by id (code units, the same everywhere) and refuses two recordings with one id. */
export function sortedById(entries: readonly Listed[]): Listed[] {
  const listed = entries.map((entry, position): Listed => ({ ...entry, position }));
  listed.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.path < b.path ? -1 : 1));
  for (let i = 1; i < listed.length; i++) {
    if (listed[i].id !== listed[i - 1].id) continue;
    const [one, other] = [listed[i - 1], listed[i]].map(({ path, place }) => (place ? `${path} (${place})` : path));
    throw new StillwaveError(
      `two files have the utterance id "${listed[i].id}": ${one} and ${other}; rename or remove one of them`,
    );
  }
  return listed;
}

/** Splits that are asked for are not there: whoever asked can say where to ask otherwise. */
export class MissingSplitError extends StillwaveError {}

/** @throws MissingSplitError if a wanted split is not among those present. */
export function checkSplits(wanted: readonly string[], present: readonly string[], where: string): void {
  const missing = wanted.filter((split) => !present.includes(split));
  if (missing.length === 0) return;
  const have = present.length > 0 ? `present: ${present.slice(0, 30).join(", ")}` : "there is none";
  throw new MissingSplitError(`${where}: no split ${missing.map((split) => `"${split}"`).join(", ")}; ${have}`);
}
