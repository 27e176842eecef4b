// The header of an ONNX file on disk.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StillwaveError } from "../errors.ts";
import { type OnnxHeader, onnxHeader } from "../onnx/header.ts";

/**
 * Reads the header of an ONNX file; undefined where the file is something else.
 * @throws StillwaveError for a file that cannot be opened
 */
export function readOnnxHeader(path: string): OnnxHeader | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new StillwaveError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code})`);
  }
  const read = (position: number, length: number): Uint8Array => {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(file, buffer, 0, length, position));
  };
  try {
    return onnxHeader(read, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}
