// Heads against the same heads in PyTorch, float64: logits, loss and every gradient of a training pass with its dropout
// masks and SpecAugment plans. Skips, saying so, where PyTorch is not installed.
import { beforeAll, describe, expect, test } from "vitest";
import type { DropoutSite } from "../../../src/nn/scope.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { headFrames } from "../../../src/superb/heads/graph.ts";
import { Head, type HeadOutput } from "../../../src/superb/heads/step.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { drawDropoutMasks } from "../../../src/training/dropout-masks.ts";
import { findTorch, runTorch } from "../torch.ts";
import { asHalves, type HeadCase, headCases } from "./cases.ts";

const SCRIPT = `
import json, sys, torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
double = lambda flat, shape: torch.tensor(flat, dtype=torch.float64).reshape(shape)

def augmented(x, plan):
    # x: [frames, dim] of one utterance
    warp = plan.get("warp")
    if warp:
        parts = ((x[:warp["from"]], warp["to"]), (x[warp["from"]:], len(x) - warp["to"]))
        resize = lambda part, n: F.interpolate(part[None, None], (n, part.shape[1]), mode="bicubic", align_corners=False)[0, 0]
        x = torch.cat([resize(part, n) for part, n in parts])
    keep = torch.ones_like(x)
    for mask in plan["timeMasks"]:
        keep[mask["start"]:mask["start"] + mask["width"]] = 0
    for mask in plan["featureMasks"]:
        keep[:, mask["start"]:mask["start"] + mask["width"]] = 0
    return x * keep

def lstm_of(p, layer, x):
    weight = p["lstm.weight_hh_l%d" % layer]
    both = "lstm.weight_hh_l%d_reverse" % layer in p
    lstm = torch.nn.LSTM(x.shape[-1], weight.shape[1], bidirectional=both, batch_first=True).double()
    # what nn.LSTM calls _l0 is layer _l<n> here; gradients come to its own copies
    for name, own in lstm.named_parameters():
        own.data.copy_(p["lstm." + name.replace("_l0", "_l%d" % layer)])
        p["lstm." + name.replace("_l0", "_l%d" % layer)] = own
    return lstm

def run(case):
    config = case["config"]
    p = {n: double(a["data"], a["shape"]).requires_grad_() for n, a in case["parameters"].items()}
    states = double(case["states"]["data"], case["states"]["shape"])
    if config["normalizeStates"]:
        states = F.layer_norm(states, (states.shape[-1],))
    weights = F.softmax(p["featurizer.weights"], dim=0)
    x = (weights[:, None, None, None] * states).sum(0)
    frames = case["frames"]
    if case["plans"]:
        x = torch.stack([
            F.pad(augmented(one[:n], plan), (0, 0, 0, x.shape[1] - n)) for one, n, plan in zip(x, frames, case["plans"])
        ])
    if config["kind"] != "lstm":
        x = F.linear(x, p["projector.weight"], p["projector.bias"])
    if config["kind"] == "xvector":
        pooled = []
        for one, n in zip(x, frames):
            y = one[:n].T[None]
            for i, (context, dilation) in enumerate(((5, 1), (3, 2), (3, 3), (1, 1), (1, 1))):
                weight = p["frames.%d.weight" % i]
                kernel = weight.reshape(weight.shape[0], context, -1).transpose(1, 2)
                y = F.relu(F.conv1d(y, kernel, p["frames.%d.bias" % i], dilation=dilation))
            pooled.append(torch.cat([y[0].mean(1), y[0].std(1)]))
        y = torch.stack(pooled)
        for i in (1, 2):
            y = F.relu(F.linear(y, p["linear%d.weight" % i], p["linear%d.bias" % i]))
        logits = F.normalize(y, dim=1) @ F.normalize(p["speakers"], dim=0)
        loss = F.cross_entropy(logits, torch.tensor([label[0] for label in case["labels"]]))
    elif config["kind"] == "utterance":
        mean = torch.stack([one[:n].mean(0) for one, n in zip(x, frames)])
        logits = F.linear(mean, p["linear.weight"], p["linear.bias"])
        loss, at = 0, 0
        for slot, size in enumerate(case["sizes"]):
            target = torch.tensor([label[slot] for label in case["labels"]])
            loss = loss + F.cross_entropy(logits[:, at:at + size], target)
            at += size
    else:
        if config["kind"] in ("bilstm", "lstm"):
            stack = config.get("stack", 1)
            time = x.shape[1] // stack
            x = x[:, :time * stack].reshape(x.shape[0], time, -1)
            lengths = torch.tensor([n // stack for n in frames])
            for layer in range(config["lstmLayers"]):
                # packed sequences have a frame at least; utterances without any stay zero
                some = lengths > 0
                packed = pack_padded_sequence(x[some], lengths[some], batch_first=True, enforce_sorted=False)
                y, _ = pad_packed_sequence(lstm_of(p, layer, x)(packed)[0], batch_first=True, total_length=time)
                x = torch.zeros(x.shape[0], time, y.shape[-1], dtype=torch.float64).index_put((some,), y)
                if config.get("dropout", 0) > 0:
                    mask = case["masks"]["dropout.lstm.%d" % layer]
                    x = x * double(mask["data"], mask["shape"]).transpose(0, 1) / (1 - config["dropout"])
            frames = lengths.tolist()
        logits = F.linear(x, p["linear.weight"], p["linear.bias"])
        # PyTorch 1.13 gives an utterance without frames the loss of another; ours is 0 and counts in the mean
        some = [i for i, n in enumerate(frames) if n > 0]
        labels = [case["labels"][i] for i in some]
        targets = torch.tensor([symbol for label in labels for symbol in label])
        lengths = torch.tensor([frames[i] for i in some]), torch.tensor([len(label) for label in labels])
        ctc = torch.nn.CTCLoss(blank=0, zero_infinity=True)
        loss = ctc(F.log_softmax(logits[some], -1).transpose(0, 1), targets, *lengths) * len(some) / len(frames)
    loss.backward()
    return {"logits": logits.flatten().tolist(), "loss": loss.item(),
            "gradients": {n: t.grad.flatten().tolist() for n, t in p.items()}}

json.dump([run(case) for case in json.load(sys.stdin)], sys.stdout)
`;

