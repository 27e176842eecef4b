// Every recorded checkpoint, exported: the file alone reproduces what the original tools computed.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ExportDtype } from "../../src/export/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import type { RecordedRun } from "./cases.ts";
import {
  feedsOf,
  present,
  rawModel,
  recordedRuns,
  relativeDifference,
  root,
  temporaryFolder,
  waveforms,
} from "./cases.ts";

/** Of the largest value: float32 against float32; and stored as float16, with 8-bit products. */
const TOLERANCE: Record<ExportDtype, number> = { fp32: 2e-5, fp16: 5e-3, int8: 0.15 };

describe.skipIf(!present)("recorded checkpoints", () => {
  const folder = temporaryFolder();

  async function compare(file: string, runs: readonly RecordedRun[], tolerance: number): Promise<void> {
    const opened = await openOnnxFile(file);
    let compared = 0;
    for (const { batch, expected } of runs) {
      const results = await opened.run(feedsOf(batch));
      for (const [output, tensor] of expected) {
        expect(relativeDifference(results[output] as never, tensor), output).toBeLessThan(tolerance);
        compared++;
      }
    }
    await opened.dispose();
    expect(compared).toBeGreaterThan(3);
  }

  for (const name of present ? readdirSync(root) : [])
    for (const dtype of ["fp32", "fp16", "int8"] as const)
      test(`${name} ${dtype}`, async () => {
        const model = await rawModel(name);
        const out = join(folder, `${name}.${dtype}.onnx`);
        await exportOnnx(model, { out, dtype, speech: waveforms(1, 6000, 4720) });
        await compare(out, await recordedRuns(name, model.config), TOLERANCE[dtype]);
      });

  test("lightning_armhubert with exact reuse", async () => {
    const model = await rawModel("lightning_armhubert", { reuse: "exact" });
    const out = join(folder, "exact.onnx");
    const { warnings } = await exportOnnx(model, { out, speech: waveforms(1, 6000, 4720) });
    expect(warnings.join()).not.toContain("official");
    await compare(out, await recordedRuns("lightning_armhubert", model.config, "paper"), TOLERANCE.fp32);
  });

  test("official semantics come with a warning", async () => {
    const out = join(folder, "official.onnx");
    const { warnings } = await exportOnnx(await rawModel("lightning_armhubert"), { out, speech: waveforms(1, 6000) });
    expect(warnings.join()).toContain("official reuse semantics");
  });
});
