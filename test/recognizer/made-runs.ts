// Runs that recognise without training: heads of fresh weights, a little stirred, on the example student.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HeadConfig } from "../../src/superb/heads/config.ts";
import { headParameters, initHead } from "../../src/superb/heads/parameters.ts";
import type { ObjectiveSpec } from "../../src/superb/objectives/spec.ts";
import { type HeadSettings, writeHead } from "../../src/superb/run/head-folder.ts";
import { openUpstream } from "../../src/upstream/open.ts";

export const student = fileURLToPath(new URL("../../examples/student-small-libri", import.meta.url));
const letters = ["<s>", "<pad>", "</s>", "<unk>", "|", ..."ETAONIHSRDLUMCWFGYPBVK'XJQZ"];
const phones = ["<pad>", "<eos>", "<unk>", "AA", "B", "D", "IY", "S"];

export const KINDS: Readonly<
  Record<string, { task: HeadSettings["task"]; config: HeadConfig; objective: ObjectiveSpec }>
> = {
  pr: {
    task: "pr",
    config: { kind: "frames", projection: 24, outputs: 8, normalizeStates: false },
    objective: { kind: "ctc", text: "phones", symbols: phones, special: ["<pad>", "<eos>"] },
  },
  asr: {
    task: "asr",
    config: { kind: "bilstm", projection: 24, hidden: 20, lstmLayers: 2, dropout: 0.2, stack: 2, outputs: 32, normalizeStates: false }, // biome-ignore format: one line
    objective: { kind: "ctc", text: "characters", symbols: letters, special: ["<s>", "<pad>", "</s>"] },
  },
  ic: {
    task: "ic",
    config: { kind: "utterance", projection: 24, outputs: 5, normalizeStates: true },
    objective: { kind: "classes", slots: [{ name: "action", values: ["on", "off"] }, { name: "object", values: ["lamp", "music", "heat"] }] }, // biome-ignore format: one line
  },
  sd: {
    task: "sd",
    config: { kind: "lstm", hidden: 8, lstmLayers: 1, outputs: 2, normalizeStates: false },
    objective: { kind: "turns", samplesPerFrame: 320 },
  },
  asv: {
    task: "asv",
    config: { kind: "xvector", projection: 8, hidden: 8, aggregation: 12, outputs: 3, normalizeStates: false },
    objective: { kind: "voices", speakers: ["a", "b", "c"] },
  },
};

/** Writes a run folder with a head of a kind. */
export async function makeRun(root: string, kind: string, { gainDb }: { gainDb?: number } = {}): Promise<string> {
  const { task, config, objective } = KINDS[kind];
  const upstream = await openUpstream(student);
  const { layers, dim, fingerprint, samplesPerFrame } = upstream;
  await upstream.dispose();
  const input = { layers: layers.length, dim };
  const settings: HeadSettings = {
    ...{ format: 1, task, config, input, objective },
    upstream: { spec: student, options: {}, fingerprint, samplesPerFrame, gainDb },
  };
  const parameters = initHead(config, input, 3);
  // logits that are far apart, and states of unequal weights
  for (const { name } of headParameters(config, input)) {
    const { data } = parameters.get(name)!;
    if (name === "featurizer.weights") data.set(data.map((_, i) => Math.sin(i)));
    else if (name.startsWith("linear")) data.set(data.map((x) => 12 * x));
  }
  const run = join(root, `${kind}${gainDb ?? ""}`);
  await writeHead(join(run, "head"), settings, parameters);
  return run;
}