interface Found {
  readonly logits: number[];
  readonly loss: number;
  readonly gradients: Record<string, number[]>;
}

const plain = ({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) => ({
  shape,
  data: Array.from(data),
});

/** The dropout masks that a training pass draws. */
function masksOf({ config, batch, dropoutSeed }: HeadCase) {
  if (config.kind !== "bilstm") return {};
  const [, items, time] = batch.shape;
  const shape = [headFrames(config, time), items, 2 * config.hidden];
  const { dropout: rate, lstmLayers } = config;
  const sites: DropoutSite[] = Array.from({ length: lstmLayers }, (_, i) => ({
    name: `dropout.lstm.${i}`,
    shape,
    rate,
  }));
  const masks = drawDropoutMasks(rate > 0 ? sites : [], {}, dropoutSeed);
  return Object.fromEntries(Object.entries(masks).map(([name, mask]) => [name, plain(mask as never)]));
}

const asked = (one: HeadCase) => ({
  config: one.config,
  parameters: Object.fromEntries([...one.parameters].map(([name, array]) => [name, plain(array)])),
  states: plain({ shape: one.batch.shape, data: one.batch.data }),
  frames: one.batch.frames,
  labels: one.labels,
  plans: one.plans ?? null,
  masks: masksOf(one),
  sizes: one.objective.kind === "classes" ? one.objective.slots.map(({ values }) => values.length) : [],
});

/** Largest difference by the largest value. */
function difference(actual: ArrayLike<number>, expected: readonly number[]): number {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(value - actual[i]))) / largest;
}

/** Logits of the frames there were before the head padded them to whole blocks. */
function withoutPadding({ logits, shape }: HeadOutput, { config, batch }: HeadCase): Float32Array {
  if (shape.length === 2) return logits;
  const [items, time, vocab] = shape as [number, number, number];
  const frames = headFrames(config, batch.shape[2]);
  const rows = Array.from({ length: items }, (_, item) =>
    logits.subarray(item * time * vocab, (item * time + frames) * vocab),
  );
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

const python = findTorch();
describe.skipIf(!python)("PyTorch's", () => {
  let runtime: Runtime;
  let expected: Found[];
  beforeAll(async () => {
    runtime = await createRuntime({ threads: 1 });
    expected = runTorch(python!, SCRIPT, headCases.map(asked)) as Found[];
  });

  test.each(
    headCases.flatMap((one, i) => (["float32", "float16"] as const).map((dtype) => [one.name, dtype, i] as const)),
  )("%s, %s states", async (_, dtype, i) => {
    const one = headCases[i];
    const { config, input, parameters, plans, dropoutSeed } = one;
    const torch = expected[i];
    const head = new Head({ config, input, dtype, parameters, runtime });
    const batch = dtype === "float16" ? asHalves(one.batch) : one.batch;
    head.zeroGradients();
    const output = await head.forward(batch, { dropoutSeed, ...(plans && { plans }) });
    expect(difference(withoutPadding(output, one), torch.logits)).toBeLessThan(2e-6);
    const { loss, cotangent } = createObjective(one.objective).loss(output, one.labels);
    expect(Math.abs(loss / torch.loss - 1)).toBeLessThan(1e-6);
    await head.backward(cotangent);
    await head.release();
    let at = 0;
    for (const [name, { data }] of head.parameters) {
      const gradient = head.gradients.subarray(at, at + data.length);
      at += data.length;
      expect(difference(gradient, torch.gradients[name]), name).toBeLessThan(5e-6);
    }
  });
});
