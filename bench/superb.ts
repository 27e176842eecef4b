// Frames per second of training the heads of PR and ASR from hidden states in memory, as a share of the matrix-multiply rate,
// and PyTorch's on the same shapes where it is installed.
// Usage: npx tsx bench/superb.ts [--batch 16] [--seconds 12] [--layers 13] [--dim 768] [--hidden 320,1024] [--steps 5] [--json]
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { adamUpdate } from "../src/optim/adam.ts";
import { createAdamWState } from "../src/optim/adamw.ts";
import { clipGradients, gradientNorm } from "../src/optim/clip.ts";
import { Random } from "../src/random.ts";
import { createRuntime } from "../src/runtime/node/index.ts";
import type { FeatureBatch } from "../src/superb/features/features.types.ts";
import type { HeadConfig } from "../src/superb/heads/config.ts";
import { headParameterCount, initHead } from "../src/superb/heads/parameters.ts";
import { Head } from "../src/superb/heads/step.ts";
import { characterVocabulary, phoneVocabulary } from "../src/superb/labels/vocabulary.ts";
import { createObjective } from "../src/superb/objectives/index.ts";
import type { ObjectiveSpec } from "../src/superb/objectives/spec.ts";
import { asr } from "../src/superb/tasks/asr.ts";
import { pr } from "../src/superb/tasks/pr.ts";
import { matrixRate } from "./matrix-rate.ts";

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "16" },
    seconds: { type: "string", default: "12" },
    layers: { type: "string", default: "13" },
    dim: { type: "string", default: "768" },
    hidden: { type: "string", default: "320,1024" },
    steps: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const [items, seconds, layers, dim, steps] = [
  values.batch,
  values.seconds,
  values.layers,
  values.dim,
  values.steps,
].map(Number) as [number, number, number, number, number];
const frames = Math.round(seconds * 50);
/** Labels per second of read English: phones, and characters with spaces. */
const PHONES_PER_SECOND = 11;
const CHARACTERS_PER_SECOND = 14;

const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function features(): FeatureBatch {
  const random = new Random(1, "bench");
  const data = Float32Array.from({ length: layers * items * frames * dim }, () => random.uniform() - 0.5);
  return { data, shape: [layers, items, frames, dim], frames: Array.from({ length: items }, () => frames) };
}

type LayeredHead = Extract<HeadConfig, { kind: "frames" | "bilstm" | "utterance" }>;

/** Floating-point operations of one update: weighted sum and linear layers, forward and both gradients. */
function flopPerFrame(config: LayeredHead): number {
  const product = (inputs: number, outputs: number) => 3 * 2 * inputs * outputs;
  const sum = 2 * 2 * layers * dim;
  const projector = product(dim, config.projection);
  if (config.kind !== "bilstm") return sum + projector + product(config.projection, config.outputs);
  const { hidden, lstmLayers } = config;
  const recurrent = Array.from({ length: lstmLayers }, (_, layer) => {
    const inputs = layer === 0 ? config.projection : 2 * hidden;
    return 2 * (product(inputs, 4 * hidden) + product(hidden, 4 * hidden));
  });
  return sum + projector + recurrent.reduce((a, b) => a + b, 0) + product(2 * hidden, config.outputs);
}

interface Case {
  readonly name: string;
  readonly config: LayeredHead;
  readonly spec: ObjectiveSpec;
  readonly labels: number;
}

const phones = phoneVocabulary();
const characters = characterVocabulary();
const cases: Case[] = [
  {
    name: "PR, linear",
    config: pr.head(phones.size, {}) as LayeredHead,
    spec: { kind: "ctc", text: "phones", symbols: phones.symbols, special: ["<pad>", "<eos>"] },
    labels: PHONES_PER_SECOND,
  },
  ...values.hidden.split(",").map(
    (hidden): Case => ({
      name: `ASR, BiLSTM 2 x ${hidden}`,
      config: asr.head(characters.size, { hidden: Number(hidden), projection: Number(hidden) }) as LayeredHead,
      spec: { kind: "ctc", text: "characters", symbols: characters.symbols, special: ["<s>", "<pad>", "</s>"] },
      labels: CHARACTERS_PER_SECOND,
    }),
  ),
];

const runtime = await createRuntime();

