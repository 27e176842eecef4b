// The few distribution functions that significance tests need.
// Ours because p-values need no more than these, and must not change with a library.

/** Natural logarithm of n!, exact summation for small n and Stirling's series above. */
export function logFactorial(n: number): number {
  if (n < 32) {
    let sum = 0;
    for (let i = 2; i <= n; i++) sum += Math.log(i);
    return sum;
  }
  const x = n + 1;
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

/** Two-sided exact probability of a split as uneven as k : n - k among n fair coin flips. 1 for n = 0. */
export function signTestP(k: number, n: number): number {
  const smaller = Math.min(k, n - k);
  let tail = 0;
  for (let i = 0; i <= smaller; i++) {
    tail += Math.exp(logFactorial(n) - logFactorial(i) - logFactorial(n - i) - n * Math.LN2);
  }
  return Math.min(1, 2 * tail);
}

/** P(|Z| >= |z|) of a standard normal Z, relative error below 1e-12: erfc by series near 0, by continued fraction beyond. */
export function normalTwoSidedP(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  if (Number.isNaN(x)) return Number.NaN;
  if (x > 27) return 0;
  if (x < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  // Laplace's fraction: erfc(x) = exp(-x^2) / sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...))))
  let fraction = 0;
  for (let n = 120; n >= 1; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

/** Value at `quantile` (0 to 1) of sorted numbers, linear between neighbours. */
export function quantileOf(sorted: ArrayLike<number>, quantile: number): number {
  const place = quantile * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
