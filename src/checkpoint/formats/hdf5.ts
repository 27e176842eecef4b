// Writes an array as an HDF5 file that any reader opens: one dataset in the root group, its numbers in one piece.
// Ours because what packages there are bring the whole HDF5 library as WebAssembly; the form used is a page.
import { UsageError } from "../../errors.ts";
import { bytesOf, type HostArray, sizeOf } from "../../graph/array.ts";

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const UNDEFINED = 0xffff_ffff_ffff_ffffn;
const SUPERBLOCK_BYTES = 96;

/** Types of messages in an object's header (HDF5 File Format Specification, section IV.A.2). */
const MESSAGES = { dataspace: 1, linkInfo: 2, datatype: 3, fill: 5, link: 6, layout: 8, groupInfo: 10 } as const;

/** Little-endian float32: sign at 31, eight bits of exponent from 23, bias 127. */
const FLOAT32 = [0x11, 0x20, 0x1f, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0];

const little = (value: number | bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
const padded = (bytes: readonly number[]): number[] => [
  ...bytes,
  ...new Array<number>((8 - (bytes.length % 8)) % 8).fill(0),
];

/** An object's header, version 1. */
function objectHeader(
  messages: readonly (readonly [type: keyof typeof MESSAGES, data: readonly number[]])[],
): number[] {
  const parts = messages.flatMap(([type, data]) => {
    const body = padded(data);
    return [...little(MESSAGES[type], 2), ...little(body.length, 2), 0, 0, 0, 0, ...body];
  });
  return [1, 0, ...little(messages.length, 2), ...little(1, 4), ...little(parts.length, 4), 0, 0, 0, 0, ...parts];
}

/**
 * The bytes of a file with the dataset `name`, float32.
 * @throws UsageError for a name that is none
 */
export function hdf5File(name: string, { shape, data }: HostArray<Float32Array>): Uint8Array {
  const letters = [...new TextEncoder().encode(name)];
  if (letters.length === 0 || letters.length > 255 || name.includes("/") || sizeOf(shape) !== data.length)
    throw new UsageError(`no dataset of an HDF5 file: "${name}" of [${shape.join(", ")}]`);
  const datasetAt = (groupBytes: number) => SUPERBLOCK_BYTES + groupBytes;
  const group = (address: number) =>
    objectHeader([
      ["linkInfo", [0, 0, ...little(UNDEFINED, 8), ...little(UNDEFINED, 8)]],
      ["groupInfo", [0, 0]],
      ["link", [1, 0, letters.length, ...letters, ...little(address, 8)]],
    ]);
  const address = datasetAt(group(0).length);
  const dataset = (dataAt: number) =>
    objectHeader([
      ["dataspace", [1, shape.length, 0, 0, 0, 0, 0, 0, ...shape.flatMap((size) => little(size, 8))]],
      ["datatype", FLOAT32],
      ["fill", [2, 2, 2, 0]],
      ["layout", [3, 1, ...little(data.length > 0 ? dataAt : UNDEFINED, 8), ...little(data.byteLength, 8)]],
    ]);
  const dataAt = address + dataset(0).length;
  const root = [...little(0, 8), ...little(SUPERBLOCK_BYTES, 8), ...new Array<number>(24).fill(0)];
  const ends = [little(0, 8), little(UNDEFINED, 8), little(dataAt + data.byteLength, 8), little(UNDEFINED, 8)];
  const superblock = [...SIGNATURE, 0, 0, 0, 0, 0, 8, 8, 0, ...little(4, 2), ...little(16, 2), ...little(0, 4), ...ends.flat(), ...root]; // biome-ignore format: one line
  return Buffer.concat([Uint8Array.from([...superblock, ...group(address), ...dataset(dataAt)]), bytesOf(data)]);
}
