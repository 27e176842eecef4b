// Audio as models want it: 16 kHz mono, from a file or the microphone, decoded by the browser, resampled as in training.
import { resample } from "../src/audio/signal/resample.ts";
import { rateOf } from "./rate.ts";

export const SAMPLE_RATE_HZ = 16_000;
/** Longest audio that is taken: attention grows with the square of the length. */
export const MAX_SECONDS = 60;
/** Fewest samples that give one frame. */
const MIN_SAMPLES = 400;

export interface Recording {
  readonly wave: Float32Array;
  /** Whether the end was left out. */
  readonly cut: boolean;
}

/** Decodes any format that the browser knows; channels are averaged. */
export async function decode(bytes: ArrayBuffer): Promise<Recording> {
  // a context resamples what it decodes to its own rate, unless that is the file's
  const context = new OfflineAudioContext(1, 1, rateOf(new Uint8Array(bytes)));
  const buffer = await context.decodeAudioData(bytes).catch(() => {
    throw new Error("this browser cannot decode the file; WAV, FLAC, MP3 and Ogg usually work");
  });
  const mono = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / buffer.numberOfChannels;
  }
  const wave = resample(mono, buffer.sampleRate, SAMPLE_RATE_HZ);
  const length = Math.min(wave.length, MAX_SECONDS * SAMPLE_RATE_HZ);
  if (length < MIN_SAMPLES) throw new Error(`only ${wave.length} samples; at least ${MIN_SAMPLES} (25 ms) are needed`);
  return { wave: wave.slice(0, length), cut: wave.length > length };
}

/** Starts the microphone. The promise inside resolves when `stop` was called or the time is over. */
export async function record(): Promise<{ readonly stop: () => void; readonly bytes: Promise<ArrayBuffer> }> {
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: plain }).catch((error: Error) => {
    throw new Error(
      error.name === "NotAllowedError" ? "the microphone was not allowed" : `no microphone: ${error.message}`,
    );
  });
  const recorder = new MediaRecorder(stream);
  const chunks: Blob[] = [];
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  const bytes = new Promise<ArrayBuffer>((resolve) => {
    recorder.onstop = () => {
      for (const track of stream.getTracks()) track.stop();
      resolve(new Blob(chunks).arrayBuffer());
    };
  });
  recorder.start();
  const stop = () => {
    if (recorder.state !== "inactive") recorder.stop();
  };
  setTimeout(stop, MAX_SECONDS * 1000);
  return { stop, bytes };
}
