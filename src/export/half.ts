// Weights stored as float16: half the file, cast to float32 once when a session loads it.
import { floatsToHalves } from "../checkpoint/formats/dtypes.ts";
import { StillwaveError } from "../errors.ts";
import { DATA_TYPE, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/proto.ts";

/** From here on the nearest float16 is infinite. */
const ROUNDS_TO_INFINITY = 65520;
/** Smaller tensors (norms, biases, scales) stay float32. */
const FEWEST_ELEMENTS = 2048;

/**
 * Every large float32 constant as float16 behind a Cast, which runtimes fold when they load the file: all computation
 * stays float32.
 * @throws StillwaveError where a weight is beyond float16's range
 */
export function storeAsHalf(model: OnnxModel): OnnxModel {
  const casts: OnnxNode[] = [];
  const initializers = model.initializers.map((tensor): OnnxTensor => {
    const { bytes } = tensor;
    if (tensor.type !== "float32" || !(bytes instanceof Uint8Array) || bytes.byteLength < 4 * FEWEST_ELEMENTS)
      return tensor;
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const beyond = values.find((value) => Math.abs(value) >= ROUNDS_TO_INFINITY);
    if (beyond !== undefined)
      throw new StillwaveError(
        `${describe(tensor, model)} holds ${beyond}, beyond float16 (65504); export as fp32, or as int8 without compact`,
      );
    const name = `${tensor.name}.fp16`;
    const attributes = { to: DATA_TYPE.float32 };
    casts.push({ type: "Cast", name: `Cast_${name}`, inputs: [name], outputs: [tensor.name], attributes });
    return { name, type: "float16", shape: tensor.shape, bytes: new Uint8Array(floatsToHalves(values).buffer) };
  });
  return { ...model, initializers, nodes: [...casts, ...model.nodes] };
}

/** A weight by its name in the model; one that was folded from several by that of the bias it goes with. */
function describe({ name, shape }: OnnxTensor, { nodes, initializers }: OnnxModel): string {
  if (name.includes(".")) return `"${name}"`;
  const reader = nodes.find(({ inputs }) => inputs.includes(name));
  const bias = reader?.inputs.find(
    (input) => input.endsWith(".bias") && initializers.some((one) => one.name === input),
  );
  if (bias) return `"${bias.replace(/bias$/, "weight")}" [${shape}], folded from the model's parameters,`;
  return `a constant [${shape}] folded from the model's parameters${reader ? ` for ${reader.name}` : ""}`;
}
