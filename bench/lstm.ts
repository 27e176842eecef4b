// Milliseconds of one bidirectional LSTM layer, forward and with its gradient, and the share of the matrix rate they reach.
// Usage: npx tsx bench/lstm.ts [--hidden 320,1024] [--batch 16] [--frames 608] [--runs 5] [--threads 2]
import { parseArgs } from "node:util";
import { gradients } from "../src/autodiff/gradient.ts";
import { evaluateShape, mulDims, symbol } from "../src/graph/dim.ts";
import { graphInputs } from "../src/graph/graph.ts";
import * as g from "../src/graph/ops.ts";
import type { Value } from "../src/graph/value.ts";
import { input } from "../src/graph/value.ts";
import { BLOCK_FRAMES, biLstmLayer } from "../src/nn/lstm.ts";
import { Random } from "../src/random.ts";
import { matrixRate } from "../src/runtime/matrix-rate.ts";
import { createRuntime } from "../src/runtime/node/index.ts";
import type { Feed } from "../src/runtime/runtime.ts";

const { values } = parseArgs({
  options: {
    hidden: { type: "string", default: "320,1024" },
    batch: { type: "string", default: "16" },
    frames: { type: "string", default: "608" },
    runs: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
  },
});
const numbers = (text: string) => text.split(",").map(Number);
const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const runtime = await createRuntime({ threads: Number(values.threads) });

/** The layer reads as many features as it outputs, like the second one of a stack. */
function graphs(hidden: number): Record<"forward" | "both", Map<string, Value>> {
  const [time, batch] = [mulDims(BLOCK_FRAMES, symbol("blocks")), symbol("batch")];
  const parameters = new Map<string, Value>();
  const lookup = (name: string) => {
    const columns = name.startsWith("bias") ? [] : [name.startsWith("weight_hh") ? hidden : 2 * hidden];
    const value = parameters.get(name) ?? input(name, [4 * hidden, ...columns]);
    parameters.set(name, value);
    return value;
  };
  const x = input("x", [time, batch, 2 * hidden]);
  const y = biLstmLayer(lookup, 0, x, input("valid", [time, batch, 1]));
  const slopes = gradients(g.sumAll(g.mul(y, input("w", y.shape))), [x, ...parameters.values()]);
  const both = new Map(["x", ...parameters.keys()].map((name, i) => [`gradient.${name}`, slopes[i]]));
  return { forward: new Map([["y", y]]), both };
}

async function measure(outputs: Map<string, Value>, sizes: ReadonlyMap<string, number>) {
  const graph = { name: "lstm", outputs };
  const executable = await runtime.compile(graph);
  const feeds: Record<string, Feed> = {};
  for (const [name, value] of graphInputs(graph)) {
    const shape = evaluateShape(value.shape, sizes);
    const random = new Random(1, name);
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, () => (name === "valid" ? 1 : 0.05 * random.normal()));
    feeds[name] = { shape, data };
  }
  return {
    run: async () => {
      const start = performance.now();
      await executable.run(feeds);
      return performance.now() - start;
    },
    dispose: () => executable.dispose(),
  };
}

const rows = [];
for (const hidden of numbers(values.hidden))
  for (const batch of numbers(values.batch))
    for (const frames of numbers(values.frames)) {
      const sizes = new Map(Object.entries({ batch, blocks: frames / BLOCK_FRAMES }));
      const { forward, both } = graphs(hidden);
      const [f, b] = [await measure(forward, sizes), await measure(both, sizes)];
      const times: Record<string, number[]> = { forward: [], both: [], rate: [] };
      for (let i = 0; i <= Number(values.runs); i++) {
        const measured = { forward: await f.run(), both: await b.run(), rate: await matrixRate(runtime) };
        if (i > 0) for (const [name, value] of Object.entries(measured)) times[name].push(value);
      }
      await f.dispose();
      await b.dispose();
      const gigaflop = (2 * 2 * batch * frames * 4 * hidden * 3 * hidden) / 1e9; // two directions, inputs and recurrence
      const share = (milliseconds: number, passes: number) =>
        Number(((passes * gigaflop * 1e3) / milliseconds / median(times.rate!)).toPrecision(3));
      const [forwardMs, bothMs] = [median(times.forward!), median(times.both!)];
      rows.push({
        hidden,
        batch,
        frames,
        forwardMs: Math.round(forwardMs),
        bothMs: Math.round(bothMs),
        rate: Math.round(median(times.rate!)),
        forwardShare: share(forwardMs, 1),
        bothShare: share(bothMs, 3),
        peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
      });
    }
console.table(rows);
