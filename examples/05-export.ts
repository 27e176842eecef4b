// A model as one ONNX file that runs anywhere: weights in 8 bits, compared with its source, used without Stillwave.
import { fileURLToPath } from "node:url";
import { exportOnnx, loadUpstream } from "stillwave";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const model = await loadUpstream(here("./hubert-small-libri")); // or runs/quickstart/best

// The file is run on real speech before it gets its name; beyond a limit of drift nothing is written.
const { bytes, outputs, drift } = await exportOnnx(model, {
  out: "runs/hubert.int8.onnx",
  dtype: "int8",
  compact: true,
});
console.log(`${(bytes / 1e6).toFixed(2)} MB, outputs ${outputs.join(", ")}`);
for (const { output, relativeL2 } of drift) console.log(`${output}: drift ${(100 * relativeL2).toFixed(2)} %`);

// ONNX Runtime 1.17 and later read it; here the one of browsers. Lengths in samples say what of a padded batch is speech.
const { InferenceSession, Tensor } = await import("onnxruntime-web");
const session = await InferenceSession.create("runs/hubert.int8.onnx");
const wave = Float32Array.from({ length: 16000 }, (_, i) => 0.1 * Math.sin(i / 8));
const results = await session.run({
  waveform: new Tensor("float32", wave, [1, 16000]),
  lengths: new Tensor("int64", BigInt64Array.of(16000n), [1]),
});
const last = results[`hidden_states.${model.config.layers}`];
console.log(`one second gives ${last.dims[1]} frames of ${last.dims[2]} values`);
