// The bidirectional LSTM against PyTorch's on a packed sequence: output and every gradient. Skips, saying so, without torch.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import type { Dim } from "../../src/graph/dim.ts";
import { mulDims, symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { input, reachableNodes } from "../../src/graph/value.ts";
import { BLOCK_FRAMES, biLstmLayer } from "../../src/nn/lstm.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Feed } from "../../src/runtime/runtime.ts";
import { hasModules } from "../superb/torch.ts";

const python = ["python3", "/usr/bin/python3"].find((name) => hasModules(name, ["torch"]));
if (!python) console.log("skipped: python3 with torch is not installed, so the LSTM is not held against PyTorch's");

const [ITEMS, WIDTH, HIDDEN] = [3, 5, 4];

const script = (frames: number, lengths: readonly number[]) => `
import json, torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
torch.manual_seed(0)
lstm = torch.nn.LSTM(${WIDTH}, ${HIDDEN}, bidirectional=True).double()
x = torch.randn(${frames}, ${ITEMS}, ${WIDTH}, dtype=torch.float64, requires_grad=True)
w = torch.randn(${frames}, ${ITEMS}, ${2 * HIDDEN}, dtype=torch.float64)
y, _ = pad_packed_sequence(lstm(pack_padded_sequence(x, [${lengths}]))[0])
(y * w).sum().backward()
flat = lambda t: {"shape": list(t.shape), "data": t.detach().flatten().tolist()}
print(json.dumps({"x": flat(x), "w": flat(w), "y": flat(y), "dx": flat(x.grad),
  "parameters": {n: flat(p) for n, p in lstm.named_parameters()},
  "gradients": {n: flat(p.grad) for n, p in lstm.named_parameters()}}))
`;

interface Flat {
  readonly shape: number[];
  readonly data: number[];
}
const feed = ({ shape, data }: Flat): Feed => ({ shape, data: Float32Array.from(data) });

function expectClose(actual: Float32Array, expected: Flat, name: string): void {
  const largest = Math.max(...expected.data.map(Math.abs));
  const worst = Math.max(...expected.data.map((value, i) => Math.abs(value - actual[i])));
  expect(worst / largest, name).toBeLessThan(2e-6);
}

/** Any number of frames, and a number that is known to be a multiple of the block. */
const CASES: [string, Dim, number, number[]][] = [
  ["frame by frame", symbol("time"), 7, [7, 5, 2]],
  ["in blocks of frames", mulDims(BLOCK_FRAMES, symbol("blocks")), 2 * BLOCK_FRAMES, [32, 17, 2]],
];

test.skipIf(!python).each(CASES)(
  "output and gradients are PyTorch's: %s",
  async (title, time, frames, lengths) => {
    const torch = JSON.parse(execFileSync(python!, ["-c", script(frames, lengths)], { encoding: "utf8" })) as Record<
      "x" | "w" | "y" | "dx",
      Flat
    > &
      Record<"parameters" | "gradients", Record<string, Flat>>;
    const names = Object.keys(torch.parameters);
    const batch = symbol("batch");
    const parameters = new Map(names.map((name) => [name, input(name, torch.parameters[name].shape)]));
    const x = input("x", [time, batch, WIDTH]);
    const valid = input("valid", [time, batch, 1]);
    const y = biLstmLayer((name) => parameters.get(name)!, 0, x, valid);
    const loss = g.sumAll(g.mul(y, input("w", [time, batch, 2 * HIDDEN])));
    const [dx, ...rest] = gradients(loss, [x, ...parameters.values()]);
    const outputs = new Map<string, Value>([
      ["y", y],
      ["dx", dx!],
    ]);
    for (const [i, name] of names.entries()) outputs.set(`d_${name}`, rest[i]);

    const runtime = await createRuntime();
    const blocked = reachableNodes([...outputs.values()]).filter(
      (node) => node.op === "gemm" && node.attributes.rowsPerBlock !== undefined,
    );
    expect(blocked).toHaveLength(title === "in blocks of frames" ? 4 : 0); // gate inputs and their cotangents
    const executable = await runtime.compile({ name: "lstm", outputs });
    const ones = Float32Array.from({ length: frames * ITEMS }, (_, i) =>
      Math.floor(i / ITEMS) < lengths[i % ITEMS] ? 1 : 0,
    );
    const results = await executable.run({
      ...Object.fromEntries(names.map((name) => [name, feed(torch.parameters[name])])),
      x: feed(torch.x),
      w: feed(torch.w),
      valid: { shape: [frames, ITEMS, 1], data: ones },
    });
    await executable.dispose();
    expectClose(results.y!.data, torch.y, "y");
    expectClose(results.dx!.data, torch.dx, "dx");
    for (const name of names) expectClose(results[`d_${name}`].data, torch.gradients[name], name);
  },
  120_000,
);
