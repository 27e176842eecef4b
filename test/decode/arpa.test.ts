// ARPA models: probabilities computed by hand, back-off by its definition, hostile files refused with their line.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readArpa } from "../../src/decode/arpa.ts";
import { PairTable } from "../../src/decode/pair-table.ts";
import { Random } from "../../src/random.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "arpa-"));
});
afterAll(() => rm(folder, { recursive: true }));

const trigrams = `made for this test

\\data\\
ngram 1=5
ngram 2=4
ngram 3=2

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.5
-0.7\t</s>
-0.6\ta\t-0.25
-0.9\tb\t-0.125

\\2-grams:
-0.3\t<s> a\t-0.0625
-0.4\ta b\t-0.03125
-0.2\tb </s>
-0.8\tb b\t0.1

\\3-grams:
-0.15\t<s> a b
-0.05\ta b </s>

\\end\\
`;

async function read(content: string | Uint8Array, name = "model.arpa") {
  const file = join(folder, name);
  await writeFile(file, content);
  return readArpa(file);
}

describe("ARPA model", () => {
  // by hand: each addend is an n-gram's probability or a back-off weight of the file above
  test.each([
    ["a b", -0.3 - 0.15 - 0.05],
    // </s> after "b b": no trigram, backoff(b b), then "b </s>"
    ["a b b", -0.3 - 0.15 + (-0.03125 - 0.8) + (0.1 - 0.2)],
    // b after <s>: backoff(<s>) + b; a after b: no "b a", backoff(b) + a, and nothing of "<s> b" is kept; </s>: backoff(a) + </s>
    ["b a", -0.5 - 0.9 + (-0.125 - 0.6) + (-0.25 - 0.7)],
    // unknown: backoff(<s> a) + backoff(a) + <unk>, then a context of nothing
    ["a zzz b", -0.3 + (-0.0625 - 0.25 - 1.5) - 0.9 - 0.2],
    ["", -0.5 - 0.7],
  ])("an ARPA model gives %j its probability", async (sentence, expected) => {
    const words = sentence.split(" ").filter((word) => word !== "");
    for (const model of [await read(trigrams), await read(gzipSync(trigrams), "model.arpa.gz")]) {
      expect(model.sentence(words)).toBeCloseTo(expected, 6);
    }
  });

  test("states of an ARPA model forget what can no longer matter", async () => {
    const model = await read(trigrams);
    const [a, b] = ["a", "b"].map((word) => model.idOf(word));
    const afterB = model.next(model.empty, b);
    expect(model.next(model.next(model.empty, a), a)).toBe(model.next(model.empty, a));
    expect(model.next(model.start, b)).toBe(afterB);
    expect(model.next(model.next(model.start, a), b)).toBe(model.next(model.next(model.empty, a), b));
  });

  test("unknown words score as KenLM's in a model without <unk>", async () => {
    const model = await read(trigrams.replace("-1.5\t<unk>\n", "").replace("1=5", "1=4"));
    expect(model.idOf("zzz")).toBe(-1);
    expect(model.score(model.start, -1)).toBe(-100);
  });

  test("an ARPA model backs off as defined, pruned ones too", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const random = new Random(seed);
        const words = ["<s>", "</s>", "<unk>", "x", "y", "z"];
        const tables: Map<string, [number, number]>[] = [];
        for (let order = 1; order <= 4; order++) {
          const table = new Map<string, [number, number]>();
          const round = () => [-random.integer(300) / 100, (random.integer(300) - 200) / 100] as [number, number];
          if (order === 1) for (const word of words) table.set(word, round());
          // contexts and suffixes of an n-gram may be missing: pruning leaves such holes
          else
            for (let i = 0; i < 12; i++) {
              table.set(Array.from({ length: order }, () => words[random.integer(words.length)]).join(" "), round());
            }
          tables.push(table);
        }
        const text = [
          "\\data\\",
          ...tables.map((table, i) => `ngram ${i + 1}=${table.size}`),
          ...tables.flatMap((table, i) => [
            `\\${i + 1}-grams:`,
            ...[...table].map(([key, [p, b]]) => `${p}\t${key}${i < 3 ? `\t${b}` : ""}`),
          ]),
          "\\end\\",
        ].join("\n");
        const byDefinition = (context: string[], word: string): number => {
          const found = tables[context.length].get([...context, word].join(" "));
          if (found) return found[0];
          const weight = tables[context.length - 1].get(context.join(" "))?.[1] ?? 0;
          return weight + byDefinition(context.slice(1), word);
        };
        const model = await read(text);
        const sentence = Array.from({ length: 8 }, () => words[2 + random.integer(4)]);
        let expected = 0;
        [...sentence, "</s>"].forEach((word, i) => {
          expected += byDefinition(["<s>", ...sentence].slice(Math.max(0, i - 2), i + 1), word);
        });
        expect(model.sentence(sentence)).toBeCloseTo(expected, 4);
      }),
      { numRuns: 40 },
    );
  });

  test("an ARPA file that comes in small pieces, with a byte order mark and no last newline, is read", async () => {
    const long = trigrams.replace("made for this test", `é${"x".repeat(200_000)}\nö`);
    expect((await read(`\uFEFF${long}`)).sentence(["a", "b"])).toBeCloseTo(-0.3 - 0.15 - 0.05, 6);
    expect((await read(trigrams.trimEnd())).sentence(["a", "b"])).toBeCloseTo(-0.3 - 0.15 - 0.05, 6);
  });

  test.each([
    ["", "the language model file is empty"],
    ["\n", "no \\data\\ line"],
    ["hello\n".repeat(10), "no \\data\\ line"],
    [trigrams.slice(0, -8), "the file ends before \\end\\"],
    [trigrams.replace("-0.4\ta b", "-0.4\ta c"), 'arpa:17: "c" is not among the 1-grams'],
    [trigrams.replace("-0.4\ta b", "0.4\ta b"), "arpa:17: log probability 0.4 is above 0"],
    [trigrams.replace("-0.4\ta b", "nan\ta b"), 'arpa:17: "nan" is no log probability'],
    [trigrams.replace("-0.4\ta b\t-0.03125", "-0.4\ta b\tx"), 'arpa:17: "x" is no back-off weight'],
    [trigrams.replace("-0.4\ta b", "-0.4\tb </s>"), 'arpa:18: "b </s>" is there twice'],
    [trigrams.replace("-0.4\ta b\t-0.03125", "-0.4\ta"), "expected a probability, 2 words"],
    [trigrams.replace("ngram 2=4", "ngram 2=3"), "more 2-grams than the 3"],
    [trigrams.replace("ngram 2=4", "ngram 2=5"), "4 2-grams, but the header announced 5"],
    [trigrams.replace("ngram 2=4", "ngram 2=99999999999"), "n-grams are announced"],
    [trigrams.replace("ngram 2=4", "ngram 2=400000000"), "the header announced 400000000"],
    [trigrams.replace("ngram 2=4\n", ""), "counts of 3-grams where 2-grams"],
    [trigrams.replace("\\2-grams:", "\\3-grams:"), "\\3-grams: where \\2-grams: was due"],
    [trigrams.replaceAll("<s>", "<z>"), "no unigram <s>"],
    [gzipSync(trigrams).subarray(0, 120), "cannot be read on"],
    ["x".repeat(2 ** 20 + 100), "a line of over"],
    [Uint8Array.of(0x5c, 0xff, 0xfe, 0x0a), "bad.arpa:1: not UTF-8"],
    [Buffer.from(trigrams.replace("-0.9\tb", "-0.9\tb\xe9"), "latin1"), "bad.arpa:13: not UTF-8 text"],
    [gzipSync(Buffer.from(trigrams.replace("-0.05\ta", "-0.05\t\xe9"), "latin1")), "bad.arpa:23: not UTF-8 text"],
    // a fault before the bad bytes comes first
    [
      Buffer.from(trigrams.replace("-0.6\ta", "0.6\ta").replace("-0.9\tb", "-0.9\t\xe9"), "latin1"),
      "arpa:12: log prob",
    ],
    [Buffer.concat([Buffer.from(trigrams), Buffer.of(0xc3)]), "bad.arpa:26: not UTF-8 text"],
    ["mmap lm http://kheafield.com/code format version 5\n\0", "a KenLM binary, give the ARPA file"],
    [gzipSync("mmap lm http://kheafield.com/code format version 5\n\0"), "a KenLM binary, give the ARPA file"],
    ["BZh91AY&SY", "packed with bzip2; unpack it (bunzip2)"],
    [Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4), "packed with xz"],
    ["PK\x03\x04\x14\0", "packed with zip"],
    [Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x64), "packed with lz4"],
    [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x24), "packed with zstd"],
    [gzipSync(gzipSync(trigrams)), "packed with gzip twice"],
    [Buffer.from(`\uFEFF${trigrams}`, "utf16le"), "UTF-16 text"],
  ])("damaged ARPA files are refused (%#)", async (content, message) => {
    await expect(read(content, "bad.arpa")).rejects.toThrow(message);
  });

  test("a missing ARPA file is refused", async () => {
    await expect(readArpa(join(folder, "none.arpa"))).rejects.toThrow("no such language model file");
  });
});

test("a pair table gives each pair one id", () => {
  const table = new PairTable(1);
  const ids = new Map<string, number>();
  const random = new Random(1);
  for (let i = 0; i < 20_000; i++) {
    const [a, b] = [random.integer(3000), random.integer(5)];
    const id = table.add(a, b);
    expect(ids.get(`${a} ${b}`) ?? id).toBe(id);
    ids.set(`${a} ${b}`, id);
  }
  expect(table.size).toBe(ids.size);
  for (const [key, id] of ids) expect(table.find(...(key.split(" ").map(Number) as [number, number]))).toBe(id);
  expect(table.find(5000, 0)).toBe(-1);
});
