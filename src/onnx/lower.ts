// One ONNX formulation for every op, total over the vocabulary. Formulations are the fastest measured on ONNX Runtime's CPU.
import type { Dim } from "../graph/dim.ts";
import type { NodeOf } from "../graph/value.ts";
import type { Attributes, OpName } from "../graph/vocabulary.ts";
import type { Emitter } from "./emitter.ts";
import { lowerGemm } from "./gemm.ts";
import { lowerLstm, lowerLstmBackward } from "./lstm.ts";
import { DATA_TYPE, type OnnxAttributes } from "./proto.ts";

/** Emits the nodes of `node`; its inputs have names already. */
type Lower<K extends OpName> = (node: NodeOf<K>, emit: Emitter) => void;

const MICROSOFT = "com.microsoft";

/** One ONNX node with the same operands. */
const same =
  <K extends OpName>(type: string, attributes?: (attributes: Attributes<K>) => OnnxAttributes): Lower<K> =>
  (node, emit) =>
    emit.to(node, type, emit.names(node.inputs), attributes?.(node.attributes));

const reduction =
  (type: string) =>
  (node: NodeOf<"sum" | "mean" | "max">, emit: Emitter): void => {
    const { axes, keepDims } = node.attributes;
    const [x, keepdims] = [emit.name(node.inputs[0]), keepDims ? 1n : 0n];
    if (type === "ReduceSum" || emit.target.opset >= 18) emit.to(node, type, [x, emit.int64(axes)], { keepdims });
    else emit.to(node, type, [x], { axes: axes.map(BigInt), keepdims });
  };

/** cotangent * (Phi(x) + x phi(x)), u = x / sqrt(2): Phi by HardSigmoid, which is 0.5 e + 0.5 in one pass here. */
function lowerGeluBackward(node: NodeOf<"geluBackward">, emit: Emitter): void {
  const [x, cotangent] = emit.names(node.inputs);
  const u = emit.op("Mul", [x, emit.float(Math.SQRT1_2)]);
  const phi = emit.op("HardSigmoid", [emit.op("Erf", [u])], { alpha: 0.5, beta: 0.5 });
  const exponent = emit.op("Sub", [emit.float(-0.5 * Math.log(Math.PI)), emit.op("Mul", [u, u])]);
  const density = emit.op("Mul", [u, emit.op("Exp", [exponent])]); // x phi(x)
  emit.to(node, "Mul", [cotangent, emit.op("Add", [phi, density])]);
}

/** x * Phi(x); an operator of its own from opset 20. */
function lowerGelu(node: NodeOf<"gelu">, emit: Emitter): void {
  const x = emit.name(node.inputs[0]);
  if (emit.target.opset >= 20) emit.to(node, "Gelu", [x]);
  else {
    // ONNX Runtime recognises this form and fuses it
    const shifted = emit.op("Add", [emit.op("Erf", [emit.op("Div", [x, emit.float(Math.SQRT2)])]), emit.float(1)]);
    emit.to(node, "Mul", [emit.op("Mul", [x, shifted]), emit.float(0.5)]);
  }
}

/** No standard product transposes or scales: a Transpose and a Mul go before it, which ONNX Runtime fuses again. */
function lowerMatmul(node: NodeOf<"matmul">, emit: Emitter): void {
  const { transA, transB, alpha } = node.attributes;
  const operands = emit.names(node.inputs);
  if (!transA && !transB && alpha === 1) emit.to(node, "MatMul", operands);
  else if (emit.target.standard) {
    const turned = operands.map((name, i) => {
      if (!(i === 0 ? transA : transB)) return name;
      const rank = node.inputs[i].shape.length;
      const axes = Array.from({ length: rank }, (_, axis) => BigInt(axis < rank - 2 ? axis : 2 * rank - 3 - axis));
      return emit.op("Transpose", [name], { perm: axes });
    });
    const first = alpha === 1 ? turned[0] : emit.op("Mul", [turned[0], emit.float(alpha)]);
    emit.to(node, "MatMul", [first, turned[1]]);
  } else
    emit.to(node, "FusedMatMul", operands, { transA: transA ? 1n : 0n, transB: transB ? 1n : 0n, alpha }, MICROSOFT);
}

function lowerSlice(node: NodeOf<"slice">, emit: Emitter): void {
  const { axis, start, end, step } = node.attributes;
  const x = emit.name(node.inputs[0]);
  const axes = emit.int64([axis]);
  if (step === 1) emit.to(node, "Slice", [x, emit.dims([start]), emit.dims([end]), axes]);
  else emit.to(node, "Slice", [x, emit.int64([-1]), emit.int64([-(2 ** 31)]), axes, emit.int64([-1])]);
}

