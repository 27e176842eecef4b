// Prediction files: written and read back, malformed ones refused with their line, accuracy computed from them.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scoreAccuracy } from "../../src/metrics/accuracy.ts";
import { readPredictions, writePredictions } from "../../src/metrics/predictions.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "predictions-"));
});
afterAll(() => rm(folder, { recursive: true }));

const predictions = [
  { id: "84-121123-0000", reference: "GO", hypothesis: "" },
  { id: "ü", reference: "IT'S", hypothesis: "ITS A" },
];

describe("prediction files", () => {
  test.each(["a.tsv", "a.jsonl"])("predictions are read back as written: %s", async (name) => {
    const file = join(folder, name);
    await writePredictions(file, predictions);
    expect(await readPredictions(file)).toEqual(predictions);
  });

  test("columns of predictions may stand in any order among others", async () => {
    const file = join(folder, "b.tsv");
    await writeFile(file, "\uFEFFhypothesis\tsplit\tid\treference\r\nA\ttest\tx\tB\r\n");
    expect(await readPredictions(file)).toEqual([{ id: "x", reference: "B", hypothesis: "A" }]);
  });

  test.each([
    ["", "the prediction file is empty"],
    ["id\treference\n", "no column hypothesis"],
    ["id\treference\thypothesis\n", "no predictions after"],
    ["id\treference\thypothesis\na\tb\n", "bad:2: 2 columns"],
    ["id\treference\thypothesis\na\tb\tc\na\tb\tc\n", 'bad:3: id "a" was on line 2'],
    ['{"id": 3}\n', 'bad:1: "id" must be text'],
    ['{"id":"a","reference":"b","hypothesis":"c"}\n{"id"\n', "bad:2: not valid JSON"],
    ["{} \nnull", '"id" must be text'],
    ["a\0b", "zero bytes"],
  ])("malformed predictions are refused: %j", async (content, message) => {
    const file = join(folder, "bad");
    await writeFile(file, content);
    await expect(readPredictions(file)).rejects.toThrow(message);
  });

  test("predictions are written as TSV and JSONL only", async () => {
    await expect(writePredictions(join(folder, "x.csv"), predictions)).rejects.toThrow(".tsv or .jsonl");
    const tab = [{ id: "a", reference: "b\tc", hypothesis: "" }];
    await expect(writePredictions(join(folder, "x.tsv"), tab)).rejects.toThrow("tab");
  });
});

test("accuracy and confusion are those counted by hand", () => {
  const rows = ["yes yes", "yes no", "no no", "up no"].map((row, i) => {
    const [reference, hypothesis] = row.split(" ");
    return { id: String(i), reference, hypothesis };
  });
  const report = scoreAccuracy(rows);
  expect(report.accuracy).toBe(50);
  expect(report.classes).toEqual(["no", "up", "yes"]);
  expect(report.confusion).toEqual([
    [1, 0, 0],
    [1, 0, 0],
    [1, 0, 1],
  ]);
  expect(report.recall).toEqual([100, 0, 50]);
  expect(() => scoreAccuracy([])).toThrow("no predictions");
});
