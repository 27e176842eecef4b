// What verify says of cases that fail: every case, every tensor, and the right one of a pre-LN model's norms.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAllSafetensors, writeModelFolder, writeSafetensors } from "../../src/checkpoint/index.ts";
import { formatCases } from "../../src/cli/verify.ts";
import type { HostArray } from "../../src/graph/array.ts";
import { initParameters } from "../../src/models/init.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { compareKind, type Difference } from "../../src/verify/compare.ts";
import { verifyCases } from "../../src/verify/index.ts";
import { pythonWithTorch } from "../checkpoint/python.ts";
import { smallStudent } from "../checkpoint/students.ts";
import { stillwave } from "../cli/run.ts";

const root = mkdtempSync(join(tmpdir(), "stillwave-verify-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

/** A checkpoint with its own hidden states, changed as given, as what was recorded. */
async function recordedCase(name: string, change: (tensors: Map<string, HostArray>) => void = () => {}) {
  const folder = join(root, name);
  const config = smallStudent();
  const parameters = initParameters(config, { seed: 4 });
  await writeModelFolder(folder, { config, parameters });
  const wave = Float32Array.from({ length: 600 }, (_, i) => 0.1 * Math.sin(i / 5) + 0.05 * Math.sin(i * i));
  const model = createModel({ config, parameters }, runtime);
  const { hiddenStates } = await model.extract(wave);
  await model.dispose();
  const tensors = new Map<string, HostArray>([["wave1", { shape: [1, 600], data: wave }]]);
  hiddenStates.forEach(({ shape, data }, i) => {
    tensors.set(`expected1.hidden_states.${i}`, { shape, data: data.slice() });
  });
  change(tensors);
  await writeSafetensors(join(folder, "expected.safetensors"), tensors);
  return folder;
}

const shifted = (numbers: readonly number[]) => (tensors: Map<string, HostArray>) => {
  for (const number of numbers) tensors.get(`expected1.hidden_states.${number}`)!.data[3] += 0.5 + number;
};

describe("cases side by side", () => {
  test("one that cannot be read hides no other: all are reported, exit code 1", async () => {
    const good = await recordedCase("good");
    const wrong = await recordedCase("wrong", shifted([1]));
    const missing = join(root, "missing");
    const torn = await recordedCase("torn");
    writeFileSync(join(torn, "config.json"), "{");
    const twice = join(root, "twice");
    mkdirSync(twice);
    for (const name of ["a.L1.npy", "b.L2.npy"]) writeFileSync(join(twice, name), "");
    const folder = join(root, "folder-as-file");
    mkdirSync(join(folder, "expected.safetensors"), { recursive: true });
    const folders = [missing, good, torn, twice, folder, wrong, good];
    const results = await verifyCases(folders, runtime);
    expect(results.map(({ folder: at }) => at)).toEqual(folders);
    expect(results.map(({ passed }) => passed)).toEqual([false, true, false, false, false, false, true]);
    expect(results[0].error).toContain("no recorded case");
    expect(results[2].error).toContain("not valid JSON");
    expect(results[3].error).toContain("one audio file and one");
    expect(results[4].error).toContain(folder);
    const text = formatCases(results);
    expect(text).toContain(`${missing}: FAILED, it cannot be replayed: ${missing}: no recorded case`);
    expect(text).toMatch(/2 passed, 5 failed$/);

    const printed = await stillwave(["verify", missing, good]);
    expect(printed).toMatchObject({ code: 1, stdout: expect.stringContaining(`${good} (checkpoint): passed`) });
    expect(printed.stdout).toContain("1 passed, 1 failed");
    const json = await stillwave(["verify", missing, good, "--json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      passed: false,
      cases: [{ kind: null, passed: false, error: expect.stringContaining("no recorded case") }, { passed: true }],
    });
  });
});

describe("tensors that fail", () => {
  test("all are named, in text and in JSON, those that pass are not", async () => {
    const folder = await recordedCase("two-wrong", shifted([0, 2]));
    const names = ["expected1.hidden_states.0", "expected1.hidden_states.2"];
    const json = await stillwave(["verify", folder, "--json"]);
    const [difference]: Difference[] = JSON.parse(json.stdout).cases[0].differences;
    expect(difference.failed.map(({ name }) => name)).toEqual(names);
    expect(difference.failed[0].maxAbsolute).toBeCloseTo(0.5, 5);
    expect(difference.failed[1].maxAbsolute).toBeCloseTo(2.5, 5);
    const { code, stdout } = await stillwave(["verify", folder]);
    expect(code).toBe(1);
    expect(stdout).toContain("hidden states beyond 2e-5, 2:");
    for (const name of names) expect(stdout).toMatch(new RegExp(`\\n {2}${name}: \\d\\.\\d+e[+-]\\d+ of the largest`));
    expect(stdout).not.toContain("hidden_states.1:");
  });

  test("tensors of other shapes are all named", () => {
    const pair = (name: string, ...shape: number[]) => {
      const array = (own: number[]) => ({ shape: own, data: new Float32Array(own[0]) });
      return { name, computed: array([2]), recorded: array(shape) };
    };
    expect(() => compareKind("states", [pair("a", 3), pair("b", 2), pair("c", 4)], "l2", 1)).toThrow(
      "a: computed [2], recorded [3]; c: computed [2], recorded [4]",
    );
  });

  test("what is not finite fails wherever it stands", () => {
    const array = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
    const pairs = [1, Number.NaN, 1].map((value, i) => ({ name: `${i}`, computed: array(value), recorded: array(1) }));
    const [{ passed, failed, worst }] = compareKind("states", pairs, "largest", 1e-3);
    expect([passed, failed.map(({ name }) => name), worst]).toEqual([false, ["1"], "1"]);
  });
});

const python = pythonWithTorch();
describe.skipIf(!python)("pre-LN models", () => {
  const folder = join(root, "pre-norm");
  const data = join(folder, "data.safetensors");
  beforeAll(() => {
    mkdirSync(folder);
    const script = fileURLToPath(new URL("make_pre_norm_step.py", import.meta.url));
    execFileSync(python!, [script, folder], { stdio: "inherit" });
  });

  test("enc_ln is the output of the final norm, as PyTorch records it", async () => {
    const [{ passed, differences, error }] = await verifyCases([folder], runtime);
    expect(error).toBe(undefined);
    expect(passed, JSON.stringify(differences.flatMap(({ failed }) => failed))).toBe(true);
    expect(differences.map(({ kind, tensors }) => [kind, tensors])).toEqual([
      ["teacher hidden states", 8],
      ["student hidden states", 4],
    ]);
  });

  test.each([
    ["teacher", ["teacher_u.enc_ln", "teacher_m.enc_ln"]],
    ["student", ["student_fwd.enc_ln"]],
  ])("a wrong final norm of the %s fails, and nothing else does", async (model, failing) => {
    const tensors = await readAllSafetensors(data);
    const norm = tensors.get(`${model}.encoder.layer_norm.weight`)!;
    tensors.set(`${model}.encoder.layer_norm.weight`, { ...norm, data: norm.data.map((x) => x * 1.01) });
    const wrong = join(root, `wrong-${model}`);
    mkdirSync(wrong);
    await writeSafetensors(join(wrong, "data.safetensors"), tensors);
    execFileSync("cp", [join(folder, "config.json"), wrong]);
    const [{ passed, differences }] = await verifyCases([wrong], runtime);
    expect(passed).toBe(false);
    expect(differences.flatMap(({ failed }) => failed.map(({ name }) => name))).toEqual(failing);
  });
});
