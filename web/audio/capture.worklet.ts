// Runs in the audio thread: hands the microphone's samples to the page, a few hundred at a time.

/** What the scope of an audio worklet has beyond that of a worker; TypeScript's library does not know it. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

/** Samples of a message: 21 ms at 48 kHz, often enough for a waveform that moves. */
const BLOCK = 1024;

class Capture extends AudioWorkletProcessor {
  private block = new Float32Array(BLOCK);
  private filled = 0;

  process([input]: Float32Array[][]): boolean {
    const [first] = input;
    if (!first) return true;
    for (let i = 0; i < first.length; i++) {
      let sum = 0;
      for (const channel of input) sum += channel[i];
      this.block[this.filled++] = sum / input.length;
      if (this.filled === BLOCK) {
        this.port.postMessage(this.block, [this.block.buffer]);
        this.block = new Float32Array(BLOCK);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("stillwave-capture", Capture);
