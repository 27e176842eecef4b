// Replays a checkpoint with recorded hidden states: load, run alone and in a padded batch, compare.
import { join } from "node:path";
import { loadModel, readAllSafetensors } from "../checkpoint/index.ts";
import type { HostArray } from "../graph/array.ts";
import { type ReuseSemantics, receptiveField } from "../models/config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createModel, type Extraction } from "../upstream/model.ts";
import { recordedLengths, recordedWave } from "./case.ts";
import { compareKind, type Difference, numbered, type Pair } from "./compare.ts";

/** Largest difference by largest recorded value, float32 against float32. */
const TOLERANCE = 2e-5;

/** Every name under which the recordings know one of our outputs. */
function recordedNames({ conv, normed, layers, heads, hiddenStates }: Extraction): Record<string, HostArray> {
  const last = hiddenStates[hiddenStates.length - 1];
  return {
    cnn: conv,
    conv_features: conv,
    extract_features: normed,
    layer_input0: hiddenStates[0],
    ...numbered("layer", layers),
    ...numbered("projections", heads),
    ...numbered("hidden_states", hiddenStates),
    last_hidden_state: last,
    x: heads.at(-1) ?? last,
  };
}

/** Hidden states recorded as `expected<run>.*` (as trained) and `paper<run>.*` (exact reuse). */
export async function verifyCheckpoint(folder: string, runtime: Runtime): Promise<Difference[]> {
  const path = join(folder, "expected.safetensors");
  const tensors = await readAllSafetensors(path);
  const runs = [...tensors.keys()].filter((name) => /^wave\d+$/.test(name)).map((name) => name.slice(4));
  const prefixes: [string, string, ReuseSemantics | undefined][] = [
    ["hidden states", "expected", undefined],
    ["hidden states, exact reuse", "paper", "exact"],
  ];
  const differences: Difference[] = [];
  for (const [kind, prefix, reuse] of prefixes) {
    if (![...tensors.keys()].some((name) => name.startsWith(prefix))) continue;
    const model = createModel(await loadModel(folder, { reuse }), runtime);
    const shortest = receptiveField(model.config.conv);
    const pairs: Pair[] = [];
    for (const run of runs) {
      const wave = recordedWave(tensors, `wave${run}`, path, shortest);
      const [padding, speech] = [tensors.get(`padding_mask${run}`), tensors.get(`attention_mask${run}`)];
      const samples = recordedLengths(padding ?? speech, wave, path, shortest, padding ? "padding" : "speech");
      const padded = { wave: wave.data, paddedSamples: wave.shape[1], samples };
      const names = recordedNames(await model.extract(padded, { normalize: false }));
      for (const [name, computed] of Object.entries(names)) {
        const recorded = tensors.get(`${prefix}${run}.${name}`);
        if (recorded) pairs.push({ name: `${prefix}${run}.${name}`, computed, recorded });
      }
    }
    await model.dispose();
    differences.push(...compareKind(kind, pairs, "largest", TOLERANCE));
  }
  return differences;
}