function lowerScatter(node: NodeOf<"scatterAddRows">, emit: Emitter): void {
  const [indices, updates, base] = node.inputs;
  const column = emit.op("Unsqueeze", [emit.name(indices), emit.int64([1])]);
  const data = base ? emit.name(base) : emit.op("Expand", [emit.float(0), emit.dims(node.outputs[0].shape)]);
  emit.to(node, "ScatterND", [data, column, emit.name(updates)], { reduction: "add" });
}

function lowerRange(node: NodeOf<"iota">, emit: Emitter): void {
  const size = emit.op("Squeeze", [emit.dims([node.attributes.size])]);
  emit.to(node, "Range", [emit.int64Scalar(0), size, emit.int64Scalar(1)]);
}

const LOWERINGS: { readonly [K in OpName]: Lower<K> } = {
  input: () => {},
  constant: (node, emit) => emit.constant(node),
  iota: lowerRange,
  dimension: (node, emit) => {
    const { size, dtype } = node.attributes;
    const dims = emit.dims([size]);
    emit.to(node, "Squeeze", [dtype === "int64" ? dims : emit.op("Cast", [dims], { to: DATA_TYPE.float32 })]);
  },
  add: same("Add"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: same("Div"),
  less: same("Less"),
  neg: same("Neg"),
  exp: same("Exp"),
  log: same("Log"),
  sqrt: same("Sqrt"),
  erf: same("Erf"),
  abs: same("Abs"),
  sign: same("Sign"),
  sigmoid: same("Sigmoid"),
  tanh: same("Tanh"),
  gelu: lowerGelu,
  geluBackward: lowerGeluBackward,
  clip: (node, emit) => {
    const { min, max } = node.attributes;
    const limit = node.inputs[0].dtype === "int64" ? (n: number) => emit.int64Scalar(n) : (n: number) => emit.float(n);
    emit.to(node, "Clip", [emit.name(node.inputs[0]), limit(min), limit(max)]);
  },
  cast: same("Cast", ({ to }) => ({ to: DATA_TYPE[to] })),
  dropout: (node, emit) => {
    const [x, mask] = emit.names(node.inputs);
    const scale = emit.float(1 / (1 - node.attributes.rate));
    emit.to(node, "Mul", [x, emit.op("DequantizeLinear", [mask, scale])]);
  },
  scaleGradient: (node, emit) => emit.bind(node.outputs[0], emit.name(node.inputs[0])),
  matmul: lowerMatmul,
  gemm: lowerGemm,
  conv1d: same("Conv", ({ stride, groups, padding }) => ({
    strides: [BigInt(stride)],
    group: BigInt(groups),
    pads: padding.map(BigInt),
  })),
  sum: reduction("ReduceSum"),
  mean: reduction("ReduceMean"),
  max: reduction("ReduceMax"),
  softmax: same("Softmax", () => ({ axis: -1n })),
  layerNorm: same("LayerNormalization", ({ epsilon }) => ({ axis: -1n, epsilon })),
  lstm: lowerLstm,
  lstmBackward: lowerLstmBackward,
  reshape: (node, emit) => {
    const operands = [emit.name(node.inputs[0]), emit.reshapeTarget(node.attributes.shape)];
    emit.to(node, "Reshape", operands, { allowzero: 1n }); // a size of 0 is 0, not a copy of the input's
  },
  transpose: same("Transpose", ({ permutation }) => ({ perm: permutation.map(BigInt) })),
  broadcast: (node, emit) => emit.to(node, "Expand", [emit.name(node.inputs[0]), emit.dims(node.attributes.shape)]),
  slice: lowerSlice,
  concat: same("Concat", ({ axis }) => ({ axis: BigInt(axis) })),
  pad: (node, emit) => {
    const { axis, before, after } = node.attributes;
    const x = node.inputs[0];
    const at = (size: Dim) => x.shape.map((_, i) => (i === axis ? size : 0));
    if (emit.target.opset >= 18)
      emit.to(node, "Pad", [emit.name(x), emit.dims([before, after]), "", emit.int64([axis])]);
    else emit.to(node, "Pad", [emit.name(x), emit.dims([...at(before), ...at(after)])]);
  },
  gather: same("Gather", ({ axis }) => ({ axis: BigInt(axis) })),
  scatterAddRows: lowerScatter,
};

/** Emits the ONNX nodes of one node. */
export function lower<K extends OpName>(node: NodeOf<K>, emit: Emitter): void {
  LOWERINGS[node.op](node, emit);
}
