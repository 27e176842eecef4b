// Recorded cases through XLA, where STILLWAVE_XLA_PLUGIN names a plugin: one step with gradients, one checkpoint.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { verifyCase } from "../../src/verify/index.ts";
import { temporaryFolder } from "../data/corpora.ts";

const oracle = (name: string) => fileURLToPath(new URL(`../../../shared/oracle/${name}`, import.meta.url));

/** The smallest of each kind. The others take a minute each to compile: `stillwave verify <case> --device xla:cpu`. */
const CASES = ["distillation/armhubert_paper_gradscale", "checkpoints/hf_hubert_base"];

const missing = !process.env.STILLWAVE_XLA_PLUGIN
  ? "no plugin is named in STILLWAVE_XLA_PLUGIN"
  : CASES.every((name) => existsSync(oracle(name)))
    ? undefined
    : "no recorded cases lie beside the repository";
if (missing) console.log(`recorded cases on XLA are not tested: ${missing}`);

describe.skipIf(missing)("recorded cases on XLA", () => {
  let runtime: Runtime;
  beforeAll(async () => {
    // what is compiled for this test is of no use to anybody else
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    runtime = await createRuntime({ device: "xla" });
  });

  test.each(CASES)("%s", { timeout: 600_000 }, async (name) => {
    const { passed, differences } = await verifyCase(oracle(name), runtime, {});
    for (const { kind, maxRelative } of differences) expect(maxRelative, kind).toBeLessThan(2e-5);
    expect(differences.length).toBeGreaterThan(0);
    expect(passed).toBe(true);
  });
});
