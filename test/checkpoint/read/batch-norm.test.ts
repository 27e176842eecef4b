// Positions behind a BatchNorm: fairseq's and Hugging Face's files, hidden states against PyTorch, and what is done with such models.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { convertCheckpoint, loadModel, writeLightning } from "../../../src/checkpoint/index.ts";
import { configFromHuggingFace } from "../../../src/checkpoint/read/config/huggingface.ts";
import { makeObjectives } from "../../../src/distill/objectives/make.ts";
import { createDistillStep } from "../../../src/distill/step.ts";
import { exportOnnx } from "../../../src/export/index.ts";
import { initParameters } from "../../../src/models/init.ts";
import { padWaveforms } from "../../../src/models/waveform.ts";
import { createRuntime, openOnnxFile } from "../../../src/runtime/node/index.ts";
import { createModel } from "../../../src/upstream/model.ts";
import { feedsOf } from "../../export/cases.ts";
import { pythonWithTorch } from "../python.ts";
import { officialStudent, smallStudent } from "../students.ts";
import { difference } from "./dphubert-fixture.ts";

const python = pythonWithTorch();
const root = mkdtempSync(join(tmpdir(), "stillwave-batch-norm-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Expected {
  readonly waves: number[][];
  /** Hidden states of the first wave by itself, and of both in one batch: [item][state][frame][dim]. */
  readonly alone: number[][][];
  readonly padded: number[][][][];
}
let expected: Expected;
let waves: Float32Array[];
beforeAll(() => {
  if (!python) return;
  execFileSync(python, [fileURLToPath(new URL("make_batch_norm.py", import.meta.url)), root], { stdio: "inherit" });
  expected = JSON.parse(readFileSync(join(root, "expected.json"), "utf8"));
  waves = expected.waves.map((wave) => Float32Array.from(wave));
});

const batchNorm = { kernel: 8, groups: 4, batchNorm: true };

describe.skipIf(!python)("files of the field", () => {
  test.each(["hubert-said.pt", "hubert-unsaid.pt", "hf"])("%s", async (name) => {
    const model = createModel(await loadModel(join(root, name)), await createRuntime());
    expect(model.config.posConv).toEqual(batchNorm);
    const { hiddenStates } = await model.extract(waves[0]);
    hiddenStates.forEach((state, i) => {
      expect(difference(state, 0, expected.alone[i]), `state ${i}`).toBeLessThan(1e-5);
    });
    const both = await model.extract(padWaveforms(waves));
    await model.dispose();
    both.hiddenStates.forEach((state, i) => {
      expect(difference(state, 1, expected.padded[1][i]), `state ${i} of item 1`).toBeLessThan(1e-5);
      if (name === "hf") expect(difference(state, 0, expected.padded[0][i]), `state ${i} of item 0`).toBeLessThan(1e-5);
    });
  });

  test("they are one model, and the count of batches is ignored", async () => {
    const [fairseq, hf] = [await loadModel(join(root, "hubert-said.pt")), await loadModel(join(root, "hf"))];
    expect(fairseq.parameters).toEqual(hf.parameters);
    expect(hf.info.ignored).toEqual(["encoder.pos_conv_embed.batch_norm.num_batches_tracked"]);
    expect(fairseq.info.ignored).toEqual(["encoder.pos_conv.0.num_batches_tracked"]);
  });

  test("converted, it is a Hugging Face folder with the setting, and the same model", async () => {
    const out = join(root, "converted");
    await convertCheckpoint(join(root, "hubert-said.pt"), out);
    const fields = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
    expect(fields).toMatchObject({ model_type: "hubert", conv_pos_batch_norm: true });
    const { stillwave: _, ...theirs } = fields;
    const source = await loadModel(join(root, "hubert-said.pt"));
    expect((await loadModel(out)).parameters).toEqual(source.parameters);
    writeFileSync(join(out, "config.json"), JSON.stringify(theirs));
    expect((await loadModel(out)).parameters).toEqual(source.parameters);
  });

  test.each(["fp32", "fp16", "int8"] as const)(
    "exported as %s, PyTorch's hidden states at the edges too",
    async (dtype) => {
      const out = join(root, `${dtype}.onnx`);
      await exportOnnx(await loadModel(join(root, "hf")), { out, dtype, speech: waves });
      const file = await openOnnxFile(out);
      const results = await file.run(feedsOf(padWaveforms(waves)));
      await file.dispose();
      for (const item of [0, 1])
        for (const i of [0, 1, 2])
          expect(difference(results[`hidden_states.${i}`], item, expected.padded[item][i])).toBeLessThan(
            { fp32: 1e-5, fp16: 1e-2, int8: 0.1 }[dtype],
          );
    },
  );

  test("it teaches", async () => {
    const teacher = await loadModel(join(root, "hf"));
    const config = smallStudent({ conv: teacher.config.conv, dim: 16, heads: 4, headDim: teacher.config.dim });
    const student = { config, parameters: initParameters(config, { seed: 1 }) };
    const objectives = makeObjectives(
      {
        objectives: null,
        loss: { kind: "mse", hintWeight: 0.1, lastWeight: 1 },
        student: { teacherLayers: null },
      },
      { teachers: [teacher.config], student: config },
    );
    const dropout = { residual: 0, attention: 0, activation: 0, input: 0 };
    const runtime = await createRuntime();
    const step = await createDistillStep({
      runtime,
      teachers: [teacher],
      student,
      objectives,
      countPaddedFrames: false,
      dropout,
      layerGradientScale: false,
    });
    const { total } = await step.validate({ ...padWaveforms(waves), ids: ["a", "b"], paths: ["a", "b"] });
    await step.dispose();
    expect(total).toBeGreaterThan(0);
  });
});

describe("what has no BatchNorm there", () => {
  test("other families of Hugging Face's, and the released code's students", async () => {
    for (const type of ["wav2vec2", "wavlm"])
      expect(() => configFromHuggingFace({ model_type: type, conv_pos_batch_norm: true }, "config.json")).toThrow(
        "conv_pos_batch_norm is true, which is not supported",
      );
    const config = { ...officialStudent(), posConv: batchNorm };
    const parameters = initParameters(config, { seed: 1 });
    await expect(writeLightning(join(root, "l"), { config, parameters })).rejects.toThrow("not behind a BatchNorm");
  });

  test("fresh statistics are those of a BatchNorm that has seen nothing", () => {
    const parameters = initParameters(smallStudent({ posConv: { kernel: 4, groups: 2, batchNorm: true } }), {
      seed: 1,
    });
    const values = (name: string) => [...new Set(parameters.get(`encoder.pos_conv_embed.batch_norm.${name}`)!.data)];
    expect([values("running_mean"), values("running_var")]).toEqual([[0], [1]]);
  });
});

test("adapters of MMS are named from config.json", () => {
  const fields = { model_type: "wav2vec2", adapter_attn_dim: 16 };
  expect(() => configFromHuggingFace(fields, "mms/config.json")).toThrow(
    "mms/config.json: adapter_attn_dim is 16, which is not supported",
  );
  expect(configFromHuggingFace({ ...fields, adapter_attn_dim: null }, "mms/config.json").family).toBe("wav2vec2");
});
