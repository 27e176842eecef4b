// The microphone as 16 kHz mono samples that come while one speaks: an AudioWorklet at the device's rate, resampled as in training.
import { Resampler } from "../../src/audio/signal/resample.ts";
import workletUrl from "./capture.worklet.ts?worker&url";
import { SAMPLE_RATE_HZ } from "./decode.ts";

export interface Microphone {
  /** Stops; the last samples come before it resolves. */
  stop(): Promise<void>;
}

/** One sentence for each way in which browsers refuse. */
function refusal(error: Error): Error {
  const sentences: Readonly<Record<string, string>> = {
    NotAllowedError: "The microphone was not allowed; allow it beside the page's address, or open a file.",
    NotFoundError: "There is no microphone here; plug one in, or open a file.",
    NotReadableError: "The microphone is in use by another program, or switched off.",
  };
  return new Error(sentences[error.name] ?? `The microphone does not start: ${error.message}.`);
}

function checkMicrophone(): void {
  if (!navigator.mediaDevices?.getUserMedia)
    throw new Error("Browsers give the microphone to pages over https or on localhost only; open a file instead.");
}

function askForStream(): Promise<MediaStream> {
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return navigator.mediaDevices.getUserMedia({ audio: plain });
}

/**
 * Starts the microphone; `hear` gets what it hears, `onLost` is told when it is unplugged.
 * @throws Error with one sentence where it is refused or absent
 */
export async function openMicrophone(hear: (samples: Float32Array) => void, onLost: () => void): Promise<Microphone> {
  checkMicrophone();
  const context = new AudioContext();
  let stream: MediaStream | undefined;
  const close = async () => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    if (context.state !== "closed") await context.close();
  };
  try {
    // first, so that nothing is missed of what is said as soon as the microphone is on
    await context.audioWorklet.addModule(workletUrl);
    stream = await askForStream();
    const source = context.createMediaStreamSource(stream);
    const capture = new AudioWorkletNode(context, "stillwave-capture", { numberOfOutputs: 0 });
    const resampler =
      context.sampleRate === SAMPLE_RATE_HZ ? undefined : new Resampler(context.sampleRate, SAMPLE_RATE_HZ);
    let isOpen = true;
    capture.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
      if (!isOpen) return;
      const samples = resampler ? resampler.push(data) : data;
      if (samples.length > 0) hear(samples);
    };
    for (const track of stream.getAudioTracks()) track.onended = onLost;
    source.connect(capture);
    await context.resume();
    return {
      async stop() {
        if (!isOpen) return;
        isOpen = false;
        const rest = resampler?.end();
        if (rest && rest.length > 0) hear(rest);
        await close();
      },
    };
  } catch (error) {
    await close();
    throw refusal(error as Error);
  }
}
