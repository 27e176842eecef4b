// A PNG encoder for what the report needs: one colour whose opacity is the value, so that it suits light and dark pages.
// Ours because zlib does the work: a signature, three chunks and their checksums are left.
import { crc32, deflateSync } from "node:zlib";
import { InternalError } from "../../errors.ts";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

/**
 * PNG (ISO/IEC 15948) of `width` x `height` pixels in one colour; `levels` 0..255, row-major, are the opacities.
 * Indexed colour: one byte a pixel, a palette of 256 equal colours, opacities in tRNS.
 */
export function encodePng(
  levels: Uint8Array,
  width: number,
  height: number,
  colour: readonly [red: number, green: number, blue: number],
): Buffer {
  if (levels.length !== width * height) throw new InternalError(`png: ${levels.length} levels for ${width}x${height}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // 8 bits, indexed colour, deflate, filters, not interlaced
  const rows = Buffer.alloc((width + 1) * height); // each row starts with its filter type, 0
  for (let y = 0; y < height; y++) rows.set(levels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk(
      "PLTE",
      Uint8Array.from({ length: 768 }, (_, i) => colour[i % 3]),
    ),
    chunk(
      "tRNS",
      Uint8Array.from({ length: 256 }, (_, i) => i),
    ),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ]);
}
