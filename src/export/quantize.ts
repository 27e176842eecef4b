// 8-bit linear layers: weights per output channel, activations as they come; standard operators that ONNX Runtime fuses.
import { InternalError } from "../errors.ts";
import { DATA_TYPE, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/proto.ts";

/** Linear layers of the Transformer and heads; not convolutions, the feature projection (its error would reach every layer), WavLM's gate. */
const QUANTIZED =
  /^(heads\.\d+|encoder\.layers\.\d+\.(attention\.[qkv]_proj|attention\.out_proj|feed_forward\.\w+))\.weight$/;

const floatsOf = ({ bytes }: OnnxTensor): Float32Array => {
  if (!(bytes instanceof Uint8Array)) throw new InternalError("quantize: weights are stored apart already");
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
};

/**
 * What a weight of 0 is stored as. Weights are unsigned because x86 CPUs without VNNI multiply unsigned activations with
 * signed weights by vpmaddubsw, which cuts the sum of two products off at 16 bits: 255 * 127 * 2 does not fit.
 */
const ZERO_POINT = 128;

/** weight [out, in] -> uint8 [in, out] and its scale per output channel, symmetric: `ZERO_POINT` - 127 to + 127. */
export function quantizeRows(weight: Float32Array, rows: number, columns: number) {
  const values = new Uint8Array(weight.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++) largest = Math.max(largest, Math.abs(weight[i]));
    const scale = largest > 0 ? largest / 127 : 1;
    scales[row] = scale;
    for (let column = 0; column < columns; column++)
      values[column * rows + row] = ZERO_POINT + Math.round(weight[row * columns + column] / scale);
  }
  return { values, scales };
}

/** Every linear layer's Gemm becomes DynamicQuantizeLinear, MatMulInteger and a scaling; one input is quantised once. */
export function quantizeLinears(model: OnnxModel): OnnxModel {
  const tensors = new Map(model.initializers.map((tensor) => [tensor.name, tensor]));
  const replaced = new Map<string, OnnxTensor[]>();
  const quantized = new Map<string, string>();
  const nodes: OnnxNode[] = [];
  const zeroPoint: OnnxTensor = { name: "weight_zero", type: "uint8", shape: [], bytes: Uint8Array.of(ZERO_POINT) };
  const quantizeWeight = (weight: OnnxTensor): readonly [string, string] => {
    const names = [`${weight.name}.uint8`, `${weight.name}.scale`] as const;
    if (!replaced.has(weight.name)) {
      const [rows, columns] = weight.shape as [number, number];
      const { values, scales } = quantizeRows(floatsOf(weight), rows, columns);
      replaced.set(weight.name, [
        { name: names[0], type: "uint8", shape: [columns, rows], bytes: values },
        { name: names[1], type: "float32", shape: [rows], bytes: new Uint8Array(scales.buffer) },
      ]);
    }
    return names;
  };
  const quantizeInput = (x: string): string => {
    const known = quantized.get(x);
    if (known) return known;
    const base = `${x}.uint8`;
    nodes.push({ type: "DynamicQuantizeLinear", name: `DynamicQuantizeLinear_${x}`, inputs: [x], outputs: [base, `${base}.scale`, `${base}.zero`] }); // biome-ignore format: one line
    quantized.set(x, base);
    return base;
  };
  for (const node of model.nodes) {
    const weight = node.type === "Gemm" ? tensors.get(node.inputs[1]) : undefined;
    if (!weight || !QUANTIZED.test(weight.name)) {
      nodes.push(node);
      continue;
    }
    if (node.attributes?.transB !== 1n || node.attributes.transA !== 0n || node.attributes.alpha !== 1)
      throw new InternalError(`quantize: ${weight.name} is not used as a plain linear layer`);
    const x = quantizeInput(node.inputs[0]);
    const [values, scales] = quantizeWeight(weight);
    const y = node.outputs[0];
    const step = (type: string, suffix: string, inputs: readonly string[], attributes?: OnnxNode["attributes"]) => {
      const output = suffix ? `${y}.${suffix}` : y;
      nodes.push({ type, name: `${type}_${output}`, inputs, outputs: [output], attributes });
      return output;
    };
    const bias = node.inputs[2];
    const product = step("MatMulInteger", "integer", [x, values, `${x}.zero`, zeroPoint.name]);
    const float = step("Cast", "float", [product], { to: DATA_TYPE.float32 });
    const scale = step("Mul", "scale", [`${x}.scale`, scales]);
    const scaled = step("Mul", bias ? "scaled" : "", [float, scale]);
    if (bias) step("Add", "", [scaled, bias]);
  }
  const initializers = model.initializers.flatMap((tensor) => replaced.get(tensor.name) ?? [tensor]);
  return { ...model, nodes, initializers: [...initializers, zeroPoint] };
}
