// A student that reuses attention maps, distilled from a teacher by masking distillation (arXiv:2305.11685).
import { fileURLToPath } from "node:url";
import { distill, initStudent, loadUpstream, profile, reuseEvery } from "stillwave";
import { librispeech } from "stillwave/data";
import { createRuntime } from "stillwave/node";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const runtime = await createRuntime({ device: "cpu" });
const teacher = await loadUpstream(here("./hubert-small-libri")); // or "facebook/hubert-base-ls960"

const student = initStudent({
  teacher,
  layers: 6,
  dim: 96,
  ffnDim: 192,
  heads: 6,
  attentionFrom: reuseEvery(2, 6),
  seed: 0,
});
console.table(profile(student, { seconds: 10 }).parameters.byBlock);

const run = distill({
  teacher,
  student,
  runtime,
  data: librispeech(here("./speech"), ["train"]), // or librispeech("LibriSpeech", ["train-clean-100"])
  maskProb: 0.4,
  peakLr: 3e-3,
  batchSize: 4,
  steps: 20,
  outDir: "runs/example",
});
for await (const { step, loss } of run) console.log(step, loss.total, loss.masked, loss.unmasked);

const { hiddenStates } = await student.extract(new Float32Array(16000), { runtime }); // each [batch, time, dim]
console.log(`${hiddenStates.length} hidden states of ${hiddenStates[0].shape}; the model is in runs/example/last`);
