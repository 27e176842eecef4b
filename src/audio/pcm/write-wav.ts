// WAV files of 16 bits, for speech that is made rather than recorded.
import { SAMPLE_RATE_HZ } from "../../models/config.ts";

const HEADER_BYTES = 44;
const FULL_SCALE = 32_768;

/** A mono wave at 16 kHz; what is beyond full scale is cut. */
export function encodeWav(wave: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES + 2 * wave.length);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  bytes.writeUInt32LE(2 * SAMPLE_RATE_HZ, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(2 * wave.length, 40);
  for (const [i, sample] of wave.entries()) {
    const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
    bytes.writeInt16LE(value, HEADER_BYTES + 2 * i);
  }
  return bytes;
}
