// Pruned models as ONNX files: against an independent float64 forward pass, padding inside the graph; fused attention refused.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/checkpoint/index.ts";
import { UsageError } from "../../src/errors.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import { difference, prunedCheckpoints } from "../checkpoint/read/dphubert-fixture.ts";
import { feedsOf, temporaryFolder, tinyModel, validFramesOf, waveforms } from "./cases.ts";

const { python, folder, cases } = prunedCheckpoints();
const written = temporaryFolder();

describe.skipIf(!python)("exports of pruned checkpoints", () => {
  for (const name of ["hubert", "large", "wavlm"])
    test(name, async () => {
      const model = await loadModel(join(folder, `${name}.pth`));
      const { short, long, padded } = await cases(name);
      const batch = [Float32Array.from(short), Float32Array.from(long)];
      const { file } = await exportOnnx(model, { out: join(written, `${name}.onnx`), speech: batch });
      const onnx = await openOnnxFile(file);
      const results = await onnx.run(feedsOf(padWaveforms(batch)));
      await onnx.dispose();
      expect(validFramesOf(results)).toEqual(padded.map(({ frames }) => frames));
      padded.forEach(({ states, last }, item) => {
        [...states.slice(0, -1), last].forEach((state, k) => {
          const apart = difference(results[`hidden_states.${k}`], item, state);
          expect(apart, `hidden state ${k} of item ${item}`).toBeLessThan(2e-5);
        });
      });
    });
});

test("fused attention needs equally many heads", async () => {
  const shape = { heads: 4, ffnDim: 48, biasHeads: null };
  const pruned = tinyModel({
    attentionFrom: [0, 1, 2, 3],
    layerShapes: [{ ...shape, heads: 3 }, shape, shape, shape],
  });
  const options = { out: join(written, "fused.onnx"), speech: waveforms(1, 1500), fuse: true };
  await expect(exportOnnx(pruned, options)).rejects.toThrow(UsageError);
  await expect(exportOnnx(pruned, options)).rejects.toThrow("pruned");
  const narrow = tinyModel({
    attentionFrom: [0, 1, 2, 3],
    layerShapes: [{ ...shape, heads: 0 }, { ...shape, ffnDim: 20 }, shape, shape],
  });
  const { drift } = await exportOnnx(narrow, { ...options, out: join(written, "narrow.onnx") });
  for (const { maxRelative } of drift) expect(maxRelative).toBeLessThan(1e-4);
});
