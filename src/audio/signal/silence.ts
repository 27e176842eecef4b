// Silence cut out of speech, sample for sample as SoX 14.4.2's `gain -3.0 silence 1 0.1 0.1% -1 0.1 0.1%` does at 16 kHz.
// Ours because verification benchmarks are defined by these samples, and no package computes them.
import { SAMPLE_RATE_HZ } from "../../models/config.ts";

/** SoX computes in integers of 32 bits. */
const FULL_SCALE = 2 ** 31;
const LARGEST = FULL_SCALE - 1;
/** The gain comes first, so that the threshold is one of attenuated speech. */
const GAIN = 10 ** (-3 / 20);
const THRESHOLD_PERCENT = 0.1;
/** Loudness is the root mean square over this, the sample itself included; there are zeros before the beginning. */
const WINDOW_SAMPLES = SAMPLE_RATE_HZ / 50;
/** So much sound in one piece begins a stretch of speech, so much silence in one piece ends it. */
const HOLD_SAMPLES = SAMPLE_RATE_HZ / 10;

/** Whether samples are loud, asked in order. */
class Loudness {
  private readonly squares = new Float64Array(WINDOW_SAMPLES);
  private next = 0;
  private sum = 0;

  /** Sums are rounded in SoX's order: they decide at the threshold. */
  isLoud(sample: number): boolean {
    const square = sample * sample;
    const root = Math.trunc(Math.sqrt((this.sum - this.squares[this.next] + square) / WINDOW_SAMPLES));
    this.sum -= this.squares[this.next];
    this.squares[this.next] = square;
    this.sum += square;
    this.next = (this.next + 1) % WINDOW_SAMPLES;
    return (root / LARGEST) * 100 > THRESHOLD_PERCENT;
  }

  clear(): void {
    this.squares.fill(0);
    this.next = 0;
    this.sum = 0;
  }
}

/** A sample as SoX holds it behind the gain: halves are rounded away from zero. */
function attenuated(sample: number): number {
  const whole = Math.min(LARGEST, Math.max(-FULL_SCALE, Math.round(sample * FULL_SCALE)));
  const scaled = whole * GAIN;
  return Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5));
}

/**
 * Attenuates speech by 3 dB and leaves its silences out, wherever they stand: stretches begin with 0.1 s of sound in one piece
 * and end before 0.1 s of silence in one piece. Shorter silences stay, shorter sounds between long silences go. Empty where
 * all is silent.
 * @param wave 16 kHz, [samples], in [-1, 1)
 */
export function trimSilence(wave: Float32Array): Float32Array<ArrayBuffer> {
  const kept = new Float32Array(wave.length);
  const loudness = new Loudness();
  let count = 0;
  // what is held back is written behind what is kept, where it stays if it is kept after all
  let held = 0;
  let isCopying = false;
  for (const value of wave) {
    const sample = attenuated(value);
    const isLoud = loudness.isLoud(sample);
    if (isCopying && isLoud) {
      // a silence that was too short
      count += held;
      held = 0;
    }
    if (!isCopying && !isLoud) {
      held = 0;
      continue;
    }
    kept[count + held] = sample / FULL_SCALE;
    if (isCopying && isLoud) count++;
    else held++;
    if (held < HOLD_SAMPLES) continue;
    if (isCopying) loudness.clear();
    else count += held;
    held = 0;
    isCopying = !isCopying;
  }
  return kept.slice(0, count + (isCopying ? held : 0));
}
