// Versions of ONNX's standard operators, and the lowest ONNX Runtime that loads a file written for each.

/** The newest version that ONNX Runtime 1.17 loads: with it GELU is still an operator of its own. */
export const DEFAULT_OPSET = 20;

/**
 * The minor version of ONNX Runtime 1 that first loads a file, whose format follows the opset too; tried with
 * onnxruntime-node 1.12 to 1.23 on models of every family. LayerNormalization came with 17.
 */
const FIRST_MINOR: Readonly<Record<number, number>> = { 17: 12, 18: 14, 19: 16, 20: 17, 21: 18, 22: 21, 23: 23 };

/** ONNX Runtime before this has no MultiHeadAttention, or (1.15) one that reads its mask otherwise. */
const FIRST_MINOR_FUSED = 16;

export const OPSETS = { first: 17, last: 23 } as const;

/** The lowest ONNX Runtime that runs a file: `1.17`. */
export function lowestRuntime(opset: number, fuse = false): string {
  return `1.${Math.max(FIRST_MINOR[opset], fuse ? FIRST_MINOR_FUSED : 0)}`;
}
