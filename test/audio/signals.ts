// Test signals, WAV files built byte by byte, and temporary folders.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

export const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
export const fixtureBytes = (name: string) => new Uint8Array(readFileSync(fixture(name)));
/** The repository's own speech in LibriSpeech layout. */
export const speechFolder = fileURLToPath(new URL("../../examples/speech", import.meta.url));

/** Little-endian 16-bit samples / 32768. */
export function fromS16(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}

export function fromF32(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}

/** A folder that is removed when the file's tests are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stillwave-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
const little = (value: number, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);

export function chunk(id: string, body: Uint8Array, size = body.length): Uint8Array {
  return concat(ascii(id), little(size, 4), body, new Uint8Array(body.length % 2));
}

export interface WavParts {
  code?: number;
  channels?: number;
  rate?: number;
  bits: number;
  /** Written as the size of a block; what channels and bits make if left out. */
  blockBytes?: number;
  data: Uint8Array;
  /** Chunks between fmt and data. */
  between?: Uint8Array;
  /** Written as the size of the data chunk. */
  dataSize?: number;
  extensible?: boolean;
  after?: Uint8Array;
}

/** A WAV file with exactly these fields, consistent or not. */
export function wavFile(parts: WavParts): Uint8Array {
  const { code = 1, channels = 1, rate = 16000, bits, data } = parts;
  const align = parts.blockBytes ?? (channels * bits) / 8;
  const plain = [
    little(parts.extensible ? 0xfffe : code, 2),
    little(channels, 2),
    little(rate, 4),
    little(rate * align, 4),
    little(align, 2),
    little(bits, 2),
  ];
  const guid = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
  const extension = parts.extensible
    ? [little(22, 2), little(bits, 2), little(0, 4), little(code, 2), Uint8Array.from(guid)]
    : [];
  const body = concat(
    ascii("WAVE"),
    chunk("fmt ", concat(...plain, ...extension)),
    parts.between ?? new Uint8Array(0),
    chunk("data", data, parts.dataSize ?? data.length),
    parts.after ?? new Uint8Array(0),
  );
  return concat(ascii("RIFF"), little(body.length, 4), body);
}

/** 16-bit mono WAV of `samples` in [-1, 1). */
export function wav16(samples: ArrayLike<number>, rate = 16000): Uint8Array {
  const data = new Uint8Array(samples.length * 2);
  const view = new DataView(data.buffer);
  for (let i = 0; i < samples.length; i++) view.setInt16(2 * i, Math.round(samples[i] * 32768), true);
  return wavFile({ bits: 16, rate, data });
}

export const sine = (hz: number, rate: number, samples: number, amplitude = 0.5) =>
  Float32Array.from({ length: samples }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate));
