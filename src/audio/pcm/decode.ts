// Files of uncompressed samples: WAV, W64, AIFF and AU, one table of their headers.
import { StillwaveError } from "../../errors.ts";
import type { DecodedAudio } from "../decoded.ts";
import { parseAiffHeader } from "./aiff.ts";
import { parseAuHeader } from "./au.ts";
import { withoutChunksBehind } from "./extent.ts";
import { convertSamples, type PcmLayout } from "./samples.ts";
import { parseW64Header } from "./w64.ts";
import { parseWavHeader } from "./wav.ts";

type ParseHeader = (bytes: Uint8Array, fileBytes: number, path: string) => PcmLayout | undefined;

const PARSERS = { wav: parseWavHeader, w64: parseW64Header, aiff: parseAiffHeader, au: parseAuHeader } as const;

/** Containers of uncompressed samples. */
export type PcmContainer = keyof typeof PARSERS;

export const isPcm = (format: string): format is PcmContainer => Object.hasOwn(PARSERS, format);

/** The header parser of a container; it returns undefined where the bytes it is given end before the header does. */
export const pcmHeader = (container: PcmContainer): ParseHeader => PARSERS[container];

/** Decodes a whole file. @throws StillwaveError naming `path` if it is malformed, truncated or stored in a way that is not read. */
export function decodePcm(container: PcmContainer, bytes: Uint8Array, path: string): DecodedAudio {
  const layout = pcmHeader(container)(bytes, bytes.length, path);
  if (!layout) throw new StillwaveError(`${path}: truncated in its header`);
  return convertSamples(bytes, withoutChunksBehind(layout, bytes, bytes.length));
}
