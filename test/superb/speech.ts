// The example speech as a corpus with three splits: links to its speakers, and made-up corpora of tones beside it.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../data/corpora.ts";

export const examples = fileURLToPath(new URL("../../examples/speech", import.meta.url));
/** Corpora that lie beside the repository. */
export const shared = fileURLToPath(new URL("../../../shared/speech", import.meta.url));

/** Whether they do; says so where not. */
export function hasShared(): boolean {
  if (existsSync(shared)) return true;
  console.warn(`skipped: no corpora at ${shared}`);
  return false;
}

/** Speakers of the splits of `speechCorpus`: 15, 12 and 8 utterances. */
export const SPEAKERS = {
  train: ["train/1580", "train/1995", "train/260"],
  dev: ["dev/121", "dev/1284", "dev/1320"],
  test: ["dev/4992", "dev/5639"],
} as const;

/** `<root>/{train,dev,test}/<speaker>`, linked, with phones.txt; other names of splits by `names`. */
export function speechCorpus(names: Partial<Record<keyof typeof SPEAKERS, string>> = {}): string {
  const root = temporaryFolder();
  for (const [split, speakers] of Object.entries(SPEAKERS)) {
    const folder = join(root, names[split as keyof typeof SPEAKERS] ?? split);
    mkdirSync(folder);
    for (const speaker of speakers) symlinkSync(join(examples, speaker), join(folder, speaker.split("/")[1]));
  }
  copyFileSync(join(examples, "phones.txt"), join(root, "phones.txt"));
  return root;
}

/** Lines of the files of these speakers that end so: [id, rest]. */
export function transcriptsOf(speakers: readonly string[]): [string, string][] {
  return speakers.flatMap((speaker) =>
    (readdirSync(join(examples, speaker), { recursive: true }) as string[])
      .filter((file) => file.endsWith(".trans.txt"))
      .flatMap((file) =>
        readFileSync(join(examples, speaker, file), "utf8")
          .trim()
          .split("\n"),
      )
      .map((line): [string, string] => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  );
}

/** phones.txt of the examples: phones by id. */
export const examplePhones: ReadonlyMap<string, readonly string[]> = new Map(
  readFileSync(join(examples, "phones.txt"), "utf8")
    .trim()
    .split("\n")
    .map((line): [string, string[]] => [line.split(" ")[0], line.split(" ").slice(1)]),
);
