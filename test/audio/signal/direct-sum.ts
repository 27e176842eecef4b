// The resampler's definition, summed as it stands: one windowed sinc for every output sample, in double precision.

const ZEROS = 64;
const ROLL_OFF = 0.945;
const BETA = 14.77;

/** What `resample` computes, before it is rounded to float32; up * taps values of the filter are made first. */
export function directSum(input: Float32Array, fromHz: number, toHz: number): Float64Array {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  const cutoff = ROLL_OFF * Math.min(1, up / down);
  const half = ZEROS / cutoff;
  const taps = 2 * (Math.ceil(half) + 1);
  const before = taps / 2 - 1;
  const norm = besselI0(BETA);
  const filter = new Map<number, Float64Array>();
  const padded = new Float64Array(input.length + 2 * taps);
  padded.set(input, before);
  return Float64Array.from({ length: Math.ceil((input.length * up) / down) }, (_, n) => {
    const phase = (n * down) % up;
    const row = filter.get(phase) ?? Float64Array.from({ length: taps }, (_, k) => tap(k - before - phase / up));
    filter.set(phase, row);
    const first = Math.floor((n * down) / up);
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += row[k] * padded[first + k];
    return sum;
  });

  function tap(distance: number): number {
    const relative = distance / half;
    if (Math.abs(relative) >= 1) return 0;
    const x = Math.PI * cutoff * distance;
    const window = besselI0(BETA * Math.sqrt(1 - relative * relative)) / norm;
    return cutoff * (x === 0 ? 1 : Math.sin(x) / x) * window;
  }
}

function besselI0(x: number): number {
  let sum = 0;
  for (let k = 0, term = 1; term > sum * 1e-17; k++, term *= (x / 2 / k) ** 2) sum += term;
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
