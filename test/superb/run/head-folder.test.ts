// Trained heads on disk: written and read bit for bit; hostile settings and damaged weights end in one clear error each.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeSafetensors } from "../../../src/checkpoint/formats/safetensors.ts";
import { StillwaveError } from "../../../src/errors.ts";
import type { HeadConfig } from "../../../src/superb/heads/config.ts";
import { type HeadSettings, readHead, writeHead } from "../../../src/superb/run/head-folder.ts";
import { madeUpParameters } from "../heads/cases.ts";

let root: string;
let folders = 0;
const folder = () => join(root, String(folders++));
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-head-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const common = { projection: 5, outputs: 4, normalizeStates: true };
const input = { layers: 3, dim: 6 };
const configs: readonly HeadConfig[] = [
  { kind: "frames", ...common },
  { kind: "utterance", ...common, normalizeStates: false },
  { kind: "bilstm", ...common, hidden: 3, lstmLayers: 2, dropout: 0.2, stack: 2 },
];

function settingsOf(config: HeadConfig): HeadSettings {
  return {
    format: 1,
    task: config.kind === "frames" ? "pr" : config.kind === "utterance" ? "ic" : "asr",
    config,
    input,
    objective:
      config.kind === "utterance"
        ? { kind: "classes", slots: [{ name: "a", values: ["ü", "no"] }, { name: "b", values: ["x", "y"] }] } // biome-ignore format: one line
        : { kind: "ctc", text: "phones", symbols: ["<pad>", "<eos>", "AH", "B"], special: ["<pad>", "<eos>"] },
    upstream: {
      spec: "/models/hubert",
      options: { states: "all", teacherHeads: 8 },
      fingerprint: "f",
      samplesPerFrame: 320,
    },
  };
}

async function written(config: HeadConfig = configs[0]) {
  const at = folder();
  const parameters = madeUpParameters(config, input, 7);
  await writeHead(at, settingsOf(config), parameters);
  return { at, parameters, json: join(at, "head.json"), weights: join(at, "model.safetensors") };
}

describe("a head", () => {
  test.each(configs.map((config) => [config.kind, config] as const))(
    "%s: comes back bit for bit",
    async (_, config) => {
      const { at, parameters } = await written(config);
      // numbers that rounding anywhere would change
      parameters.get("projector.weight")!.data.set([1e-45, -0, 3.4e38, 1 + 2 ** -23]);
      await writeHead(at, settingsOf(config), parameters);
      const found = await readHead(at);
      expect(found.settings).toEqual(settingsOf(config));
      expect([...found.parameters.keys()]).toEqual([...parameters.keys()]);
      for (const [name, { shape, data }] of found.parameters) {
        const before = parameters.get(name)!;
        expect(shape).toEqual(before.shape);
        const bits = (array: Float32Array) => [...new Uint32Array(array.slice().buffer)];
        expect(bits(data), name).toEqual(bits(before.data));
      }
    },
  );

  test("a head is the same file again", async () => {
    const [one, two] = [await written(), await written()];
    expect(readFileSync(one.weights).equals(readFileSync(two.weights))).toBe(true);
    expect(readFileSync(one.json, "utf8")).toBe(readFileSync(two.json, "utf8"));
  });
});

/** A copy with the value at `path` replaced, or removed. */
function changed(value: unknown, path: readonly string[], to: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return to;
  const copy: Record<string, unknown> = { ...(value as Record<string, unknown>) };
  if (rest.length === 0 && to === undefined) delete copy[key];
  else copy[key] = changed(copy[key], rest, to);
  return copy;
}

