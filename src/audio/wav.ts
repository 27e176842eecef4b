// Decodes WAV: 8 to 32-bit integers, 32 and 64-bit floats, mu-law and A-law.
// By hand, because audio-decode scales 16 and 24 bits by 1/(2^(bits-1) - 1) and reads 8-bit and IMA ADPCM files wrongly.
import { StillwaveError } from "../errors.ts";
import type { DecodedAudio } from "./decoded.ts";
import { parseWavHeader, type WavEncoding, type WavHeader } from "./wav-header.ts";

/** Decodes a whole WAV file: integers are x / 2^(bits-1) exactly as libsndfile gives them, floats as they are. */
export function decodeWav(bytes: Uint8Array, path: string): DecodedAudio {
  const header = parseWavHeader(bytes, bytes.length, path);
  if (!header) throw new StillwaveError(`${path}: WAV truncated in its header`);
  return wavSamples(bytes, header);
}

/** The samples that `header` says are in `bytes`. */
export function wavSamples(bytes: Uint8Array, header: WavHeader): DecodedAudio {
  const { samples, channels, encoding, dataOffset, bytesPerFrame, sampleRateHz } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[encoding](view);
  const bytesPerSample = bytesPerFrame / channels;
  const channelSamples = Array.from({ length: channels }, (_, c) => {
    const out = new Float32Array(samples);
    let at = dataOffset + c * bytesPerSample;
    for (let i = 0; i < samples; i++, at += bytesPerFrame) out[i] = read(at);
    return out;
  });
  return { channelSamples, sampleRateHz };
}

const READERS: Readonly<Record<WavEncoding, (view: DataView) => (at: number) => number>> = {
  u8: (view) => (at) => (view.getUint8(at) - 128) / 128,
  s16: (view) => (at) => view.getInt16(at, true) / 32768,
  s24: (view) => (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 8388608,
  s32: (view) => (at) => view.getInt32(at, true) / 2147483648,
  f32: (view) => (at) => view.getFloat32(at, true),
  f64: (view) => (at) => view.getFloat64(at, true),
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
