// Alignments and error rates against sclite (live where it is installed, recorded elsewhere) and hand-counted cases.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alignTokens, editDistance, formatAlignment } from "../../src/metrics/align.ts";
import { confusionsOf, scoreErrors } from "../../src/metrics/error-rate.ts";
import { Random } from "../../src/random.ts";

const words = (text: string) => text.split(" ").filter((word) => word !== "");

/** The fewest edits by the recursive definition. */
function slowDistance(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length;
  const pair = slowDistance(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1);
  return Math.min(pair, slowDistance(a.slice(1), b) + 1, slowDistance(a, b.slice(1)) + 1);
}

const counts = (reference: string, hypothesis: string) => {
  const { correct, substitutions, deletions, insertions } = alignTokens(words(reference), words(hypothesis));
  return [correct, substitutions, deletions, insertions];
};

describe("alignment", () => {
  test("an alignment counts what sclite counted, ties included", async () => {
    const file = fileURLToPath(new URL("../superb/fixtures/sclite.tsv", import.meta.url));
    const rows = (await readFile(file, "utf8")).trimEnd().split("\n").slice(1);
    expect(rows.length).toBe(80);
    for (const row of rows) {
      const [id, reference, hypothesis, ...expected] = row.split("\t");
      expect([id, ...counts(reference, hypothesis)]).toEqual([id, ...expected.map(Number)]);
    }
  });

  test.each([
    ["a b c", "a b c", [3, 0, 0, 0]],
    ["a b c", "", [0, 0, 3, 0]],
    ["", "a b", [0, 0, 0, 2]],
    ["a b c", "a x c", [2, 1, 0, 0]],
    // two substitutions (8) lose to a deletion and an insertion (6)
    ["a b", "b c", [1, 0, 1, 1]],
  ])("the alignment of %j with %j", (reference, hypothesis, expected) => {
    expect(counts(reference, hypothesis)).toEqual(expected);
  });

  test("an alignment reads back both sequences, and the distance is the smallest", () => {
    const tokens = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 6 });
    fc.assert(
      fc.property(tokens, tokens, (reference, hypothesis) => {
        const { pairs, substitutions, deletions, insertions } = alignTokens(reference, hypothesis);
        expect(pairs.flatMap((pair) => pair.reference ?? [])).toEqual(reference);
        expect(pairs.flatMap((pair) => pair.hypothesis ?? [])).toEqual(hypothesis);
        const distance = editDistance(reference, hypothesis);
        expect(distance).toBe(slowDistance(reference, hypothesis));
        expect(substitutions + deletions + insertions).toBeGreaterThanOrEqual(distance);
      }),
      { numRuns: 60 },
    );
  });

  test("an alignment prints in columns", () => {
    expect(formatAlignment(alignTokens(words("the cat sat"), words("a cat sat down")))).toBe(
      "REF: the cat sat ***\nHYP: a   cat sat down\n     S           I",
    );
  });

  test("sequences too long to align are refused", () => {
    const long = new Array<string>(30_000).fill("a");
    expect(() => alignTokens(long, long)).toThrow("too long to align");
  });
});

describe("error rate", () => {
  const predictions = [
    { id: "1", reference: "THE CAT SAT", hypothesis: "THE CAT" },
    { id: "2", reference: "ON  MATS", hypothesis: "ON THE MAT" },
    { id: "3", reference: "YES", hypothesis: "YES" },
  ];

  test("the error rate is summed over the corpus", () => {
    const report = scoreErrors(predictions, "word");
    expect(report.total).toEqual({
      reference: 6,
      correct: 4,
      substitutions: 1,
      deletions: 1,
      insertions: 1,
      errors: 3,
      edits: 3,
    });
    expect(report.rate).toBe(50);
    expect(report.sentenceErrorRate).toBeCloseTo(66.667, 3);
    expect(scoreErrors(predictions.slice(2), "character").total.reference).toBe(3);
  });

  test("confusions say which tokens were taken for which", () => {
    const confusions = confusionsOf(scoreErrors(predictions, "word").utterances.map(({ alignment }) => alignment));
    expect(confusions).toEqual([
      { reference: "", hypothesis: "THE", count: 1 },
      { reference: "MATS", hypothesis: "MAT", count: 1 },
      { reference: "SAT", hypothesis: "", count: 1 },
    ]);
  });

  test("the error rate keeps the benchmark's fewest edits apart from sclite's errors", () => {
    // recorded from sclite: 4 correct, 3 deletions, 5 insertions; seven edits would do
    const tied = scoreErrors([{ id: "x", reference: "b b b b c c c", hypothesis: "a b a a b a a b b" }], "word");
    expect(tied.total).toMatchObject({
      correct: 4,
      substitutions: 0,
      deletions: 3,
      insertions: 5,
      errors: 8,
      edits: 7,
    });
    expect(tied.rate).toBe(100);
    expect(tied.scliteRate).toBeCloseTo(800 / 7, 12);
  });

  test("an error rate needs a reference", () => {
    expect(() => scoreErrors([{ id: "1", reference: "", hypothesis: "A" }], "word")).toThrow("no reference word");
    expect(() => scoreErrors([], "phone")).toThrow("0 predictions");
  });
});

const sclite = "/usr/lib/sctk/bin/sclite";
const hasSclite = existsSync(sclite);
if (!hasSclite) console.warn(`skipped: no ${sclite} (Debian: sctk)`);

test.skipIf(!hasSclite)("corpus totals equal a fresh run of sclite", async () => {
  const random = new Random(2024, "sclite");
  const draw = (length: number, size: number) => Array.from({ length }, () => `w${random.integer(size)}`).join(" ");
  const predictions = Array.from({ length: 400 }, (_, i) => {
    const size = 2 + random.integer(8);
    const length = 1 + random.integer(25);
    const hypothesis = draw(Math.max(0, length + random.integer(9) - 4), size);
    return { id: `s_${String(i).padStart(4, "0")}`, reference: draw(length, size), hypothesis };
  });
  const folder = await mkdtemp(join(tmpdir(), "sclite-"));
  try {
    for (const side of ["reference", "hypothesis"] as const) {
      await writeFile(join(folder, side), predictions.map((p) => `${p[side]} (${p.id})\n`).join(""));
    }
    const options = ["-r", "reference", "trn", "-h", "hypothesis", "trn", "-i", "rm", "-s", "-o", "pra", "stdout"];
    const { stdout } = spawnSync(sclite, options, { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 });
    const scores = new Map(
      [...stdout.matchAll(/id: \((\S+)\)\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)/g)].map((match) => [
        match[1],
        match.slice(2, 6).map(Number),
      ]),
    );
    expect(scores.size).toBe(400);
    const report = scoreErrors(predictions, "word");
    for (const { id, correct, substitutions, deletions, insertions } of report.utterances) {
      expect([id, correct, substitutions, deletions, insertions]).toEqual([id, ...scores.get(id)!]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
