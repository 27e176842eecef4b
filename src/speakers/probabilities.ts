// Probabilities of frames as text, exactly: little-endian float32 in base64.
import { bytesOf } from "../graph/array.ts";

export const encodeFloats = (values: Float32Array): string => Buffer.from(bytesOf(values)).toString("base64");

/** Undefined for a text that is none. */
export function decodeFloats(text: string): Float32Array | undefined {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) return undefined;
  return new Float32Array(new Uint8Array(bytes).buffer);
}
