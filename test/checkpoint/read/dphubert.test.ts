// Structurally pruned checkpoints: read, run against an independent float64 forward pass, written, refused.
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { inspectCheckpoint, loadModel, writeModelFolder } from "../../../src/checkpoint/index.ts";
import { writeLightning } from "../../../src/checkpoint/write/lightning-writer.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { profile } from "../../../src/models/profile.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { createModel, type Extraction } from "../../../src/upstream/model.ts";
import { difference, type Expected, prunedCheckpoints } from "./dphubert-fixture.ts";

const { python, folder, cases } = prunedCheckpoints();
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ device: "cpu" });
});

function expectSame(got: Extraction, expected: readonly Expected[]): void {
  expected.forEach(({ frames, conv, states, last }, item) => {
    expect(got.validFrames[item]).toBe(frames);
    expect(difference(got.conv, item, conv), `conv of item ${item}`).toBeLessThan(2e-5);
    expect(got.layers).toHaveLength(states.length - 1);
    [got.hiddenStates[0], ...got.layers].forEach((state, i) => {
      expect(difference(state, item, states[i]), `state ${i} of item ${item}`).toBeLessThan(2e-5);
    });
    expect(difference(got.hiddenStates[states.length - 1], item, last), `last of item ${item}`).toBeLessThan(2e-5);
  });
}

describe.skipIf(!python)("DPHuBERT style checkpoints", () => {
  for (const name of ["hubert", "large", "wavlm", "unbiased", "alike"])
    test(`${name}: hidden states, alone and padded, also from a model folder`, async () => {
      const { short, long, alone, padded } = await cases(name);
      const waves = [Float32Array.from(short), Float32Array.from(long)] as const;
      const loaded = await loadModel(join(folder, `${name}.pth`));
      expect(loaded.info.format).toBe("dphubert");
      expect(loaded.info.ignored.filter((tensor) => !/layers\.1\.attention\.gru_/.test(tensor))).toEqual([
        "distill_linear_projs.0.weight",
      ]);
      await writeModelFolder(join(folder, `${name}-folder`), loaded);
      const written = await loadModel(join(folder, `${name}-folder`));
      expect(written.config).toEqual(loaded.config);
      for (const model of [loaded, written]) {
        const upstream = createModel(model, runtime);
        expectSame(await upstream.extract(waves[0]), alone);
        expectSame(await upstream.extract(waves), padded);
        await upstream.dispose();
      }
    });

  test("configurations say what is left of each layer", async () => {
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
    expect(alike.config.layerShapes).toBeUndefined();
    expect(alike.config.channelScale).toBeUndefined();
    const folderConfig = JSON.parse(await readFile(join(folder, "alike-folder", "config.json"), "utf8"));
    expect(folderConfig.model_type).toBe("hubert");
  });

  test("torchaudio's names are known in a Hugging Face folder", async () => {
    const alike = await loadModel(join(folder, "alike.pth"));
    await copyFile(join(folder, "alike-folder", "config.json"), join(folder, "torchaudio", "config.json"));
    const { parameters, config } = await loadModel(join(folder, "torchaudio"));
    expect(config).toEqual(alike.config);
    expect(parameters).toEqual(alike.parameters);
  });

  test("parameters and MACs follow the layers", async () => {
    const { config, parameters } = await loadModel(join(folder, "hubert.pth"));
    const { parameters: counted, macs, frames } = profile(config, { seconds: 1 });
    expect(counted.total).toBe([...parameters.values()].reduce((sum, { data }) => sum + data.length, 0));
    // heads of 8 on 32 dims: four projections and two products; feed-forward 40, 24, 0, 17 wide
    const attention = (heads: number) => 4 * frames * 32 * 8 * heads + 2 * frames * frames * 8 * heads;
    const feedForward = (width: number) => 2 * frames * 32 * width;
    expect(macs.layers).toBe(attention(3 + 0 + 1 + 4) + feedForward(40 + 24 + 0 + 17));
  });

  test("the released students' format cannot hold them", async () => {
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
    test(`${name} is refused`, async () => {
      const error = await loadModel(join(folder, `${name}.pth`)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain(`${name}.pth`);
    });
});
