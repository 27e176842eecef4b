// Corpora that stand in: the same from the same seed, with a truth that holds.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { decodeBytes } from "../../src/audio/index.ts";
import { makeDigitSearch } from "../../src/stand-ins/digits.ts";
import { sine, wav16 } from "../audio/signals.ts";
import { corpusOf } from "../data/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "stand-ins-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const WORDS = ["one", "two", "three"];
const SPEAKERS = ["anna", "ben", "carl"];
const take = (word: number, speaker: number, n: number) => 1600 + 100 * word + 10 * speaker + n;

function spoken(): string {
  const files: Record<string, Uint8Array> = {};
  const rows = ["path\tlabel\tspeaker"];
  for (const [w, word] of WORDS.entries())
    for (const [s, speaker] of SPEAKERS.entries())
      for (let n = 0; n < 4; n++) {
        const file = `${word}-${speaker}-${n}.wav`;
        files[file] = wav16(sine(400, 16_000, take(w, s, n), 0.5));
        rows.push(`${file}\t${word}\t${speaker}`);
      }
  const corpus = corpusOf(files);
  writeFileSync(join(corpus, "labels.tsv"), rows.join("\n"));
  return join(corpus, "labels.tsv");
}

const labels = spoken();
const make = (out: string, more = {}) =>
  makeDigitSearch({ labels, out: join(root, out), seed: 7, documents: 6, takes: 2, speaker: "ben", ...more });
const read = (file: string) => readFileSync(join(root, file));

test("queries are one speaker's words, documents strings of the others', and the truth says which hold which", async () => {
  expect(await make("a")).toMatchObject({ speaker: "ben", queries: 12, documents: 6 });
  expect(readdirSync(join(root, "a/queries/dev")).sort()).toEqual(WORDS.flatMap((word) => [`${word}-0.wav`, `${word}-1.wav`]).sort()); // biome-ignore format: one line
  const queries = await Promise.all(readdirSync(join(root, "a/queries/test")).map((name) => decodeBytes(read(`a/queries/test/${name}`), name))); // biome-ignore format: one line
  const bens = WORDS.flatMap((_, w) => [0, 1, 2, 3].map((n) => take(w, 1, n)));
  for (const { samples } of queries) expect(bens).toContain(samples.length);
  const truth = read("a/truth.tsv").toString().trim().split("\n").slice(1).map((line) => line.split("\t")); // biome-ignore format: one line
  const takesOf = new Map<string, Set<string>>();
  for (const [query, document] of truth) {
    const [, word] = /^(?:dev|test)\/(\w+)-\d$/.exec(query)!;
    takesOf.set(`${word} ${document}`, (takesOf.get(`${word} ${document}`) ?? new Set()).add(query));
  }
  // all four queries of a word are in a document, or none
  for (const found of takesOf.values()) expect(found.size).toBe(4);
});

test("the same seed makes the same files, another others", async () => {
  await make("b");
  await make("c", { seed: 8 });
  for (const file of ["truth.tsv", "documents/00003.wav", "queries/test/two-1.wav"]) expect(read(`b/${file}`).equals(read(`a/${file}`)), file).toBe(true); // biome-ignore format: one line
  expect(read("c/documents/00003.wav").equals(read("a/documents/00003.wav"))).toBe(false);
});

test("what cannot be made is said", async () => {
  await expect(make("d", { speaker: "dora" })).rejects.toThrow('no speaker "dora"; it has anna, ben, carl');
  await expect(make("d", { takes: 3 })).rejects.toThrow(
    '4 recordings of "one" by ben; 3 for dev and 3 for test are needed',
  );
});
