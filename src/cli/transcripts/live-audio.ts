// Audio that is no file: standard input, and a microphone through a program that records.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { decodeBytes, resample, SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import { joined } from "../../graph/array.ts";

/** All of standard input as 16 kHz mono: a file of any format that is read, told by its content. */
export async function readStandardInput(input: AsyncIterable<unknown>): Promise<Float32Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array));
  const bytes = Buffer.concat(chunks);
  if (bytes.length === 0) throw new StillwaveError("standard input: empty; give the bytes of an audio file");
  const { samples, sampleRateHz } = await decodeBytes(bytes, "standard input", SAMPLE_RATE_HZ);
  return sampleRateHz === SAMPLE_RATE_HZ ? samples : resample(samples, sampleRateHz, SAMPLE_RATE_HZ);
}

/** Programs that record, in the order in which they are looked for, and how they write 16 kHz mono samples of 16 bits. */
const RECORDERS: readonly (readonly [program: string, args: (device: string | undefined) => readonly string[]])[] = [
  [
    "arecord",
    (device) => [...(device ? ["-D", device] : []), "-q", "-t", "raw", "-f", "S16_LE", "-r", "16000", "-c", "1"],
  ],
  [
    "ffmpeg",
    (device) => [
      ...["-hide_banner", "-loglevel", "error", "-nostdin"],
      ...FFMPEG_INPUTS[process.platform === "darwin" || process.platform === "win32" ? process.platform : "linux"],
      ...["-i", device ?? FFMPEG_DEVICES[process.platform] ?? "default"],
      ...["-ac", "1", "-ar", "16000", "-f", "s16le", "-"],
    ],
  ],
];
const FFMPEG_INPUTS = { linux: ["-f", "pulse"], darwin: ["-f", "avfoundation"], win32: ["-f", "dshow"] } as const;
const FFMPEG_DEVICES: Readonly<Record<string, string>> = { darwin: ":0", win32: "audio=default" };

/** Pieces as one waveform. */
export async function asWave(pieces: AsyncIterable<Float32Array>): Promise<Float32Array> {
  const parts: Float32Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  return joined(parts);
}

/** A microphone that records until it is stopped. */
export interface Microphone {
  /** The program that records. */
  readonly program: string;
  /** 16 kHz mono, as it comes. @throws StillwaveError where the program fails before it has given a sample */
  readonly pieces: AsyncIterable<Float32Array>;
  /** Ends the recording; `pieces` gives what there still is, and ends. */
  stop(): void;
}

/**
 * Starts to record.
 * @param device of the program: `hw:1` of arecord; default: the usual one
 * @throws StillwaveError where no program that records is on the PATH
 */
export function openMicrophone(device?: string): Microphone {
  const found = RECORDERS.find(([program]) => isOnPath(program));
  if (!found)
    throw new StillwaveError("--mic: neither arecord (alsa-utils) nor ffmpeg is on the PATH; install one of them");
  const [program, argsOf] = found;
  // a group of its own: Ctrl-C in a terminal goes to the whole group, and the recording is to be ended by us
  const child = spawn(program, argsOf(device), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  return { program, pieces: recorded(program, child, child.stdout), stop: () => void child.kill("SIGINT") };
}

function isOnPath(program: string): boolean {
  const names = process.platform === "win32" ? [`${program}.exe`, `${program}.cmd`] : [program];
  return (process.env.PATH ?? "")
    .split(delimiter)
    .some((folder) => names.some((name) => existsSync(join(folder, name))));
}

async function* recorded(
  program: string,
  child: ChildProcess,
  stdout: Readable,
): AsyncGenerator<Float32Array, void, undefined> {
  let told = "";
  child.stderr?.on("data", (chunk) => {
    told = `${told}${chunk}`.slice(-1000);
  });
  const ended = new Promise<string | undefined>((done) => {
    child.on("error", (error) => done(error.message));
    child.on("close", (code) => done(code ? `ended with code ${code}` : undefined));
  });
  let rest: Buffer = Buffer.alloc(0);
  let heard = false;
  for await (const chunk of stdout) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const whole = bytes.length - (bytes.length % 2);
    rest = bytes.subarray(whole);
    heard ||= whole > 0;
    if (whole > 0) yield Float32Array.from({ length: whole / 2 }, (_, i) => bytes.readInt16LE(2 * i) / 32768);
  }
  const problem = await ended;
  if (heard) return;
  const line = told.trim().split("\n").at(-1);
  throw new StillwaveError(
    `--mic: ${program} gave no sound (${line || (problem ?? "it ended at once")}); is there a microphone? Name it with --mic-device`,
  );
}
