// Attention in one operator of ONNX Runtime's own (com.microsoft MultiHeadAttention), where nobody else reads the map.
import { DATA_TYPE, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/proto.ts";

/** Graph output that `fuseAttention` takes the mask from, and removes: float32 [batch, frames], 1 at true frames. */
export const FRAME_MASK = "frame_mask";

interface Index {
  /** The node that makes a tensor. */
  readonly maker: ReadonlyMap<string, OnnxNode>;
  /** The nodes that read a tensor; graph outputs count as one more. */
  readonly readers: ReadonlyMap<string, readonly (OnnxNode | null)[]>;
}

function indexOf(model: OnnxModel): Index {
  const maker = new Map<string, OnnxNode>();
  const readers = new Map<string, (OnnxNode | null)[]>();
  const read = (name: string, reader: OnnxNode | null) => {
    const list = readers.get(name);
    if (list) list.push(reader);
    else readers.set(name, [reader]);
  };
  for (const node of model.nodes) {
    for (const output of node.outputs) maker.set(output, node);
    for (const input of node.inputs) read(input, node);
  }
  for (const { name } of model.outputs) read(name, null);
  return { maker, readers };
}

interface Match {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** Added to the scores besides padding: WavLM's positions. */
  readonly bias: string;
  readonly scale: string;
  /** The reshape to rows that reads the merged heads. */
  readonly merge: OnnxNode;
}

/** softmax(scale [q, 1] [k, padding]^T + bias) v as `attentionMap` and `applyMap` are lowered; undefined where it is not that. */
function match(softmax: OnnxNode, { maker, readers }: Index): Match | undefined {
  const only = (name: string | undefined, type: string) => {
    const list = name === undefined ? [] : (readers.get(name) ?? []);
    return list.length === 1 && list[0]?.type === type ? list[0] : undefined;
  };
  const from = (name: string | undefined, type: string) => {
    const node = name === undefined ? undefined : maker.get(name);
    return node?.type === type ? node : undefined;
  };
  /** The [batch, time, heads, headDim] view behind [batch, heads, time, headDim]. */
  const unsplit = (name: string | undefined) => {
    const turned = from(name, "Transpose");
    const order = turned?.attributes?.perm as readonly bigint[] | undefined;
    return order?.join() === "0,2,1,3" ? from(turned!.inputs[0], "Reshape")?.outputs[0] : undefined;
  };
  const product = only(softmax.outputs[0], "MatMul");
  const value = product?.inputs[0] === softmax.outputs[0] ? unsplit(product?.inputs[1]) : undefined;
  const merge = only(only(product?.outputs[0], "Transpose")?.outputs[0], "Reshape");
  const sum = from(softmax.inputs[0], "Add");
  const scores = from(sum ? sum.inputs[0] : softmax.inputs[0], "MatMul");
  const scaled = from(scores?.inputs[0], "Mul");
  const query = unsplit(from(scaled?.inputs[0], "Concat")?.inputs[0]);
  const key = unsplit(from(from(scores?.inputs[1], "Transpose")?.inputs[0], "Concat")?.inputs[0]);
  if (!query || !key || !value || !merge || !scaled) return undefined;
  return { query, key, value, bias: sum ? sum.inputs[1] : "", scale: scaled.inputs[1], merge };
}

/** What the outputs need. */
function withoutUnused(model: OnnxModel): OnnxModel {
  const needed = new Set(model.outputs.map(({ name }) => name));
  const kept = new Set<OnnxNode>();
  const { maker } = indexOf(model);
  const stack = [...needed];
  while (stack.length > 0) {
    const node = maker.get(stack.pop()!);
    if (!node || kept.has(node)) continue;
    kept.add(node);
    for (const input of node.inputs) {
      needed.add(input);
      stack.push(input);
    }
  }
  const nodes = model.nodes.filter((node) => kept.has(node));
  return { ...model, nodes, initializers: model.initializers.filter(({ name }) => needed.has(name)) };
}

/** Replaces every attention whose map is read once. `heads` of the model; the file then runs in ONNX Runtime only. */
export function fuseAttention(model: OnnxModel, heads: number): OnnxModel {
  const index = indexOf(model);
  const scalars = new Map(model.initializers.map((tensor) => [tensor.name, tensor]));
  const merged: OnnxTensor = { name: "merged_heads", type: "int64", shape: [3], bytes: new Uint8Array(BigInt64Array.of(0n, 0n, -1n).buffer) }; // biome-ignore format: one line
  const mask: OnnxNode = { type: "Cast", name: "Cast_key_mask", inputs: [FRAME_MASK], outputs: ["key_mask"], attributes: { to: DATA_TYPE.int32 } }; // biome-ignore format: one line
  const replaced = new Map<OnnxNode, OnnxNode[]>();
  for (const node of model.nodes) {
    const found = node.type === "Softmax" ? match(node, index) : undefined;
    const scale = found && scalars.get(found.scale);
    if (!found || !(scale?.bytes instanceof Uint8Array)) continue;
    const name = found.merge.outputs[0];
    const flat = [found.query, found.key, found.value].map((view, i): OnnxNode => {
      const output = `${name}.${"qkv"[i]}`;
      return { type: "Reshape", name: `Reshape_${output}`, inputs: [view, merged.name], outputs: [output] };
    });
    const [query, key, value] = flat.map(({ outputs }) => outputs[0]) as [string, string, string];
    const bytes = new DataView(scale.bytes.buffer, scale.bytes.byteOffset, 4);
    const attention: OnnxNode = {
      type: "MultiHeadAttention",
      domain: "com.microsoft",
      name: `MultiHeadAttention_${name}`,
      inputs: [query, key, value, "", "key_mask", ...(found.bias ? [found.bias] : [])],
      outputs: [`${name}.heads`],
      attributes: { num_heads: BigInt(heads), scale: bytes.getFloat32(0, true) },
    };
    const rows = { ...found.merge, inputs: [`${name}.heads`, found.merge.inputs[1]] };
    replaced.set(found.merge, [...flat, attention, rows]);
  }
  const maskAt = model.nodes.findIndex((node) => node.outputs.includes(FRAME_MASK));
  const nodes = model.nodes.flatMap((node, i) => {
    const own = replaced.get(node) ?? [node];
    return i === maskAt ? [...own, mask] : own;
  });
  const outputs = model.outputs.filter(({ name }) => name !== FRAME_MASK);
  return withoutUnused({ ...model, nodes, outputs, initializers: [...model.initializers, merged] });
}
