// The header of a Sun AU file (.au, .snd): six numbers, big-endian, or little-endian where the first word is turned round.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY, textAt } from "../format.ts";
import { layOut } from "./extent.ts";
import type { PcmEncoding, PcmLayout } from "./samples.ts";

const ENCODINGS: Readonly<Record<number, PcmEncoding>> = {
  1: "mulaw",
  2: "s8",
  3: "s16",
  4: "s24",
  5: "s32",
  6: "f32",
  7: "f64",
  27: "alaw",
};

const HEADER_BYTES = 24;

/** @throws StillwaveError naming `path` for anything malformed, truncated or stored in a way that is not read. */
export function parseAuHeader(bytes: Uint8Array, fileBytes: number, path: string): PcmLayout {
  if (bytes.length < HEADER_BYTES) throw new StillwaveError(`${path}: AU truncated in its header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const isBigEndian = textAt(bytes, 0, ".snd");
  const word = (index: number) => view.getUint32(4 * index, !isBigEndian);
  const [dataOffset, declaredBytes, code, sampleRateHz, channels] = [1, 2, 3, 4, 5].map(word);
  if (dataOffset < HEADER_BYTES || dataOffset > fileBytes)
    throw new StillwaveError(`${path}: AU whose samples would begin at byte ${dataOffset} of ${fileBytes}`);
  const encoding = ENCODINGS[code];
  if (!encoding) throw new StillwaveError(`${path}: AU of encoding ${code}, which is not read; ${FORMAT_REMEDY}`);
  return layOut({ encoding, isBigEndian, channels, sampleRateHz }, { dataOffset, declaredBytes, fileBytes }, path);
}
