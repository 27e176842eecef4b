// What every upstream asks of the waveforms it is given.
import { StillwaveError } from "../errors.ts";

/** @throws StillwaveError for a waveform that is too short to give a frame. */
export function checkLengths(waves: readonly Float32Array[], minSamples: number, name: string): void {
  for (const { length } of waves)
    if (length < minSamples)
      throw new StillwaveError(
        `too short: ${length} samples at 16 kHz, at least ${minSamples} are needed by upstream ${name}`,
      );
}
