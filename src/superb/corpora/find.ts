// Looks what a folder holds for a task: the layout it is in, what of it is there and what is missing.
import { existsSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import type { DataSettings } from "../recipe/schema.ts";
import { CORPORA, type CorpusTask, type Layout, type Part, type TaskCorpora } from "./layouts.ts";

export interface FoundCorpus {
  readonly root: string;
  /** `LibriSpeech`. */
  readonly layout: string;
  readonly isBenchmark: boolean;
  readonly found: readonly string[];
  /** What the corpus cannot be used without. */
  readonly missing: readonly string[];
  /** What is not there, and what stands for it. */
  readonly remarks: readonly string[];
  /** What the task would not find by itself. */
  readonly settings: Pick<DataSettings, "lexicon">;
}

const corporaOf = (task: string): TaskCorpora | undefined =>
  Object.hasOwn(CORPORA, task) ? CORPORA[task as CorpusTask] : undefined;

/** What lies at `root` for a task, by the first layout whose key is there; undefined where it is in none that is known. */
export function recognise(task: string, root: string): FoundCorpus | undefined {
  for (const layout of corporaOf(task)?.layouts ?? []) {
    const there = layout.parts.map((part) => ({ part, name: part.names.find((name) => existsSync(join(root, name))) }));
    if (there.some(({ part, name }) => part.role === "key" && name === undefined)) continue;
    return foundOf(root, layout, there);
  }
  return undefined;
}

function foundOf(
  root: string,
  { name: layout, isBenchmark }: Layout,
  there: readonly { readonly part: Part; readonly name: string | undefined }[],
): FoundCorpus {
  const absent = there.filter(({ name }) => name === undefined).map(({ part }) => part);
  const lexicon = there.flatMap(({ part, name }) =>
    part.setting === "lexicon" && name !== undefined && name !== "phones.txt" ? [join(root, name)] : [],
  );
  return {
    root,
    layout,
    isBenchmark,
    found: there.flatMap(({ name }) => name ?? []),
    missing: absent.filter(({ role }) => role === "needed").map(({ what }) => what),
    remarks: absent.flatMap(({ role, what, without }) => (role === "useful" ? [`no ${what}: ${without}`] : [])),
    settings: lexicon.length > 0 ? { lexicon } : {},
  };
}

/** What a task's corpora are recognised by, for messages: `LibriSpeech (train-clean-100/)`. */
export const expected = (task: string): string =>
  (corporaOf(task)?.layouts ?? [])
    .map(({ name, parts }) => {
      const keys = parts.filter(({ role }) => role === "key").map(({ what }) => what);
      return name.startsWith(keys[0]) ? name : `${name} (${keys.join(", ")})`;
    })
    .join("; ");

/** `pr/, LibriSpeech/ or librispeech/`: where a task's corpus is looked for below a root of data. */
export const usualFolders = (task: string): string[] => [task, ...(corporaOf(task)?.folders ?? [])];

/** The corpus of a task below a root of data: in a folder called like the task, or like its corpora. */
export function findCorpus(task: string, dataRoot: string): FoundCorpus | undefined {
  for (const name of usualFolders(task)) {
    const found = recognise(task, normalize(join(dataRoot, name)));
    // in the root itself only what cannot be anything else
    if (found && (name !== "." || found.isBenchmark)) return found;
  }
  return undefined;
}

/** What `--data` holds for a task, in words: said before anything is opened. undefined for a list, which says it itself. */
export function describeCorpus(task: string, { root }: Pick<DataSettings, "root">): string | undefined {
  if (!existsSync(root) || statSync(root).isFile()) return undefined;
  const corpus = recognise(task, root);
  if (!corpus) return `${root}: in no layout that ${task} knows by name: ${expected(task)}`;
  const { layout, found, missing, remarks } = corpus;
  return [
    `${root}: ${layout}; found ${found.join(", ")}`,
    ...(missing.length > 0 ? [`missing ${missing.join(", ")}`] : []),
    ...remarks,
  ].join("; ");
}
