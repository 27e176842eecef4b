// Fourier transforms against their defining sum, for every radix and for lengths that have none.
import { expect, test } from "vitest";
import { Fft } from "../../../src/audio/signal/fft.ts";
import { InternalError } from "../../../src/errors.ts";

const signal = (length: number) => Float64Array.from({ length: 2 * length }, (_, i) => Math.sin(i * i + 1));

function definingSum(x: Float64Array): Float64Array {
  const length = x.length / 2;
  const sum = new Float64Array(x.length);
  for (let k = 0; k < length; k++) {
    for (let n = 0; n < length; n++) {
      const angle = (-2 * Math.PI * ((k * n) % length)) / length;
      sum[2 * k] += x[2 * n] * Math.cos(angle) - x[2 * n + 1] * Math.sin(angle);
      sum[2 * k + 1] += x[2 * n] * Math.sin(angle) + x[2 * n + 1] * Math.cos(angle);
    }
  }
  return sum;
}

const worst = (a: Float64Array, b: Float64Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

test.each([1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 25, 30, 49, 210, 256, 441, 640, 1764])(
  "length %d is a product of radices",
  (n) => {
    expect(worst(new Fft(n).transform(signal(n), new Float64Array(2 * n)), definingSum(signal(n)))).toBeLessThan(
      1e-12 * n,
    );
  },
);

test.each([11, 13, 22, 37, 97, 143, 999, 1021])("length %d is not", (n) => {
  const fft = new Fft(n);
  fft.transform(
    signal(n).map((x) => 3 * x),
    new Float64Array(2 * n),
  );
  expect(worst(fft.transform(signal(n), new Float64Array(2 * n)), definingSum(signal(n)))).toBeLessThan(1e-12 * n);
});

test.each([360, 1001])("real and imaginary parts exchanged before and after: the inverse, length %d", (n) => {
  const exchanged = (x: Float64Array) => x.map((_, i) => x[i ^ 1]);
  const fft = new Fft(n);
  const spectrum = fft.transform(signal(n), new Float64Array(2 * n));
  const back = exchanged(fft.transform(exchanged(spectrum), new Float64Array(2 * n))).map((x) => x / n);
  expect(worst(back, signal(n))).toBeLessThan(1e-13);
});

test("a length that is none is a bug", () => {
  for (const n of [0, -4, 2.5, Number.NaN]) expect(() => new Fft(n)).toThrow(InternalError);
});
