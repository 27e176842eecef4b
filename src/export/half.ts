// Weights stored as float16: half the file, cast to float32 once when a session loads it.
import { floatsToHalves } from "../checkpoint/dtypes.ts";
import { StillwaveError } from "../errors.ts";
import { ONNX_TYPE_OF } from "../onnx/lower.ts";
import type { OnnxModel, OnnxNode, OnnxTensor } from "../onnx/proto.ts";

/** Smaller tensors (norms, biases, scales) stay float32. */
const FEWEST_ELEMENTS = 2048;

/**
 * Every large float32 constant as float16 behind a Cast, which runtimes fold when they load the file: all computation
 * stays float32. Throws a StillwaveError where a weight is beyond float16's range.
 */
export function storeAsHalf(model: OnnxModel): OnnxModel {
  const casts: OnnxNode[] = [];
  const initializers = model.initializers.map((tensor): OnnxTensor => {
    const { bytes } = tensor;
    if (tensor.type !== "float32" || !(bytes instanceof Uint8Array) || bytes.byteLength < 4 * FEWEST_ELEMENTS)
      return tensor;
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    if (values.some((value) => Math.abs(value) >= 65520))
      throw new StillwaveError(`${tensor.name} has values beyond the range of float16 (65504); export as fp32`);
    const name = `${tensor.name}.fp16`;
    const attributes = { to: ONNX_TYPE_OF.float32 };
    casts.push({ type: "Cast", name: `Cast_${name}`, inputs: [name], outputs: [tensor.name], attributes });
    return { name, type: "float16", shape: tensor.shape, bytes: new Uint8Array(floatsToHalves(values).buffer) };
  });
  return { ...model, initializers, nodes: [...casts, ...model.nodes] };
}
