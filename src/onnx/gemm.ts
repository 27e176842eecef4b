// Rank 2 products in ONNX: one Gemm, or a Scan of Gemms over blocks of rows.
import type { NodeOf, Value } from "../graph/value.ts";
import type { Emitter } from "./emitter.ts";
import { Body, emitScan } from "./scan.ts";

export function lowerGemm(node: NodeOf<"gemm">, emit: Emitter): void {
  const { transA, transB, alpha, rowsPerBlock } = node.attributes;
  const attributes = { transA: transA ? 1n : 0n, transB: transB ? 1n : 0n, alpha };
  if (rowsPerBlock === undefined) {
    emit.to(node, "Gemm", emit.names(node.inputs), attributes);
    return;
  }
  const rank3 = (x: Value) => emit.op("Reshape", [emit.name(x), emit.dims([-1, rowsPerBlock, x.shape[1]])]);
  const [a, b, c] = node.inputs;
  const byRow = c?.shape.length === 2 && c.shape[0] !== 1; // the others are the same for every block
  const body = new Body(`_gemm${emit.unique()}`);
  const [rows, summands] = [body.name("a"), body.name("c")];
  const third = c ? [byRow ? summands : emit.name(c)] : [];
  const block = body.op("Gemm", [rows, emit.name(b), ...third], attributes);
  const graph = body.graph(byRow ? [rows, summands] : [rows], [block]);
  const blocks = `_t${emit.unique()}`;
  const inputs = byRow ? [rank3(a), rank3(c)] : [rank3(a)];
  emitScan(emit, { body: graph, states: [], backwards: false, inputs }, [blocks]);
  emit.to(node, "Reshape", [blocks, emit.reshapeTarget(node.outputs[0].shape)], { allowzero: 1n });
}
