// Uncompressed samples as files store them: integers of 8 to 32 bits, floats, mu-law and A-law, in either byte order.
// By hand, because audio-decode scales 16 and 24 bits by 1/(2^(bits-1) - 1) and reads 8-bit and IMA ADPCM files wrongly.
import type { AudioHeader, DecodedAudio } from "../decoded.ts";

export type PcmEncoding = "u8" | "s8" | "s16" | "s24" | "s32" | "f32" | "f64" | "mulaw" | "alaw";

/** How samples are stored; those of one moment lie side by side, one a channel. */
export interface PcmFormat {
  readonly encoding: PcmEncoding;
  readonly isBigEndian: boolean;
  readonly channels: number;
  readonly sampleRateHz: number;
}

/** Where the samples of a file are and how they are stored. */
export interface PcmLayout extends PcmFormat, AudioHeader {
  readonly dataOffset: number;
  /** The header does not say where the samples end: they go on to the end of the file, or to the chunks there. */
  readonly isStreamed?: boolean;
}

const SAMPLE_BYTES: Readonly<Record<PcmEncoding, number>> = {
  u8: 1,
  s8: 1,
  s16: 2,
  s24: 3,
  s32: 4,
  f32: 4,
  f64: 8,
  mulaw: 1,
  alaw: 1,
};

/** Bytes of one sample of every channel. */
export const bytesPerFrame = ({ encoding, channels }: PcmFormat): number => SAMPLE_BYTES[encoding] * channels;

/** The encoding of signed integers that take so many bytes each. */
export const integerOf = (bytes: number): PcmEncoding | undefined =>
  (({ 1: "s8", 2: "s16", 3: "s24", 4: "s32" }) as const)[bytes];

/** Converts the samples of `bytes`, a whole file: integers are x / 2^(bits-1) exactly as libsndfile gives them, floats as they are. */
export function convertSamples(bytes: Uint8Array, layout: PcmLayout): DecodedAudio {
  const { samples, channels, encoding, dataOffset, sampleRateHz } = layout;
  const read = READERS[encoding](new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), !layout.isBigEndian);
  const step = bytesPerFrame(layout);
  const channelSamples = Array.from({ length: channels }, (_, c) => {
    const out = new Float32Array(samples);
    let at = dataOffset + c * SAMPLE_BYTES[encoding];
    for (let i = 0; i < samples; i++, at += step) out[i] = read(at);
    return out;
  });
  return { channelSamples, sampleRateHz, note: layout.note };
}

type Reader = (view: DataView, isLittleEndian: boolean) => (at: number) => number;

const READERS: Readonly<Record<PcmEncoding, Reader>> = {
  u8: (view) => (at) => (view.getUint8(at) - 128) / 128,
  s8: (view) => (at) => view.getInt8(at) / 128,
  s16: (view, little) => (at) => view.getInt16(at, little) / 32768,
  s24: (view, little) =>
    little
      ? (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 8388608
      : (at) => (view.getInt8(at) * 65536 + view.getUint16(at + 1)) / 8388608,
  s32: (view, little) => (at) => view.getInt32(at, little) / 2147483648,
  f32: (view, little) => (at) => view.getFloat32(at, little),
  f64: (view, little) => (at) => view.getFloat64(at, little),
  mulaw: (view) => (at) => MULAW[view.getUint8(at)],
  alaw: (view) => (at) => ALAW[view.getUint8(at)],
};

/** ITU-T G.711 mu-law, expanded to 16 bits and divided by 32768. */
const MULAW = Float32Array.from({ length: 256 }, (_, code) => {
  const inverted = ~code & 0xff;
  const magnitude = ((((inverted & 15) << 3) + 132) << ((inverted >> 4) & 7)) - 132;
  return (inverted & 0x80 ? -magnitude : magnitude) / 32768;
});

/** ITU-T G.711 A-law, expanded to 16 bits and divided by 32768. */
const ALAW = Float32Array.from({ length: 256 }, (_, code) => {
  const toggled = code ^ 0x55;
  const exponent = (toggled >> 4) & 7;
  const mantissa = ((toggled & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1);
  return (toggled & 0x80 ? magnitude : -magnitude) / 32768;
});
