// Scripts of bench/ that others rely on: tables of what was measured, a measuring that goes on where a part fails, formulations
// that must give the same numbers before they are timed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { root } from "./sources.ts";

const folder = mkdtempSync(join(tmpdir(), "stillwave-bench-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function table(rows: readonly object[], more = ""): string {
  const file = join(folder, "results.jsonl");
  writeFileSync(file, `${rows.map((row) => JSON.stringify(row)).join("\n")}\n${more}`);
  const { stdout, status } = spawnSync("npx", ["tsx", join(root, "bench/results-table.ts"), file], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  return stdout;
}

const ours = (medianS: number) => ({
  what: "stillwave_step",
  name: "ours",
  median_s: medianS,
  best_s: 0.03,
  gigaflop: 8000,
});
const theirs = (name: string, medianS: number, pipelinedS: number | null) => ({
  what: "torch_step",
  name,
  median_s: medianS,
  pipelined_s: pipelinedS,
  best_s: medianS,
});

describe("tables of results", () => {
  test("medians of rounds, the share of the matrix rate, ratios to the faster rival, and a line cut short", () => {
    const step = { part: "step16", batch: 16, seconds: 12 };
    const rounds = [ours(0.05), ours(0.04), ours(0.9), theirs("released", 0.11, 0.1), theirs("lean", 0.09, null)];
    const rows = [...rounds, theirs("lean bf16", 0.08, 0.085)].map((row) => ({ ...row, ...step }));
    const text = table([{ what: "matrix_rate", tflop_per_s: 800 }, ...rows], '{"what":"torch_st');
    expect(text).toContain("matrix products (bfloat16): 800 TFLOP/s");
    expect(text).toContain("| step16 | 16 x 12 s | ours | 3 | 50 | 30 |  |  | 20.0 % | 0.5 | 0.63 |");
    expect(text).toContain("| step16 | 16 x 12 s | released | 1 | 100 | 110 |  |  |  | 1 | 1.3 |");
  });

  test("the quickstart's loss beside the CPU's; what failed, and what was not measured", () => {
    const quickstart = { what: "quickstart", precision: "bf16", seconds: 60, loss: 0.505, cpu_loss: 0.5 };
    const failed = { what: "failed", part: "step32", status: 124, last: "a | b" };
    const text = table([quickstart, failed, { what: "skipped", part: "speech", why: "no speech" }]);
    expect(text).toContain("| bf16 | 60 | 0.505 | 0.5 | 1.00 % |");
    expect(text).toContain("| step32 | failed (124) | a / b |");
    expect(text).toContain("| speech | skipped | no speech |");
  });
});

test("bench/accelerator.sh goes on where a part fails, and every line it writes is JSON", { timeout: 120_000 }, () => {
  const out = join(folder, "accelerator");
  const { PATH, HOME } = process.env;
  const variables = {
    ACCELERATOR_TINY: "1",
    ACCELERATOR_DEVICE: 'no"thing',
    ACCELERATOR_PARTS: "verify step32 speech",
    ACCELERATOR_WORK: join(folder, "work"),
    STILLWAVE_XLA_PLUGIN: "/nowhere.so",
  };
  const { status } = spawnSync("bash", [join(root, "bench/accelerator.sh"), out], {
    env: { PATH, HOME, ...variables },
  });
  expect(status).toBe(0);
  const lines = readFileSync(join(out, "results.jsonl"), "utf8").trim().split("\n");
  const results = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(results.filter(({ what }) => what === "skipped").map(({ part }) => part)).toEqual([
    "rivals",
    "verify",
    "speech",
  ]);
  expect(results.find(({ what }) => what === "failed")).toMatchObject({ part: "step32" });
  expect(readFileSync(join(out, "table.md"), "utf8")).toContain("| step32 | failed");
});

const plugin = process.env.STILLWAVE_XLA_PLUGIN;

test.skipIf(!plugin)("native convolutions and their gradients give what products give", { timeout: 240_000 }, () => {
  const options = ["--recipes", "quickstart", "--batch", "3", "--seconds", "0.4", "--rounds", "1", "--json"];
  const { stdout, stderr } = spawnSync("npx", ["tsx", join(root, "bench/formulations.ts"), ...options], {
    encoding: "utf8",
  });
  const rows = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { pass: string; precision: string; kernel: number; difference: number });
  // six layers read several frames; three passes; two precisions
  expect(rows, stderr).toHaveLength(6 * 3 * 2);
  for (const { precision, difference } of rows)
    expect(difference).toBeLessThan(precision === "float32" ? 1e-6 : 1.5e-2);
});
