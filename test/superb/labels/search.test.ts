// Corpora for search: QUESST 2014's lists and ground truth as they are handed out, and queries, documents and a table of one's own.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { parseTruth, readSearchLists, usualPlaces } from "../../../src/superb/labels/search/lists.ts";
import {
  parseExcerpts,
  parseLanguageKey,
  parseOccurrences,
  parseTermList,
  quesstRoot,
  readQuesst,
} from "../../../src/superb/labels/search/quesst.ts";
import { sine, wav16 } from "../../audio/signals.ts";
import { corpusOf } from "../../data/corpora.ts";

const tone = (hz: number) => wav16(sine(hz, 16_000, 4000, 0.3));

const KEY = "quesst14Database/Audio/quesst14_00001.wav nnenglish\nquesst14Database/Audio/quesst14_00002.wav albanian\n\nquesst14Database/Audio/quesst14_00003.wav nnenglish\n"; // biome-ignore format: one line

const ECF = `<?xml version="1.0"?><ecf source_signal_duration="3.0" version="1">
  <!-- <excerpt audio_filename="no.wav"/> -->
  <excerpt audio_filename="Audio/quesst14_00001.wav" channel="1" tbeg="0.000" dur="1.0" language="" source_type="bnews"/>
  <excerpt audio_filename='Audio/quesst14_00002.wav' channel="1"/><excerpt audio_filename="quesst14_00003.wav"/>
</ecf>`;

const terms = (split: string) => `<termlist ecf_filename="x" version="1" language="multi">
  <term termid="quesst14_${split}_0001"><termtext>quesst14_${split}_0001</termtext></term>
  <term termid="quesst14_${split}_0002">
    <termtext>quesst14_${split}_0002</termtext></term>
  <term termid="quesst14_${split}_0003"><termtext>quesst14_${split}_0003</termtext></term>
</termlist>`;

const rttm = (split: string) => `;; a comment
SPKR-INFO quesst14_00001 1 <NA> <NA> <NA> unknown spk <NA>
LEXEME quesst14_00001 1 0.00 1.00 quesst14_${split}_0001 lex spk <NA>
LEXEME quesst14_00001 1 0.20 0.10 quesst14_${split}_0001 lex spk <NA>
LEXEME quesst14_00002 1 0.00 1.00 quesst14_${split}_0003 lex spk <NA>
`;

