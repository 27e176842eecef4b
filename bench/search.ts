// A group of queries against a block of documents, as a search makes them: cosines by one product and by hand loops, alignments.
// Usage: npx tsx bench/search.ts [--dim 768] [--queries 1024] [--documents 4096] [--rounds 3]
import { parseArgs } from "node:util";
import { symbol } from "../src/graph/dim.ts";
import { gemm } from "../src/graph/ops.ts";
import { input } from "../src/graph/value.ts";
import { Random } from "../src/random.ts";
import { createRuntime } from "../src/runtime/node/index.ts";
import { Aligner } from "../src/superb/search/alignment.ts";

const { values } = parseArgs({
  options: {
    dim: { type: "string", default: "768" },
    queries: { type: "string", default: "1024" },
    documents: { type: "string", default: "4096" },
    rounds: { type: "string", default: "3" },
  },
});
const [dim, rows, columns, rounds] = [values.dim, values.queries, values.documents, values.rounds].map(Number);
/** Frames of a query and of a document: about a second, and six. */
const [QUERY, DOCUMENT] = [48, 300];

const random = new Random(1, "bench");
const draw = (frames: number) => Float32Array.from({ length: frames * dim }, () => random.normal() / Math.sqrt(dim));
const [queries, documents] = [draw(rows), draw(columns)];

async function fastest(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    times.push((performance.now() - began) / 1000);
  }
  return Math.min(...times);
}

const runtime = await createRuntime({ threads: 1, spin: false });
const [a, b] = ["queries", "documents"].map((name) => input(name, [symbol(name), dim]));
const graph = { name: "cosines", outputs: new Map([["cosines", gemm(a, b, { transB: true })]]) };
const executable = await runtime.compile(graph);
const feeds = {
  queries: { shape: [rows, dim], data: queries },
  documents: { shape: [columns, dim], data: documents },
};
const product = await fastest(() => executable.run(feeds));
const cosines = new Float32Array(rows * columns);
const loops = await fastest(() => {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += queries[i * dim + d] * documents[j * dim + d];
      cosines[i * columns + j] = sum;
    }
});
const aligner = new Aligner();
const alignments = await fastest(() => {
  for (let i = 0; i + QUERY <= rows; i += QUERY)
    for (let j = 0; j + DOCUMENT <= columns; j += DOCUMENT)
      aligner.cost(cosines, { at: i * columns + j, stride: columns, queryFrames: QUERY, documentFrames: DOCUMENT });
});
const gflop = (2 * rows * columns * dim) / 1e9;
const cells = Math.floor(rows / QUERY) * QUERY * Math.floor(columns / DOCUMENT) * DOCUMENT;
console.log(`one thread, ${rows} x ${columns} frames of ${dim}`);
console.log(`product      ${product.toFixed(3)} s, ${(gflop / product).toFixed(1)} GFLOP/s`);
console.log(`hand loops   ${loops.toFixed(3)} s, ${(gflop / loops).toFixed(1)} GFLOP/s`);
console.log(`alignments   ${alignments.toFixed(3)} s, ${((1e9 * alignments) / cells).toFixed(1)} ns a pair of frames`);
await executable.dispose();
