// Frames per second of training the heads of PR, ASR, ASV and SD from hidden states in memory, as a share of the matrix-multiply rate,
// and PyTorch's on the same shapes where python3 (or $PYTHON) has it.
// Usage: npx tsx bench/superb.ts [--batch 16] [--seconds 12] [--layers 13] [--dim 768] [--hidden 320,1024] [--steps 5] [--json]
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { adamUpdate } from "../src/optim/adam.ts";
import { createAdamWState } from "../src/optim/adamw.ts";
import { clipGradients, gradientNorm } from "../src/optim/clip.ts";
import { Random } from "../src/random.ts";
import { matrixRate } from "../src/runtime/matrix-rate.ts";
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
import { asv } from "../src/superb/tasks/speakers/asv.ts";
import { sd } from "../src/superb/tasks/speakers/sd.ts";

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

/** Floating-point operations of one update: weighted sum and linear layers, forward and both gradients. */
function flopPerFrame(config: HeadConfig): number {
  const product = (inputs: number, outputs: number) => 3 * 2 * inputs * outputs;
  const sum = 2 * 2 * layers * dim;
  if (config.kind === "lstm") {
    const { hidden, outputs } = config;
    return sum + product(dim, 4 * hidden) + product(hidden, 4 * hidden) + product(hidden, outputs);
  }
  if (config.kind === "xvector") {
    const { projection, hidden, aggregation } = config;
    const wide = product(5 * projection, hidden) + 2 * product(3 * hidden, hidden) + product(hidden, hidden);
    return sum + product(dim, projection) + wide + product(hidden, aggregation);
  }
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
  readonly config: HeadConfig;
  readonly spec: ObjectiveSpec;
  readonly labels: number;
}

/** Those of VoxCeleb1 that are trained on. */
const SPEAKERS = 1211;
const names = (count: number) => Array.from({ length: count }, (_, i) => `speaker ${i}`);

const phones = phoneVocabulary();
const characters = characterVocabulary();
const cases: Case[] = [
  {
    name: "PR, linear",
    config: pr.head(phones.size, {}),
    spec: { kind: "ctc", text: "phones", symbols: phones.symbols, special: ["<pad>", "<eos>"] },
    labels: PHONES_PER_SECOND,
  },
  ...values.hidden.split(",").map(
    (hidden): Case => ({
      name: `ASR, BiLSTM 2 x ${hidden}`,
      config: asr.head(characters.size, { hidden: Number(hidden), projection: Number(hidden) }),
      spec: { kind: "ctc", text: "characters", symbols: characters.symbols, special: ["<s>", "<pad>", "</s>"] },
      labels: CHARACTERS_PER_SECOND,
    }),
  ),
  {
    name: "ASV, x-vector",
    config: asv.head(SPEAKERS, {}),
    spec: { kind: "voices", speakers: names(SPEAKERS) },
    labels: 0,
  },
  { name: "SD, LSTM 512", config: sd.head(2, {}), spec: { kind: "turns", samplesPerFrame: 320 }, labels: 0 },
];

const runtime = await createRuntime();

async function measure({ config, spec, labels }: Case) {
  const input = { layers, dim };
  const head = new Head({ config, input, dtype: "float32", parameters: initHead(config, input, 0), runtime });
  const objective = createObjective(spec);
  const batch = features();
  const random = new Random(2, "labels");
  const length = Math.round(seconds * labels);
  const sequences = Array.from({ length: items }, () => {
    if (spec.kind === "voices") return [random.integer(SPEAKERS)];
    if (spec.kind === "turns") return Array.from({ length: 2 * frames }, () => random.integer(2));
    return Array.from({ length }, () => 4 + random.integer(objective.outputs - 4));
  });
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
from torch.nn import functional as F
c = json.loads(sys.stdin.read())
torch.manual_seed(0); torch.set_num_threads(c["threads"])
x = torch.rand(c["layers"], c["items"], c["frames"], c["dim"]) - 0.5
class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        kind, hidden = c["kind"], c.get("hidden", 0)
        self.w = torch.nn.Parameter(torch.zeros(c["layers"]))
        if kind != "lstm": self.p = torch.nn.Linear(c["dim"], c["projection"])
        if kind == "bilstm": self.l = torch.nn.LSTM(c["projection"], hidden, c["lstmLayers"], bidirectional=True, batch_first=True, dropout=0.2)
        if kind == "lstm": self.l = torch.nn.LSTM(c["dim"], hidden, c["lstmLayers"], batch_first=True)
        if kind == "xvector":
            sizes = ((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))
            widths = [c["projection"]] + [hidden] * 4 + [c["aggregation"]]
            self.t = torch.nn.ModuleList(torch.nn.Conv1d(a, b, k, dilation=d) for (k, d), a, b in zip(sizes, widths, widths[1:]))
            self.l1, self.l2 = torch.nn.Linear(2 * c["aggregation"], hidden), torch.nn.Linear(hidden, hidden)
            self.s = torch.nn.Parameter(torch.randn(hidden, c["outputs"]))
        else: self.o = torch.nn.Linear({"frames": c.get("projection"), "bilstm": 2 * hidden, "lstm": hidden}[kind], c["outputs"])
    def forward(self, x):
        x = (torch.softmax(self.w, 0) @ x.view(c["layers"], -1)).view(x.shape[1:])
        if c["kind"] != "lstm": x = self.p(x)
        if c["kind"] == "xvector":
            x = x.transpose(1, 2)
            for layer in self.t: x = F.relu(layer(x))
            x = F.relu(self.l2(F.relu(self.l1(torch.cat([x.mean(2), x.std(2)], 1)))))
            return F.normalize(x, dim=1) @ F.normalize(self.s, dim=0)
        if c["kind"] in ("bilstm", "lstm"): x = self.l(x)[0]
        return self.o(x)
ctc = torch.nn.CTCLoss(blank=0, zero_infinity=True)
def loss_of(y):
    if c["kind"] == "xvector":
        z = y - 0.4 * F.one_hot(speakers, c["outputs"])
        return F.cross_entropy(30 * z, speakers)
    if c["kind"] == "lstm":
        both = [F.binary_cross_entropy_with_logits(y, t, reduction="none").mean(2).sum(1) for t in (turns, turns.flip(2))]
        return torch.minimum(*both).sum() / (c["items"] * c["frames"])
    return ctc(torch.log_softmax(y, -1).transpose(0, 1), symbols, n, m)
head = Head(); adam = torch.optim.Adam(head.parameters(), 1e-4)
speakers = torch.randint(0, c["outputs"], (c["items"],)); turns = torch.randint(0, 2, (c["items"], c["frames"], 2)).float()
symbols = torch.randint(min(4, c["outputs"] - 1), c["outputs"], (c["items"], max(1, c["labels"]))); n = torch.full((c["items"],), c["frames"]); m = torch.full((c["items"],), c["labels"])
times = []
for step in range(c["steps"] + 1):
    t = time.time(); adam.zero_grad()
    loss = loss_of(head(x)); loss.backward()
    torch.nn.utils.clip_grad_norm_(head.parameters(), 1); adam.step()
    if step: times.append(time.time() - t)
print(json.dumps(1000 * sorted(times)[len(times) // 2]))`;
  const shape = { layers, items, frames, dim, labels: Math.round(seconds * labels), steps };
  const input = JSON.stringify({ ...config, ...shape, threads: Number(process.env.OMP_NUM_THREADS ?? 2) });
  for (const python of [process.env.PYTHON ?? "python3", "/usr/bin/python3"]) {
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
    loss: Math.round(times.loss),
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