function quesst(): string {
  const files: Record<string, Uint8Array> = {};
  for (const n of [1, 2, 3]) files[`quesst14Database/Audio/quesst14_0000${n}.wav`] = tone(300 * n);
  const root = corpusOf(files);
  const write = (path: string, content: string | Uint8Array) => {
    const file = join(root, "quesst14Database", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  };
  write("scoring/language_key_utterances.lst", KEY);
  for (const split of ["dev", "eval"]) {
    for (const n of [1, 2]) write(`${split}_queries/quesst14_${split}_000${n}.wav`, tone(100 * n));
    const line = (n: number, language: string) => `quesst14Database/${split}_queries/quesst14_${split}_000${n}.wav ${language}\n`; // biome-ignore format: one line
    write(`scoring/language_key_${split}.lst`, line(1, "nnenglish") + line(2, "nnenglish") + line(3, "albanian"));
    const folder = `scoring/groundtruth_quesst14_${split}/quesst14_${split}`;
    write(`${folder}.rttm`, rttm(split));
    write(`${folder}.ecf.xml`, ECF);
    write(`${folder}.tlist.xml`, terms(split));
  }
  return root;
}

describe("QUESST 2014", () => {
  test("English queries and documents, the truth of all, and the totals that the benchmark counts", async () => {
    const root = quesstRoot(quesst())!;
    const { documents, queries } = await readQuesst(root, "stop");
    expect(documents.map(({ id }) => id)).toEqual(["quesst14_00001", "quesst14_00003"]);
    expect(queries.dev.recordings.map(({ id }) => id)).toEqual(["quesst14_dev_0001", "quesst14_dev_0002"]);
    // of three terms two occur somewhere, one of them in another language
    expect(queries.test.totals).toEqual({ queries: 2, documents: 3 });
    expect([...queries.test.truth]).toEqual([
      ["quesst14_eval_0001", new Set(["quesst14_00001"])],
      ["quesst14_eval_0003", new Set(["quesst14_00002"])],
    ]);
  });

  test.each([
    ["a line of one word", () => parseLanguageKey("a.wav\n", "x.lst"), 'x.lst:1: expected "<path> <language>"'],
    ["a recording twice", () => parseLanguageKey("a/b.wav nnenglish\nc/b.wav nnenglish\n", "x.lst"), "b was on line 1"],
    ["a term without text", () => parseTermList('<term termid="a"></term>', "x.xml"), "without termid and termtext"],
    ["no documents", () => parseExcerpts("<ecf/>", "x.xml"), "no documents"],
    ["an unknown term", () => parseOccurrences("LEXEME d 1 0 1 z lex", "x", new Map([["a", ["a"]]]), new Set(["d"])), "x:1: z is no term"], // biome-ignore format: one line
    ["an unknown document", () => parseOccurrences("LEXEME e 1 0 1 a lex", "x", new Map([["a", ["a"]]]), new Set(["d"])), "x:1: e is no document"], // biome-ignore format: one line
    ["a line that ends early", () => parseOccurrences("LEXEME d 1", "x", new Map([["a", ["a"]]]), new Set(["d"])), "ends early"], // biome-ignore format: one line
  ])("%s is named with its place", (_, read, message) => {
    expect(read).toThrow(message);
  });
});

describe("queries, documents and truth.tsv", () => {
  const corpus = (truth: string, files: readonly string[] = []) => {
    const all = ["queries/dev/one.wav", "queries/test/one.wav", "queries/test/two.wav", "documents/a/1.wav", "documents/b/1.wav"]; // biome-ignore format: one line
    const root = corpusOf(Object.fromEntries([...all, ...files].map((file, i) => [file, tone(200 + 50 * i)])));
    writeFileSync(join(root, "truth.tsv"), truth);
    return { root, places: usualPlaces(root) as Parameters<typeof readSearchLists>[1] };
  };

  test("queries are told apart by split, and named by as much as is needed", async () => {
    const { root, places } = corpus("document\tquery\na/1\tdev/one.wav\nb/1.wav\ttest/one\nb/1\ttwo\n");
    const { queries, documents } = await readSearchLists(root, places, "stop");
    expect(documents.map(({ id }) => id)).toEqual(["a/1", "b/1"]);
    expect(queries.dev.recordings.map(({ id }) => id)).toEqual(["dev/one"]);
    expect([...queries.dev.truth]).toEqual([["dev/one", new Set(["a/1"])]]);
    expect([...queries.test.truth.keys()]).toEqual(["test/one", "test/two"]);
    expect(queries.test.totals).toBeUndefined();
  });

  test.each([
    ["query\tdocument\none\ta/1\n", 'truth.tsv:2: "one" is the name of several querys'],
    ["query\tdocument\ntwo\tc/1\n", 'truth.tsv:2: "c/1" is no document'],
    ["query\tfile\n", "no column document"],
    ["query\tdocument\ntwo\ta/1\n", "none of the dev queries"],
  ])("%j is refused", async (truth, message) => {
    const { root, places } = corpus(truth);
    await expect(readSearchLists(root, places, "stop")).rejects.toThrow(message.replace("querys", "queries"));
  });

  test("without dev queries nothing can choose", async () => {
    const root = corpusOf({ "queries/test/one.wav": tone(1), "documents/1.wav": tone(2) });
    const places = { queries: join(root, "queries"), documents: join(root, "documents"), truth: join(root, "t") };
    await expect(readSearchLists(root, places, "stop")).rejects.toThrow("no dev queries, and they choose the layer");
  });
});

test("whatever is in them, lists give a result or say what is wrong", () => {
  const piece = fc.constantFrom(...'<term termid="a">|<termtext>|</termtext>|<excerpt audio_filename=|"x"|\'|LEXEME|a|d|\t|\n| |query|document|>'.split("|")); // biome-ignore format: one line
  const text = fc.oneof(
    fc.string(),
    fc.array(piece).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, (content) => {
      const known = { queries: [{ id: "a" }, { id: "x/a" }], documents: [{ id: "d" }] };
      for (const read of [
        () => parseLanguageKey(content, "f"),
        () => parseTermList(content, "f"),
        () => parseExcerpts(content, "f"),
        () => parseOccurrences(content, "f", new Map([["a", ["a"]]]), new Set(["d"])),
        () => parseTruth(content, "f", known),
        () => parseTruth(content, "f", known, true),
      ]) {
        try {
          read();
        } catch (error) {
          expect(error).toBeInstanceOf(StillwaveError);
        }
      }
    }),
    { numRuns: 300 },
  );
});
