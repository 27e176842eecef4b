// How many times faster than real time audio is resampled to 16 kHz on one core: as blocks of spectra, and as the sum that
// defines it. Usage: npx tsx bench/resample.ts [--rates 48000,44100] [--seconds 20] [--runs 15]
// Processor seconds of the best run: those of a quiet machine, whoever else is at work. The sum's include its table of filters.
import { parseArgs } from "node:util";
import { resample } from "../src/audio/index.ts";
import { Random } from "../src/random.ts";
import { directSum } from "../test/audio/signal/direct-sum.ts";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "48000,44100,32000,24000,22050,11025,8000" },
    seconds: { type: "string", default: "20" },
    runs: { type: "string", default: "15" },
  },
});
const seconds = Number(values.seconds);

function timesRealTime(run: () => void, runs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return Math.round(seconds / best);
}

console.log("rate    blocks   sum");
for (const rate of values.rates.split(",").map(Number)) {
  const random = new Random(1, "wave");
  const wave = Float32Array.from({ length: rate * seconds }, () => 0.1 * random.normal());
  const blocks = timesRealTime(() => resample(wave, rate, 16000), Number(values.runs));
  const sum = timesRealTime(() => directSum(wave, rate, 16000), 2);
  console.log(`${String(rate).padEnd(7)} ${String(blocks).padStart(5)}x ${String(sum).padStart(5)}x`);
}
