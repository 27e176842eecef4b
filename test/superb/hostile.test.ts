// Damaged text files: every reader either answers or gives one StillwaveError that names the file.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readArpa } from "../../src/decode/arpa.ts";
import { readSpellings } from "../../src/decode/spellings.ts";
import { StillwaveError } from "../../src/errors.ts";
import { readPredictions } from "../../src/metrics/predictions.ts";
import { Random } from "../../src/random.ts";
import { readLexicon, readPhones } from "../../src/superb/labels/lexicon.ts";
import { readLabelsTsv } from "../../src/superb/labels/table.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-"));
});
afterAll(() => rm(folder, { recursive: true }));

const arpa =
  "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\t-0.5\n-0.7\t</s>\n-0.6\ta\t-0.2\n\n" +
  "\\2-grams:\n-0.3\t<s> a\n-0.2\ta </s>\n\n\\end\\\n";

const readers: [string, string, (file: string) => Promise<unknown>][] = [
  ["ARPA", arpa, async (file) => (await readArpa(file)).sentence(["a", "b", "a"])],
  ["TSV predictions", "id\treference\thypothesis\n1\tA B\tA\n2\tC\tD\n", readPredictions],
  ["JSONL predictions", '{"id":"1","reference":"A","hypothesis":"B"}\n', readPredictions],
  ["labels", "file\tlabel\tsplit\na.wav\tx\ttrain\nb.wav\tx\ttest\n", (file) => readLabelsTsv(file)],
  ["lexicon", "A AH0\nB(2) B IY1\nC S IY1\n", (file) => readLexicon([file])],
  [
    "spellings",
    "A A |\nB(2) B B | # twice\n;;; C\n",
    (file) => readSpellings(file, new Map(["|", "A", "B"].map((symbol, i) => [symbol, i]))),
  ],
  ["phones", "u-1 A B\nu-2 C\n", (file) => readPhones(file)],
];

test.each(readers)("%s", async (name, text, read) => {
  const random = new Random(77, name);
  const file = join(folder, "input");
  await writeFile(file, text);
  const intact = await read(file);
  expect(intact).toBeDefined();
  let refused = 0;
  for (let i = 0; i < 150; i++) {
    const bytes = Buffer.from(text);
    const changes = 1 + random.integer(4);
    for (let k = 0; k < changes; k++)
      bytes[random.integer(bytes.length)] = random.integer(3) ? 9 + random.integer(110) : random.integer(256);
    const from = random.integer(bytes.length);
    const cut = [bytes, bytes.subarray(0, from), Buffer.concat([bytes.subarray(0, from), bytes])][random.integer(3)];
    await writeFile(file, cut);
    try {
      const answer = await read(file);
      if (typeof answer === "number") expect(Number.isNaN(answer)).toBe(false);
    } catch (error) {
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toContain(file);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(10);
});
