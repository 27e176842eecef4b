// metrics.jsonl: what is written is read, torn ends are forgiven, corrupt rows are not, truncation is exact.
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { strictJson } from "../../src/log/format.ts";
import { openMetrics, readMetrics, truncateAfter } from "../../src/log/index.ts";
import type { MetricsRow } from "../../src/log/metrics.types.ts";
import { trainRow, validationRow } from "./rows.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stillwave-metrics-"));
  path = join(folder, "deep", "metrics.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(...rows: MetricsRow[]) {
  const writer = openMetrics(path);
  for (const row of rows) writer.write(row);
  writer.close();
}

describe("writing and reading", () => {
  test("rows come back as they were, in order, across reopenings", async () => {
    write(trainRow(1), trainRow(2));
    write(validationRow(2), trainRow(3));
    expect(await readMetrics(path)).toEqual([trainRow(1), trainRow(2), validationRow(2), trainRow(3)]);
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(5);
  });

  test("any float64 comes back bit for bit, NaN and infinities included, and each line is strict JSON", async () => {
    const values = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      5e-324,
      0.1,
      1.7976931348623157e308,
    ];
    write(...values.map((loss, step) => trainRow(step, { loss, perLayerMasked: [loss, 1] })));
    for (const line of readFileSync(path, "utf8").trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
    const rows = await readMetrics(path);
    expect(rows.map((row) => row.loss)).toEqual(values);
    expect(rows.map((row) => (row.kind === "train" ? row.perLayerMasked[0] : 0))).toEqual(values);
  });

  test("rows of runs begun before padding and waiting were recorded are read", async () => {
    const { paddedFraction, waitShare, ...earlier } = trainRow(3);
    write(earlier as MetricsRow);
    expect(await readMetrics(path)).toEqual([trainRow(3, { paddedFraction: Number.NaN, waitShare: Number.NaN })]);
    writeFileSync(path, `${JSON.stringify({ ...earlier, waitShare: "much" })}\n`);
    await expect(readMetrics(path)).rejects.toThrow(/metrics\.jsonl:1: corrupt metrics row: waitShare is not a number/);
  });

  test("a missing file, a closed writer and a folder in place of the file are clear errors", async () => {
    await expect(readMetrics(path)).rejects.toThrow(/metrics\.jsonl: cannot read metrics: ENOENT/);
    const writer = openMetrics(path);
    writer.close();
    writer.close();
    expect(() => writer.write(trainRow(1))).toThrow(/already closed/);
    expect(() => openMetrics(folder)).toThrow(StillwaveError);
  });
});

describe("damage", () => {
  test("cut at any byte, the complete rows are read and a reopened writer goes on cleanly", async () => {
    const rows = [trainRow(1), validationRow(1), trainRow(2)];
    const whole = rows.map((row) => `${strictJson(row)}\n`);
    const bytes = Buffer.from(whole.join(""));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), async (cut) => {
        write();
        writeFileSync(path, bytes.subarray(0, cut));
        const complete = rows.filter((_, i) => whole.slice(0, i + 1).join("").length <= cut);
        expect(await readMetrics(path)).toEqual(complete);
        write(trainRow(9));
        expect(await readMetrics(path)).toEqual([...complete, trainRow(9)]);
      }),
      { numRuns: 60 },
    );
  });

  const damaged: [string, string, RegExp][] = [
    ["not JSON", "{oops}\n", /metrics\.jsonl:2: corrupt metrics row/],
    ["an array", "[1]\n", /:2: corrupt metrics row: not an object/],
    ["an unknown kind", '{"kind":"test"}\n', /:2: .*kind must be/],
    ["a missing field", `${strictJson(trainRow(2)).replace('"loss"', '"lost"')}\n`, /:2: .*loss is not a number/],
    ["a null in a list", `${strictJson(validationRow(2)).replace("[0.1", "[null")}\n`, /:2: .*perLayer is not/],
    ["a negative step", `${strictJson(validationRow(-2))}\n`, /:2: .*step is not/],
    ["an empty line", "\n", /:2: corrupt/],
    ["a line without end", "x".repeat(3_000_000), /:2: line longer than/],
  ];
  test.each(damaged)("%s is an error with path and line number", async (_, line, message) => {
    write(trainRow(1));
    appendFileSync(path, line);
    appendFileSync(path, `${strictJson(trainRow(3))}\n`);
    await expect(readMetrics(path)).rejects.toThrow(message);
    await expect(truncateAfter(path, 0)).rejects.toThrow(message);
  });
});

describe("truncateAfter", () => {
  test("truncateAfter drops later rows and the torn end, keeps the bytes of the others, leaves nothing behind", async () => {
    write(trainRow(1), trainRow(2), validationRow(2), trainRow(3), trainRow(4));
    const kept = readFileSync(path, "utf8").split("\n").slice(0, 3).join("\n");
    appendFileSync(path, '{"kind":"tra');
    expect(await truncateAfter(path, 2)).toBe(2);
    expect(readFileSync(path, "utf8")).toBe(`${kept}\n`);
    expect(readdirSync(join(folder, "deep"))).toEqual(["metrics.jsonl"]);
    expect(await truncateAfter(path, 2)).toBe(0);
  });

  test("a step before all rows leaves an empty file; no file stays no file", async () => {
    expect(await truncateAfter(path, 5)).toBe(0);
    expect(existsSync(path)).toBe(false);
    write(trainRow(1));
    expect(await truncateAfter(path, 0)).toBe(1);
    expect(await readMetrics(path)).toEqual([]);
  });
});
