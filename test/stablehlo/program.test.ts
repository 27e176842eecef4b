// Programs of whole steps as text: their size, formats and formulations; and what JAX's parser and compiler say of them.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { applyProgram, gradientProgram, updateProgram, validationProgram } from "../../src/distill/learner/program.ts";
import * as g from "../../src/graph/ops.ts";
import { input } from "../../src/graph/value.ts";
import { alignedSamples } from "../../src/models/config.ts";
import { toStableHlo } from "../../src/stablehlo/program.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { teacherConfig, tinyRecipe } from "../distill/learner/tiny.ts";
import { hubertBase, programOptions, publishedRecipe } from "./steps.ts";

const seconds = (count: number) => alignedSamples(hubertBase.conv, 16_000 * count);
const ofOps = (text: string, ops: RegExp) => text.split("\n").filter((line) => ops.test(line));
const PRODUCTS = /"stablehlo\.(dot_general|convolution)"/;
/** Mean and variance of the first GroupNorm's channels, of windows of ten samples: three products a model, two for gradients. */
const STATISTICS = 8;
const isStatistic = (line: string) => line.includes("precision HIGHEST");

describe("HuBERT Base and ARMHuBERT-S", () => {
  const recipe = publishedRecipe("armhubert-s-100.yaml");
  const batch = { items: 16, samples: seconds(12), pcm: true };
  const textOf = (precision: "float32" | "tf32" | "bf16" | "fp16") =>
    updateProgram(programOptions(recipe, hubertBase, { precision }), batch);

  test("float32: few lines, every product is exact, no native convolution has groups, nothing is a half", () => {
    const { text } = textOf("float32");
    // 14 MB of text would be two constants that were written out
    expect(text.split("\n").length).toBeLessThan(20_000);
    expect(text.length).toBeLessThan(6e6);
    const products = ofOps(text, PRODUCTS);
    expect(products.length).toBeGreaterThan(200);
    for (const line of products) expect(line).toMatch(/precision HIGHEST>, #stablehlo<precision HIGHEST>/);
    for (const line of ofOps(text, /"stablehlo\.convolution"/)) expect(line).toContain("feature_group_count = 1 :");
    expect(text).not.toMatch(/xbf16>|xf16>|tensor<bf16>|custom_call|rng/);
  });

  test("tf32: the same program, whose products ask for nothing but where statistics are made of them", () => {
    const lines = textOf("tf32").text.split("\n");
    const exact = textOf("float32").text.split("\n");
    const statistics = lines.filter(isStatistic);
    expect(statistics).toHaveLength(STATISTICS);
    for (const line of statistics) expect(line.split(" : ").at(-1)).toContain("x10xf32>");
    expect(lines).toEqual(
      exact.map((line, i) =>
        isStatistic(lines[i]) ? line : line.replaceAll("precision HIGHEST", "precision DEFAULT"),
      ),
    );
  });

  test("bf16: products read halves; statistics, powers, losses, and all that stays on the device are float32", () => {
    const { text, inputs, outputs } = textOf("bf16");
    const products = ofOps(text, PRODUCTS);
    for (const line of products.filter(isStatistic)) expect(line).not.toContain("bf16");
    expect(products.filter(isStatistic)).toHaveLength(STATISTICS);
    for (const line of products.filter((line) => !isStatistic(line))) {
      const [operands] = line.split(" : ").at(-1)?.split(" -> ") ?? [];
      expect(operands).toMatch(/^\(tensor<[\dx]+xbf16>, tensor<[\dx]+xbf16>\)$/);
      expect(line).toContain("precision DEFAULT");
    }
    for (const line of ofOps(text, /"(stablehlo\.(exponential|rsqrt|sqrt|divide|log|tanh|reduce)|chlo\.erf)"/))
      expect(line).not.toContain("bf16");
    const types = (ports: typeof inputs, names: RegExp) =>
      new Set(ports.filter(({ name }) => names.test(name)).map(({ type }) => type));
    expect(types(inputs, /^(weight|m|v|teacher)\.|^(halted|rate|scale|lossScale)$/)).toEqual(new Set(["f32"]));
    expect(types(outputs, /./)).toEqual(new Set(["f32"]));
    expect(types(inputs, /^wave$/)).toEqual(new Set(["i16"]));
    // gradients of weights leave their products as float32
    const square = ofOps(text, /"stablehlo\.dot_general".*-> tensor<432x432x\w+>$/);
    for (const line of square) expect(line).toMatch(/-> tensor<432x432xf32>$/);
  });
});

test("the state comes back in the memory it was in", () => {
  const options = programOptions(tinyRecipe(), teacherConfig());
  for (const program of [updateProgram(options, { items: 4, samples: 405, pcm: false }), applyProgram(options)]) {
    const kept = program.inputs.filter(({ name }) => /^(weight|m|v|gradient)\.|^halted$/.test(name));
    const aliases = program.text.match(/tf\.aliasing_output = \d+/g) ?? [];
    expect(new Set(aliases).size).toBe(kept.length);
  }
});

/** The interpreter that .ci/run installs jaxlib for. */
const python = "/usr/bin/python3";
const env = {
  ...process.env,
  TF_CPP_MIN_LOG_LEVEL: "2",
  XLA_FLAGS: "--xla_backend_optimization_level=0",
  PYTHONPATH: fileURLToPath(new URL("../../.jaxlib", import.meta.url)),
};
const hasJaxlib = (() => {
  try {
    execFileSync(python, ["-c", "import jaxlib.xla_client"], { stdio: "ignore", env });
    return true;
  } catch {
    return false;
  }
})();
if (!hasJaxlib) console.log(`programs are not read by jaxlib: ${python} has none (.ci/run puts it into .jaxlib)`);

test.skipIf(!hasJaxlib)(
  "jaxlib reads steps of all policies, and compiles an update and a recurrence",
  { timeout: 180_000 },
  () => {
    const options = programOptions(tinyRecipe(), teacherConfig({ relativePosition: { buckets: 8, maxDistance: 16 } }));
    const shape = { items: 4, samples: 405, pcm: true };
    const [gates, weight, valid] = [input("gates", [7, 2, 12]), input("weight", [12, 3]), input("valid", [7, 2, 1])];
    const [hidden] = g.lstm(gates, weight, valid, false);
    const published = programOptions(publishedRecipe("armhubert-s-100.yaml"), hubertBase, { replicas: 2 });
    const large = { items: 8, samples: seconds(12), pcm: true };
    const programs = {
      gradient: gradientProgram(options, shape),
      validation: validationProgram({ ...options, precision: "fp16" }, shape),
      float32: updateProgram(published, large),
      bf16: updateProgram({ ...published, precision: "bf16", platform: "cuda" }, large),
      apply: applyProgram(options),
      lstm: toStableHlo({ name: "lstm", outputs: new Map([["hidden", hidden]]) }, new Map()),
    };
    const folder = temporaryFolder();
    const paths = Object.entries(programs).map(([name, { text }]) => {
      const path = join(folder, `${name}.mlir`);
      writeFileSync(path, text);
      return path;
    });
    const script = fileURLToPath(new URL("./read_with_jaxlib.py", import.meta.url));
    const printed = execFileSync(python, [script, ...paths], { encoding: "utf8", env });
    expect(printed.trim().split("\n")).toEqual(
      paths.map((path, i) => `${[0, 2, 3].includes(i) ? "read" : "compiled"} ${path}`),
    );
  },
);
