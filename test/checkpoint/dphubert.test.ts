// Structurally pruned checkpoints: read, run against an independent float64 forward pass, written, exported, refused.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectCheckpoint, loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import { writeLightning } from "../../src/checkpoint/lightning-writer.ts";
import { StillwaveError } from "../../src/errors.ts";
import type { HostArray } from "../../src/graph/array.ts";
import { createUpstream, type Extraction } from "../../src/models/inference.ts";
import { profile } from "../../src/models/profile.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";

interface Expected {
  readonly frames: number;
  readonly conv: number[][];
  /** What layer 0 reads, then the output of every layer. */
  readonly states: number[][][];
  readonly last: number[][];
}
interface Case {
  readonly short: number[];
  readonly long: number[];
  readonly alone: Expected[];
  readonly padded: Expected[];
}

function pythonWithTorch(): string | undefined {
  for (const python of ["python3", "/usr/bin/python3"])
    try {
      execFileSync(python, ["-c", "import torch"], { stdio: "ignore" });
      return python;
    } catch {}
  console.warn("skipped: no python3 with torch (Debian: python3-torch)");
  return undefined;
}

const python = pythonWithTorch();
let folder = "";
let runtime: Runtime;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-dphubert-"));
  const script = fileURLToPath(new URL("make_dphubert.py", import.meta.url));
  if (python) execFileSync(python, [script, folder], { stdio: "inherit" });
  runtime = await createRuntime({ device: "cpu" });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Largest difference over the true frames of one item, as a share of the largest expected value. */
function difference(array: HostArray, item: number, expected: number[][]): number {
  const [, time, width] = array.shape as [number, number, number];
  let worst = 0;
  let largest = 0;
  expected.forEach((row, t) => {
    expect(row).toHaveLength(width);
    row.forEach((value, c) => {
      worst = Math.max(worst, Math.abs(array.data[(item * time + t) * width + c]! - value));
      largest = Math.max(largest, Math.abs(value));
    });
  });
  return worst / largest;
}

function expectSame(got: Extraction, expected: readonly Expected[]): void {
  expected.forEach(({ frames, conv, states, last }, item) => {
    expect(got.validFrames[item]).toBe(frames);
    expect(difference(got.conv, item, conv), `conv of item ${item}`).toBeLessThan(2e-5);
    expect(got.layers).toHaveLength(states.length - 1);
    [got.encoderInput, ...got.layers].forEach((state, i) => {
      expect(difference(state, item, states[i]!), `state ${i} of item ${item}`).toBeLessThan(2e-5);
    });
    expect(difference(got.last, item, last), `last of item ${item}`).toBeLessThan(2e-5);
  });
}

const cases = async (name: string): Promise<Case> => JSON.parse(await readFile(join(folder, `${name}.json`), "utf8"));

describe.skipIf(!python)("DPHuBERT style checkpoints", () => {
  for (const name of ["hubert", "large", "wavlm", "alike"])
    it(`${name}: hidden states, alone and padded, also from a model folder`, async () => {
      const { short, long, alone, padded } = await cases(name);
      const waves = [Float32Array.from(short), Float32Array.from(long)] as const;
      const loaded = await loadModel(join(folder, `${name}.pth`));
      expect(loaded.info).toMatchObject({ format: "dphubert", ignored: ["distill_linear_projs.0.weight"] });
      await writeModelFolder(join(folder, `${name}-folder`), loaded);
      const written = await loadModel(join(folder, `${name}-folder`));
      expect(written.config).toEqual(loaded.config);
      for (const model of [loaded, written]) {
        const upstream = createUpstream(model, runtime);
        expectSame(await upstream.extract(waves[0]), alone);
        expectSame(await upstream.extract(waves), padded);
        await upstream.dispose();
      }
    });

  it("configurations say what is left of each layer", async () => {
    const wavlm = await inspectCheckpoint(join(folder, "wavlm.pth"));
    expect(wavlm.problem).toBeNull();
    expect(wavlm.config).toMatchObject({
      family: "wavlm",
      heads: 4,
      channelScale: true,
      relativePosition: { buckets: 32, maxDistance: 20 },
      layerShapes: [
        { heads: 2, ffnDim: 40, biasHeads: [1, 3] },
        { heads: 3, ffnDim: 0, biasHeads: [0, 2, 3] },
        { heads: 0, ffnDim: 24, biasHeads: null },
        { heads: 4, ffnDim: 17, biasHeads: null },
        { heads: 1, ffnDim: 9, biasHeads: [2] },
      ],
    });
    const alike = await loadModel(join(folder, "alike.pth"));
    expect(alike.config).not.toHaveProperty("layerShapes");
    expect(alike.config).not.toHaveProperty("channelScale");
    const folderConfig = JSON.parse(await readFile(join(folder, "alike-folder", "config.json"), "utf8"));
    expect(folderConfig.model_type).toBe("hubert");
  });

  it("parameters and MACs follow the layers", async () => {
    const { config, parameters } = await loadModel(join(folder, "hubert.pth"));
    const { parameters: counted, macs, frames } = profile(config, { seconds: 1 });
    expect(counted.total).toBe([...parameters.values()].reduce((sum, { data }) => sum + data.length, 0));
    // heads of 8 on 32 dims: four projections and two products; feed-forward 40, 24, 0, 17 wide
    const attention = (heads: number) => 4 * frames * 32 * 8 * heads + 2 * frames * frames * 8 * heads;
    const feedForward = (width: number) => 2 * frames * 32 * width;
    expect(macs.layers).toBe(attention(3 + 0 + 1 + 4) + feedForward(40 + 24 + 0 + 17));
  });

  it("the released students' format cannot hold them", async () => {
    const model = await loadModel(join(folder, "hubert.pth"));
    const student = { ...model, config: { ...model.config, family: "student" as const } };
    await expect(writeLightning(join(folder, "lightning"), student)).rejects.toThrow(/pruned/);
  });

  const refused: [string, RegExp][] = [
    ["gates", /hard_concrete_for_heads.*prune it first/],
    ["few_heads", /encoder_num_heads must have one valid entry for each of the 4 layers/],
    ["wide", /"encoder.layers.0.attention.q_proj.weight".* has shape \[24,32\].* asks for \[16,32\]/],
    ["no_heads", /encoder_use_attention is true for layer 1, which has no heads/],
    ["size", /encoder_head_dim is 7, which does not divide encoder_embed_dim 32/],
  ];
  for (const [name, message] of refused)
    it(`refuses ${name}`, async () => {
      const error = await loadModel(join(folder, `${name}.pth`)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain(`${name}.pth`);
    });
});
