// Recorded cases with one thing broken: always one clear error or a failed comparison, never a crash.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAllSafetensors, writeSafetensors } from "../../src/checkpoint/index.ts";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import type { HostArray } from "../../src/graph/array.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { verifyCase } from "../../src/verify/index.ts";

const oracle = fileURLToPath(new URL("../../../shared/oracle/", import.meta.url));
const step = join(oracle, "distillation/armhubert_paper_gradscale");
const checkpoint = join(oracle, "checkpoints/hf_hubert_base");

let root = "";
let runtime: Runtime;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-cases-"));
  runtime = await createRuntime({ threads: 1 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Tensors = Map<string, HostArray>;
let cases = 0;

/** Replays a copy of a case with its tensors (and settings) changed. */
async function replay(
  source: string,
  file: string,
  change: (tensors: Tensors) => void,
  settings?: (config: string) => string,
) {
  const folder = join(root, `case${cases++}`);
  cpSync(source, folder, { recursive: true, filter: (name) => !name.endsWith(file) });
  const tensors = await readAllSafetensors(join(source, file));
  change(tensors);
  await writeSafetensors(join(folder, file), tensors);
  const config = join(folder, "config.json");
  if (settings) writeFileSync(config, settings(readFileSync(join(source, "config.json"), "utf8")));
  return verifyCase(folder, runtime);
}

const without = (name: string) => (tensors: Tensors) => void tensors.delete(name);
const with0 =
  (name: string, shape: number[], value = 0) =>
  (tensors: Tensors) =>
    void tensors.set(name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) });

async function refusal(replaying: Promise<unknown>): Promise<string> {
  const error = await replaying.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StillwaveError);
  expect(error).not.toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(root);
  return (error as Error).message;
}

describe.skipIf(!existsSync(oracle))("a distillation step", () => {
  test.each<[string, (tensors: Tensors) => void, RegExp]>([
    ["no wave", without("wave"), /tensor "wave" is missing/],
    ["no mask", without("mask_indices"), /tensor "mask_indices" is missing/],
    ["a flat wave", with0("wave", [12800]), /"wave" has shape \[12800\]/],
    ["a short wave", with0("wave", [2, 100]), /at least 400 samples/],
    ["a wave of NaN", with0("wave", [2, 6400], Number.NaN), /"wave" holds values that are no numbers/],
    ["a mask of another shape", with0("mask_indices", [2, 3]), /"mask_indices" has shape \[2,3\], expected \[2,19\]/],
    ["padding of another shape", with0("padding_mask", [2, 5]), /a mask of shape \[2,5\]/],
    ["padding of other values", with0("padding_mask", [2, 6400], 0.5), /not of 0 and 1/],
    ["nothing but padding", with0("padding_mask", [2, 6400], 1), /item 0 has 0 samples/],
    ["a missing weight", without("student.mask_emb"), /no tensor "student\.mask_emb"/],
    [
      "a misshapen weight",
      with0("teacher.mask_emb", [3]),
      /"teacher\.mask_emb" has shape \[3\], the settings ask for \[48\]/,
    ],
    ["a misshapen recording", with0("teacher_u.layer.0", [1, 2, 3]), /computed \[.*\], recorded \[1, 2, 3\]/],
  ])("%s", async (_, change, message) => {
    expect(await refusal(replay(step, "data.safetensors", change))).toMatch(message);
  });

  test.each<[string, (config: string) => string, RegExp]>([
    ["another kind", (text) => text.replace('"teacher_kind": "hubert"', '"teacher_kind": "bert"'), /teacher_kind: /],
    [
      "absurd layers",
      (text) => text.replaceAll('"encoder_layers": 4', '"encoder_layers": 4000000'),
      /encoder_layers must be an integer in 1/,
    ],
    [
      "another student",
      (text) => text.replace('"student_model": "armhubert"', '"student_model": "x"'),
      /unknown official student "x"/,
    ],
    ["impossible betas", (text) => text.replace("0.98", "98"), /optimizer\.betas\.1: /],
  ])("settings: %s", async (_, settings, message) => {
    expect(await refusal(replay(step, "data.safetensors", () => {}, settings))).toMatch(message);
  });
});

describe.skipIf(!existsSync(oracle))("a checkpoint", () => {
  test.each<[string, (tensors: Tensors) => void, RegExp]>([
    ["no run", (tensors) => tensors.clear(), /records nothing that can be compared/],
    ["a wave without samples", with0("wave1", [1, 0]), /"wave1" has shape \[1,0\]/],
    ["a mask of another shape", with0("attention_mask2", [1, 1]), /a mask of shape \[1,1\]/],
    ["a misshapen recording", with0("expected1.hidden_states.2", [5]), /recorded \[5\]/],
  ])("%s", async (_, change, message) => {
    expect(await refusal(replay(checkpoint, "expected.safetensors", change))).toMatch(message);
  });

  test("a recording of NaN fails", async () => {
    const result = await replay(checkpoint, "expected.safetensors", (tensors) => {
      tensors.get("expected1.hidden_states.2")!.data[0] = Number.NaN;
    });
    expect(result.passed).toBe(false);
  });
});

if (!existsSync(oracle)) console.log("skipped: no recorded cases beside the repository");
