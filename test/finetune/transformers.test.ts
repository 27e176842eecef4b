// A joint step against transformers' HubertModel with a linear CTC head in PyTorch, float64: logits, loss, every gradient.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeModelFolder } from "../../src/checkpoint/index.ts";
import { upstreamOf } from "../../src/finetune/model/parameters.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createObjective } from "../../src/superb/objectives/index.ts";
import { statesFor } from "../../src/upstream/states.ts";
import { findTransformers, runTorch } from "../superb/torch.ts";
import { jointCases, stepOf, tinyConfig } from "./cases.ts";

const SCRIPT = `
import json, sys, torch
from torch.nn import functional as F
from transformers import HubertModel
case = json.load(sys.stdin)
double = lambda a: torch.tensor(a["data"], dtype=torch.float64).reshape(a["shape"])
model = HubertModel.from_pretrained(case["folder"]).double().eval()
p = {n: double(a).requires_grad_() for n, a in case["head"].items()}
wave, mask = double(case["wave"]), double(case["mask"]).bool()
x = model(wave, mask_time_indices=mask).last_hidden_state
logits = F.linear(F.linear(x, p["projector.weight"], p["projector.bias"]), p["linear.weight"], p["linear.bias"])
targets = torch.tensor([s for label in case["labels"] for s in label])
lengths = torch.full((len(wave),), logits.shape[1]), torch.tensor([len(label) for label in case["labels"]])
loss = torch.nn.CTCLoss(blank=0, zero_infinity=True)(F.log_softmax(logits, -1).transpose(0, 1), targets, *lengths)
loss.backward()
name = lambda n: n.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v")
found = {"upstream." + name(n): t.grad for n, t in model.named_parameters() if t.grad is not None}
found.update({"head." + n: t.grad for n, t in p.items() if t.grad is not None})
json.dump({"logits": logits.flatten().tolist(), "loss": loss.item(),
           "gradients": {n: g.flatten().tolist() for n, g in found.items()}}, sys.stdout)
`;

const plain = ({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) => ({
  shape,
  data: Array.from(data),
});

const python = findTransformers();
describe.skipIf(!python)("transformers'", () => {
  test("HubertModel with a CTC head has the same logits, loss and gradients", async () => {
    const [one] = jointCases;
    const config = { ...tinyConfig, family: "hubert" as const, attentionFrom: [0, 1], headDim: null, headLayers: [] };
    const folder = mkdtempSync(join(tmpdir(), "stillwave-hubert-"));
    const model = { ...one.model, config };
    const { initParameters } = await import("../../src/models/init.ts");
    const fresh = initParameters(config, { seed: 8 });
    // as in the case, nothing at its initial zero or one
    for (const [name, { data }] of fresh) {
      const known = one.parameters.get(`upstream.${name}`)?.data;
      if (known?.length === data.length) data.set(known);
    }
    const head = new Map([...one.parameters].filter(([name]) => name.startsWith("head.")));
    const parameters = new Map([...[...fresh].map(([name, array]) => [`upstream.${name}`, array] as const), ...head]);
    await writeModelFolder(folder, { config, parameters: upstreamOf(parameters, model) });
    // of one length: transformers normalises over padding too
    const { wave, paddedSamples } = one.batch;
    const batch = padWaveforms([wave.slice(0, paddedSamples), wave.slice(0, paddedSamples).reverse()]);
    const time = { frames: one.masks.time!.frames, data: one.masks.time!.data };
    const none = { residual: 0, attention: 0, activation: 0, input: 0 };
    const runtime = await createRuntime({ threads: 1 });
    const step = stepOf({ ...one, model, parameters, states: statesFor(config, "last") }, runtime, none as never);
    step.zeroGradients();
    const output = await step.forward(batch, { dropoutSeed: 0, masks: { time }, learning: one.learning });
    const { loss, cotangent } = createObjective(one.objective).loss(output, one.labels);
    await step.backward(cotangent);
    const expected = runTorch(python!, SCRIPT, {
      folder,
      wave: plain({ shape: [2, paddedSamples], data: batch.wave }),
      mask: plain({ shape: [2, time.frames], data: time.data }),
      head: Object.fromEntries([...head].map(([name, array]) => [name.slice("head.".length), plain(array)])),
      labels: one.labels,
    }) as { logits: number[]; loss: number; gradients: Record<string, number[]> };
    rmSync(folder, { recursive: true });
    expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(2e-6);
    const largest = Math.max(...expected.logits.map(Math.abs));
    for (const [i, value] of expected.logits.entries())
      expect(Math.abs(output.logits[i] - value)).toBeLessThan(5e-6 * largest);
    let at = 0;
    let compared = 0;
    for (const [name, { data }] of step.parameters) {
      const own = step.gradients.subarray(at, at + data.length);
      at += data.length;
      const theirs = expected.gradients[name];
      // a softmax over keys does not see their bias: zero in theory
      if (!theirs || name.endsWith("k_proj.bias")) continue;
      compared++;
      const size = Math.max(...theirs.map(Math.abs));
      for (const [i, value] of theirs.entries())
        expect(Math.abs(own[i] - value), `${name}[${i}]`).toBeLessThan(2e-5 * size + 1e-8);
    }
    expect(compared).toBeGreaterThan(35);
    await step.dispose();
  });
});
