// How good is a model? The phoneme recognition of SUPERB: a head on frozen hidden states, chosen on dev, tested once.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { evaluate } from "stillwave/superb";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

for (const model of [here("./hubert-small-libri"), "fbank"]) {
  const outDir = `runs/example-pr-${model === "fbank" ? "fbank" : "hubert"}`;
  const run = evaluate({
    task: "pr",
    upstream: { model }, // a folder, a checkpoint, an id of the hub, an exported .onnx, or filterbanks
    data: { root: here("./speech"), splits: { test: ["dev"] } }, // so little speech that dev also tests
    training: { learningRates: [1e-2], steps: 60, evaluateEvery: 30 },
    run: { outDir },
    resume: existsSync(outDir), // go on where an earlier run was stopped
  });
  for await (const event of run) {
    if (event.kind === "evaluation") console.log(`update ${event.step}: PER ${event.dev.toFixed(1)} on dev`);
    if (event.kind !== "done") continue;
    const { name, value, low, high } = event.result.metric; // with a bootstrap interval over utterances
    console.log(`${model}: ${name} ${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}); ${event.report}`);
  }
}
