// Attention whose map nobody reads: one fused kernel of cuDNN's, which XLA calls by name, instead of products and a softmax.
import type { GraphNode, NodeOf, Value } from "../graph/value.ts";
import type { Emitter, Tensor } from "./emitter.ts";

/** Values of one attention: softmax(alpha Q K^T + bias) V; [batch, heads, time, size] but for the bias [batch, 1, 1, keys]. */
export interface Attention {
  readonly query: Value;
  readonly key: Value;
  readonly values: Value;
  readonly bias: Value;
  readonly alpha: number;
}

/** How often each value is read; what a graph gives is read too. */
export function countReads(nodes: readonly GraphNode[], outputs: Iterable<Value>): ReadonlyMap<Value, number> {
  const reads = new Map<Value, number>();
  for (const value of [...nodes.flatMap(({ inputs }) => [...inputs] as Value[]), ...outputs])
    reads.set(value, (reads.get(value) ?? 0) + 1);
  return reads;
}

/** The attention that ends in a product, where its map and scores are read by nothing else. */
export function findAttention(product: NodeOf<"matmul">, reads: ReadonlyMap<Value, number>): Attention | undefined {
  const isRead = (value: Value) => reads.get(value) === 1;
  const [map, values] = product.inputs;
  const softmax = map.node;
  if (softmax.op !== "softmax" || !isRead(map) || product.attributes.transA || product.attributes.transB) return;
  const sum = softmax.inputs[0].node;
  if (sum.op !== "add" || !isRead(softmax.inputs[0])) return;
  const [scores, bias] = sum.inputs;
  const inner = scores.node;
  if (inner.op !== "matmul" || !isRead(scores) || inner.attributes.transA || !inner.attributes.transB) return;
  if (map.shape.length !== 4 || bias.shape.length !== 4 || bias.shape[1] !== 1 || bias.shape[2] !== 1) return;
  const [query, key] = inner.inputs;
  return { query, key, values, bias, alpha: inner.attributes.alpha };
}

/** What cuDNN's kernels take: halves, heads of a multiple of 8 numbers, at most 128. */
export const fits = ({ shape, type }: Tensor): boolean =>
  (type === "bf16" || type === "f16") && shape[3] % 8 === 0 && shape[3] <= 128;

/** The kernel on [batch, heads, time, size] -> the same, laid out as [batch, time, heads, size], as layers go on with it. */
export function fusedAttention(
  emit: Emitter,
  { query, key, values, bias }: Readonly<Record<"query" | "key" | "values" | "bias", Tensor>>,
  alpha: number,
): Tensor {
  const [batch, heads, time, size] = query.shape;
  const { type } = query;
  const inTime = [query, key, values].map((x) => emit.transpose(x, [0, 2, 1, 3]));
  const whole = emit.broadcast(emit.convert(bias, type), [batch, 1, time, key.shape[2]]);
  const operands = [...inTime, whole];
  const config = backendConfig([batch, heads, time, key.shape[2]], type === "bf16" ? "BF16" : "F16", alpha);
  const order = (axes: readonly number[]) => `dense<[${axes.join(", ")}]> : tensor<${axes.length}xindex>`;
  const attributes = [
    'call_target_name = "__cudnn$fmhaScaleBiasSoftmax", has_side_effect = false, api_version = 2 : i32',
    `backend_config = ${JSON.stringify(JSON.stringify(config))}, called_computations = []`,
    `operand_layouts = [${operands.map(() => order([3, 2, 1, 0])).join(", ")}]`,
    `result_layouts = [${order([3, 1, 2, 0])}, ${order([0])}]`,
  ].join(", ");
  const results = [
    { shape: [batch, heads, time, size], type },
    { shape: [0], type: "ui8" },
  ] as const;
  return emit.ops("custom_call", operands, results, attributes)[0];
}

/** What XLA reads of such a call: the shape of the map, which is never written, and which axes products contract. */
function backendConfig(map: readonly number[], elementType: string, alpha: number) {
  const contract = (left: string, right: string, batchOfLeft: readonly string[]) => ({
    lhs_contracting_dimensions: [left],
    rhs_contracting_dimensions: [right],
    lhs_batch_dimensions: batchOfLeft,
    rhs_batch_dimensions: ["0", "2"],
  });
  return {
    operation_queue_id: "0",
    cudnn_fmha_backend_config: {
      algorithm: {
        algo_id: "0",
        math_type: "TENSOR_OP_MATH",
        tuning_knobs: { "17": "1", "24": "0" },
        is_cudnn_frontend: true,
        workspace_size: "0",
      },
      fmha_scale: alpha,
      intermediate_tensor_shape: {
        element_type: elementType,
        dimensions: map.map(String),
        tuple_shapes: [],
        layout: { minor_to_major: ["3", "2", "1", "0"], tiles: [], element_size_in_bits: "0", memory_space: "0" },
        is_dynamic_dimension: [false, false, false, false],
      },
      is_flash_attention: true,
      mask_type: "NO_MASK",
      bmm1_dot_dimension_numbers: contract("3", "3", ["0", "2"]),
      bmm2_dot_dimension_numbers: contract("3", "1", ["0", "1"]),
      dropout_rate: 0,
      seed: 42,
      sliding_window_length: 0,
      max_seg_per_batch: 1,
      is_paged_attention: false,
    },
  };
}
