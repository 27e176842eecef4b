// How many samples the packets of an Ogg stream hold, told from their first bytes without decoding them.
import { StillwaveError } from "../../errors.ts";
import type { FlacHeader } from "../flac/flac.ts";
import { frameSamples } from "../flac/frame.ts";
import { FORMAT_REMEDY } from "../format.ts";

/** Samples of the next audio packet; packets are given in order. */
export type PacketSamples = (packet: Uint8Array) => number;

/** Frame lengths at 48 kHz by the configuration in an Opus packet's first byte (RFC 6716 section 3.1). */
const OPUS_FRAME_SAMPLES = [
  ...[480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880],
  ...[480, 960, 480, 960],
  ...[120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960],
];

export const opusSamples: PacketSamples = (packet) => {
  if (packet.length === 0) return 0;
  const code = packet[0] & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  return frames * OPUS_FRAME_SAMPLES[packet[0] >> 3];
};

/** Of a FLAC stream, whose frames are packets. @param info its STREAMINFO */
export const flacSamples =
  (info: FlacHeader): PacketSamples =>
  (packet) =>
    frameSamples(packet, info) ?? 0;

/**
 * Of a Vorbis stream, whose blocks have two lengths and give half of each of two neighbours: the first packet gives nothing.
 * @param identification its first packet; @param setup its third one
 * @throws StillwaveError naming `path` if the list of modes at the end of `setup` makes no sense
 */
export function vorbisSamples(identification: Uint8Array, setup: Uint8Array, path: string): PacketSamples {
  const sizes = [1 << (identification[28] & 15), 1 << (identification[28] >> 4)];
  const modes = vorbisModes(setup);
  if (!modes) throw new StillwaveError(`${path}: Vorbis with a damaged setup header; ${FORMAT_REMEDY}`);
  const modeMask = (1 << (32 - Math.clz32(modes.length - 1))) - 1;
  let before = 0;
  return (packet) => {
    // a packet whose first bit is set is no audio
    if (packet.length === 0 || (packet[0] & 1) !== 0) return 0;
    const size = sizes[modes[(packet[0] >> 1) & modeMask] ?? 0];
    const samples = before === 0 ? 0 : (before + size) / 4;
    before = size;
    return samples;
  };
}

/** Bits of a mode: long or short, window type (16), transform type (16), mapping (8). */
const MODE_BITS = 41;
const MAX_MODES = 64;

/**
 * Which modes use long blocks (1) and which short ones (0). They stand last in the setup header, behind their number less one
 * in six bits, and are read from its end, since all before them (code books, floors, residues) would have to be unpacked
 * otherwise: as many as have both types 0 as the specification demands and the right number before them.
 */
function vorbisModes(setup: Uint8Array): number[] | undefined {
  let last = setup.length * 8 - 1;
  const bit = (at: number) => (setup[at >> 3] >> (at & 7)) & 1;
  const bits = (at: number, count: number) =>
    Array.from({ length: count }, (_, i) => bit(at + i) << i).reduce((a, b) => a | b, 0);
  // the framing bit is the last one that is set; the rest of its byte is zeros
  while (last > 0 && bit(last) === 0) last--;
  let found: number[] | undefined;
  const modes: number[] = [];
  for (let at = last - MODE_BITS; at > 6 && modes.length < MAX_MODES; at -= MODE_BITS) {
    if (bits(at + 1, 16) !== 0 || bits(at + 17, 16) !== 0 || bits(at + 33, 8) >= MAX_MODES) break;
    modes.unshift(bit(at));
    if (bits(at - 6, 6) === modes.length - 1) found = [...modes];
  }
  return found;
}
