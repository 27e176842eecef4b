// A search corpus out of spoken digits: one speaker's digits are queries, strings of the others' are documents, so that the truth is exact.
import { join } from "node:path";
import { loadAudio, SAMPLE_RATE_HZ } from "../audio/index.ts";
import { encodeWav } from "../audio/pcm/write-wav.ts";
import { readText } from "../data/lines.ts";
import { readEntries } from "../data/list/entries.ts";
import { SPEAKER_NAMES, textOf } from "../data/list/entry.ts";
import { itemsOf } from "../data/list/manifest.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { joined } from "../graph/array.ts";
import { Random } from "../random.ts";
import { listSome } from "../tokens.ts";

export interface DigitSearchOptions {
  /** labels.tsv with columns path, label and speaker, one word a recording. */
  readonly labels: string;
  readonly out: string;
  readonly seed: number;
  /** Who says the queries; default the first by name. */
  readonly speaker?: string;
  readonly documents: number;
  /** Queries of each word in dev, and as many in test. */
  readonly takes: number;
}

/** Words in a document, and the noise between two of them. */
const WORDS = [5, 8] as const;
const PAUSE_SECONDS = [0.1, 0.3] as const;
/** About -55 dB below full scale. */
const NOISE = 0.0018;

interface Word {
  readonly path: string;
  readonly word: string;
  readonly speaker: string;
}

export interface MadeSearch {
  readonly speaker: string;
  readonly queries: number;
  readonly documents: number;
  readonly seconds: number;
}

/**
 * Writes `queries/{dev,test}/<word>-<take>.wav`, `documents/<n>.wav`, `truth.tsv`: the layout that search reads. Equal seeds and
 * recordings make equal files.
 * @throws StillwaveError for a table without the columns, or too few recordings; UsageError for an unknown speaker
 */
export async function makeDigitSearch(options: DigitSearchOptions): Promise<MadeSearch> {
  const { labels, out, seed, documents, takes } = options;
  const words = await readWords(labels);
  const speakers = [...new Set(words.map(({ speaker }) => speaker))].sort();
  const { speaker = speakers[0] } = options;
  if (!speakers.includes(speaker))
    throw new UsageError(`${labels}: no speaker "${speaker}"; it has ${listSome(speakers, 20)}`);
  const others = speakers.filter((one) => one !== speaker);
  if (others.length === 0) throw new StillwaveError(`${labels}: one speaker; documents need others`);
  for (const folder of ["queries/dev", "queries/test", "documents"]) await makeFolder(join(out, folder));
  const queries = drawQueries(
    words.filter((one) => one.speaker === speaker),
    { labels, seed, takes },
  );
  for (const { name, path } of queries)
    await writeFileAtomic(join(out, "queries", name), encodeWav(await loadAudio(path)));
  const rows = ["query\tdocument"];
  let samples = 0;
  for (let i = 0; i < documents; i++) {
    const random = new Random(seed, "document", i);
    const own = words.filter((one) => one.speaker === others[i % others.length]);
    const count = WORDS[0] + random.integer(WORDS[1] - WORDS[0] + 1);
    const said = Array.from({ length: count }, () => own[random.integer(own.length)]);
    const name = String(i).padStart(5, "0");
    const wave = withPauses(await Promise.all(said.map(({ path }) => loadAudio(path))), random);
    samples += wave.length;
    await writeFileAtomic(join(out, "documents", `${name}.wav`), encodeWav(wave));
    const held = new Set(said.map(({ word }) => word));
    for (const query of queries) if (held.has(query.word)) rows.push(`${query.name.replace(/\.wav$/, "")}\t${name}`);
  }
  await writeFileAtomic(join(out, "truth.tsv"), `${rows.join("\n")}\n`);
  return { speaker, queries: queries.length, documents, seconds: samples / SAMPLE_RATE_HZ };
}

async function readWords(labels: string): Promise<Word[]> {
  const table = readEntries(await readText(labels, "label"), labels);
  if (!table) throw new StillwaveError(`${labels}:1: the header line has no column file or path`);
  const places = itemsOf(table.entries, labels);
  return table.entries.map((entry, i): Word => {
    const [word, speaker] = [textOf(entry, ["label", "word"]), textOf(entry, SPEAKER_NAMES)];
    if (word === undefined || speaker === undefined)
      throw new StillwaveError(`${entry.place}: expected columns label and speaker, both filled in`);
    return { path: places[i].path, word, speaker };
  });
}

function drawQueries(
  own: readonly Word[],
  { labels, seed, takes }: Pick<DigitSearchOptions, "labels" | "seed" | "takes">,
): { readonly name: string; readonly path: string; readonly word: string }[] {
  const names = [...new Set(own.map(({ word }) => word))].sort();
  return names.flatMap((word) => {
    const paths = own.filter((one) => one.word === word).map(({ path }) => path);
    const recordings = new Random(seed, "queries", word).shuffle(paths.sort());
    if (recordings.length < 2 * takes)
      throw new StillwaveError(
        `${labels}: ${recordings.length} recordings of "${word}" by ${own[0].speaker}; ${takes} for dev and ${takes} for test are needed`,
      );
    return recordings.slice(0, 2 * takes).map((path, i) => {
      const [split, take] = i < takes ? ["dev", i] : ["test", i - takes];
      return { name: `${split}/${word}-${take}.wav`, path, word };
    });
  });
}

/** Words with quiet noise between them, before and after. */
function withPauses(waves: readonly Float32Array[], random: Random): Float32Array {
  const noise = () => {
    const [least, most] = PAUSE_SECONDS;
    const seconds = least + (most - least) * random.uniform();
    return Float32Array.from({ length: Math.round(seconds * SAMPLE_RATE_HZ) }, () => NOISE * random.normal());
  };
  return joined([noise(), ...waves.flatMap((wave) => [wave, noise()])]);
}