describe("head.json", () => {
  test.each([
    ["format", 2],
    ["format", undefined],
    ["task", "mt"],
    ["config", null],
    ["config.kind", "transformer"],
    ["config.projection", 0],
    ["config.projection", 1.5],
    ["config.projection", 1e9],
    ["config.projection", "5"],
    ["config.normalizeStates", "yes"],
    ["config.dropout", 1],
    ["config.dropout", -0.1],
    ["config.stack", 0],
    ["config.lstmLayers", 1e6],
    ["input.layers", -3],
    ["input.dim", null],
    ["objective.kind", "mse"],
    ["objective.symbols", ["<pad>"]],
    ["objective.symbols", "abcd"],
    ["upstream", []],
    ["upstream.samplesPerFrame", 0],
    ["upstream.options", { states: ["all"] }],
  ])("%s %j is refused by its name", async (path, to) => {
    const { at, json } = await written(configs[2]);
    writeFileSync(json, JSON.stringify(changed(settingsOf(configs[2]), path.split("."), to)));
    const error = await readHead(at).catch((e: Error) => e);
    expect(error).toBeInstanceOf(StillwaveError);
    expect((error as Error).message.startsWith(`${json}: `)).toBe(true);
    expect((error as Error).message).toContain(path);
    expect((error as Error).message).toMatch(/; train the head again$/);
  });

  test("that does not fit its answers or its weights", async () => {
    const { at, json, weights } = await written();
    const settings = settingsOf(configs[0]);
    const symbols = ["<pad>", "<eos>", "AH", "B", "K"];
    writeFileSync(json, JSON.stringify(changed(settings, ["objective", "symbols"], symbols)));
    await expect(readHead(at)).rejects.toThrow(`${json}: the head has 4 outputs for 5 symbols or classes`);
    writeFileSync(json, JSON.stringify(changed(settings, ["config", "projection"], 1_000_000)));
    await expect(readHead(at)).rejects.toThrow(`${weights}: "projector.weight" is [5,6], head.json wants [1000000,6]`);
    writeFileSync(json, JSON.stringify(changed(settings, ["input", "layers"], 4)));
    await expect(readHead(at)).rejects.toThrow(`${weights}: "featurizer.weights" is [3], head.json wants [4]`);
    writeFileSync(json, JSON.stringify({ ...settings, config: configs[2] }));
    await expect(readHead(at)).rejects.toThrow(`${weights}: no tensor "lstm.weight_ih_l0"; the head is not whole`);
  });

  test("that is none", async () => {
    await expect(readHead(folder())).rejects.toThrow("head.json: not there; give the folder of a finished evaluation");
    const { at, json } = await written();
    for (const text of ["", "{", "\0\0\0", "[1, 2]", "null", '"text"', "1e999"]) {
      writeFileSync(json, text);
      await expect(readHead(at), JSON.stringify(text)).rejects.toThrow(StillwaveError);
    }
    writeFileSync(json, " ".repeat(2 ** 24 + 1));
    await expect(readHead(at)).rejects.toThrow("16777217 bytes are too many for a head's settings");
  });

  test("with anything anywhere is read or refused, never more", async () => {
    const { at, json } = await written(configs[2]);
    const settings = settingsOf(configs[2]);
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]) => {
      paths.push(path);
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
    };
    walk(settings, []);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), async (path, value) => {
        writeFileSync(json, JSON.stringify(changed(settings, path, value)));
        const found = await readHead(at).catch((error: unknown) => error);
        if (found instanceof Error) expect(found).toBeInstanceOf(StillwaveError);
      }),
      { numRuns: 150 },
    );
  });
});

describe("weights", () => {
  test("cut off anywhere", async () => {
    const { at, weights } = await written();
    const whole = readFileSync(weights);
    const lengths = [0, 1, 7, 8, 9, 100, whole.length - 4, whole.length - 1];
    for (const length of lengths) {
      writeFileSync(weights, whole);
      truncateSync(weights, length);
      const error = await readHead(at).catch((e: Error) => e);
      expect(error, `${length} bytes`).toBeInstanceOf(StillwaveError);
      expect((error as Error).message.startsWith(weights)).toBe(true);
    }
    rmSync(weights);
    await expect(readHead(at)).rejects.toThrow(StillwaveError);
  });

  test("that are not all there, or not finite", async () => {
    const { at, parameters, weights } = await written();
    await writeSafetensors(weights, [...parameters].slice(0, -1));
    await expect(readHead(at)).rejects.toThrow(`${weights}: no tensor "linear.bias"; the head is not whole`);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      parameters.get("linear.weight")!.data[3] = bad;
      await writeSafetensors(weights, parameters);
      await expect(readHead(at)).rejects.toThrow(`${weights}: "linear.weight" holds values that are not finite; train the head again`); // biome-ignore format: one line
    }
  });
});