async function measure({ config, spec, labels }: Case) {
  const input = { layers, dim };
  const head = new Head({ config, input, dtype: "float32", parameters: initHead(config, input, 0), runtime });
  const objective = createObjective(spec);
  const batch = features();
  const random = new Random(2, "labels");
  const length = Math.round(seconds * labels);
  const sequences = Array.from({ length: items }, () =>
    Array.from({ length }, () => 4 + random.integer(objective.outputs - 4)),
  );
  const optimizer = createAdamWState(head.weights.length);
  const parts: { forward: number[]; loss: number[]; backward: number[]; optimizer: number[]; total: number[] } = {
    forward: [],
    loss: [],
    backward: [],
    optimizer: [],
    total: [],
  };
  for (let step = 0; step <= steps; step++) {
    const at = [performance.now()];
    head.zeroGradients();
    const output = await head.forward(batch, { dropoutSeed: step });
    at.push(performance.now());
    const { cotangent } = objective.loss(output, sequences);
    at.push(performance.now());
    await head.backward(cotangent);
    at.push(performance.now());
    const norm = gradientNorm(head.gradients);
    clipGradients(head.gradients, norm, 1);
    adamUpdate(head.weights, head.gradients, optimizer, 1e-4);
    at.push(performance.now());
    if (step === 0) continue; // compiles
    for (const [i, name] of (["forward", "loss", "backward", "optimizer"] as const).entries())
      parts[name].push(at[i + 1] - at[i]);
    parts.total.push(at[4] - at[0]);
  }
  await head.release();
  return Object.fromEntries(Object.entries(parts).map(([name, list]) => [name, median(list)])) as Record<
    keyof typeof parts,
    number
  >;
}

/** The same update in PyTorch, milliseconds; undefined where it is not installed. */
function torchMilliseconds({ config, labels }: Case): number | undefined {
  const script = `
import json, sys, time, torch
c = json.loads(sys.stdin.read())
torch.manual_seed(0); torch.set_num_threads(c["threads"])
x = torch.rand(c["layers"], c["items"], c["frames"], c["dim"]) - 0.5
class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(c["layers"]))
        self.p = torch.nn.Linear(c["dim"], c["projection"])
        self.l = torch.nn.LSTM(c["projection"], c["hidden"], c["lstm"], bidirectional=True, batch_first=True, dropout=0.2) if c["hidden"] else None
        self.o = torch.nn.Linear(2 * c["hidden"] if c["hidden"] else c["projection"], c["outputs"])
    def forward(self, x):
        s = (torch.softmax(self.w, 0) @ x.view(c["layers"], -1)).view(x.shape[1:])
        h = self.p(s)
        if self.l: h = self.l(h)[0]
        return self.o(h)
head = Head(); adam = torch.optim.Adam(head.parameters(), 1e-4); ctc = torch.nn.CTCLoss(blank=0, zero_infinity=True)
y = torch.randint(4, c["outputs"], (c["items"], c["labels"])); n = torch.full((c["items"],), c["frames"]); m = torch.full((c["items"],), c["labels"])
times = []
for step in range(c["steps"] + 1):
    t = time.time(); adam.zero_grad()
    loss = ctc(torch.log_softmax(head(x), -1).transpose(0, 1), y, n, m); loss.backward()
    torch.nn.utils.clip_grad_norm_(head.parameters(), 1); adam.step()
    if step: times.append(time.time() - t)
print(json.dumps(1000 * sorted(times)[len(times) // 2]))`;
  const lstm = config.kind === "bilstm" ? { hidden: config.hidden, lstm: config.lstmLayers } : { hidden: 0, lstm: 0 };
  const { projection, outputs } = config;
  const shape = { layers, items, frames, dim, projection, outputs, labels: Math.round(seconds * labels), steps };
  const input = JSON.stringify({ ...shape, ...lstm, threads: Number(process.env.OMP_NUM_THREADS ?? 2) });
  for (const python of ["python3", "/usr/bin/python3"]) {
    const run = spawnSync(python, ["-c", script], { input, encoding: "utf8" });
    if (run.status === 0) return JSON.parse(run.stdout) as number;
  }
  return undefined;
}

const rows: Record<string, number | string | undefined>[] = [];
for (const one of cases) {
  const rate = await matrixRate(runtime);
  const times = await measure(one);
  const torch = torchMilliseconds(one);
  const flop = flopPerFrame(one.config) * items * frames;
  rows.push({
    head: one.name,
    parameters: headParameterCount(one.config, { layers, dim }),
    "frames/s": Math.round((items * frames) / (times.total / 1000)),
    "ms/update": Math.round(times.total),
    forward: Math.round(times.forward),
    CTC: Math.round(times.loss),
    backward: Math.round(times.backward),
    Adam: Math.round(times.optimizer),
    "GFLOP/s": Math.round(flop / times.total / 1e6),
    "matrix rate": Math.round(rate),
    "share %": Math.round((100 * flop) / times.total / 1e6 / rate),
    "PyTorch ms": torch === undefined ? "not installed" : Math.round(torch),
    "time / PyTorch's": torch === undefined ? "" : Number((times.total / torch).toFixed(2)),
  });
}
if (values.json) console.log(JSON.stringify(rows));
else {
  console.log(`batch ${items} x ${seconds} s, ${layers} hidden states of ${dim}, medians of ${steps} updates`);
  console.table(rows);
}
