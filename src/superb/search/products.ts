// Entry point of a searching thread: a group of queries against a block of documents, cosines by one product.
import { parentPort, workerData } from "node:worker_threads";
import { answerOf } from "../../data/threads.ts";
import { symbol } from "../../graph/dim.ts";
import { gemm } from "../../graph/ops.ts";
import { input } from "../../graph/value.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Executable } from "../../runtime/runtime.ts";
import { Aligner } from "./alignment.ts";
import type { SearchTask } from "./search.types.ts";

const { dim } = workerData as { readonly dim: number };

async function compile(): Promise<Executable> {
  const [queries, documents] = ["queries", "documents"].map((name) => input(name, [symbol(name), dim]));
  // threads share the work by queries: one each inside a product, which does not spin where others compute
  const runtime = await createRuntime({ threads: 1, spin: false });
  const cosines = gemm(queries, documents, { transB: true });
  return runtime.compile({ name: "cosines", outputs: new Map([["cosines", cosines]]) });
}

const executable = compile();
const aligner = new Aligner();

/** Costs [queries, documents] of unit rows. */
async function search({ queries, documents }: SearchTask): Promise<Float64Array> {
  const feed = ({ rows }: SearchTask["queries"]) => ({ shape: [rows.length / dim, dim], data: rows });
  const { cosines } = await (await executable).run({ queries: feed(queries), documents: feed(documents) });
  const stride = documents.rows.length / dim;
  const data = cosines.data as Float32Array;
  const costs = new Float64Array(queries.frames.length * documents.frames.length);
  let [row, pair] = [0, 0];
  for (const queryFrames of queries.frames) {
    let column = 0;
    for (const documentFrames of documents.frames) {
      costs[pair++] = aligner.cost(data, { at: row * stride + column, stride, queryFrames, documentFrames });
      column += documentFrames;
    }
    row += queryFrames;
  }
  return costs;
}

parentPort?.on("message", async (task: SearchTask) => {
  parentPort?.postMessage(await answerOf(() => search(task)));
});
