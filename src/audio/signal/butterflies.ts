// The passes of a complex Fourier transform, one for each radix. A pass reads one array and writes another: its output comes
// sorted (Stockham), so no order has to be restored afterwards. Real and imaginary parts alternate.
// Every value is loaded into a variable of its own, once: the same with indexed expressions takes twice as long.

/** One pass of a transform: `groups` * `stride` butterflies of `radix` inputs. */
export interface Pass {
  readonly radix: number;
  readonly groups: number;
  readonly stride: number;
  /** Factors of outputs 1 to radix - 1 in every group: [groups, radix - 1, 2]. */
  readonly turns: Float64Array;
}

type Butterflies = (pass: Pass, x: Float64Array, y: Float64Array) => void;

/** By radix. One loop for any odd radix would take twice as long as those written out. */
export const BUTTERFLIES: Readonly<Record<number, Butterflies>> = {
  2: radix2,
  3: radix3,
  4: radix4,
  5: radix5,
  7: radix7,
};

function radix2({ groups, stride, turns }: Pass, x: Float64Array, y: Float64Array): void {
  const apart = 2 * groups * stride;
  const step = 2 * stride;
  for (let group = 0; group < groups; group++) {
    const c = turns[2 * group];
    const s = turns[2 * group + 1];
    for (let i = group * step, o = 2 * i, end = i + step; i < end; i += 2, o += 2) {
      const aRe = x[i];
      const aIm = x[i + 1];
      const bRe = x[i + apart];
      const bIm = x[i + apart + 1];
      y[o] = aRe + bRe;
      y[o + 1] = aIm + bIm;
      const re = aRe - bRe;
      const im = aIm - bIm;
      y[o + step] = re * c - im * s;
      y[o + step + 1] = re * s + im * c;
    }
  }
}

const SIN_60 = Math.sqrt(3) / 2;

function radix3({ groups, stride, turns }: Pass, x: Float64Array, y: Float64Array): void {
  const apart = 2 * groups * stride;
  const step = 2 * stride;
  for (let group = 0; group < groups; group++) {
    const c1 = turns[4 * group];
    const s1 = turns[4 * group + 1];
    const c2 = turns[4 * group + 2];
    const s2 = turns[4 * group + 3];
    for (let i = group * step, o = 3 * i, end = i + step; i < end; i += 2, o += 2) {
      const aRe = x[i];
      const aIm = x[i + 1];
      const bRe = x[i + apart];
      const bIm = x[i + apart + 1];
      const cRe = x[i + 2 * apart];
      const cIm = x[i + 2 * apart + 1];
      const sumRe = bRe + cRe;
      const sumIm = bIm + cIm;
      y[o] = aRe + sumRe;
      y[o + 1] = aIm + sumIm;
      const evenRe = aRe - 0.5 * sumRe;
      const evenIm = aIm - 0.5 * sumIm;
      const oddRe = SIN_60 * (bIm - cIm);
      const oddIm = SIN_60 * (cRe - bRe);
      const re1 = evenRe + oddRe;
      const im1 = evenIm + oddIm;
      y[o + step] = re1 * c1 - im1 * s1;
      y[o + step + 1] = re1 * s1 + im1 * c1;
      const re2 = evenRe - oddRe;
      const im2 = evenIm - oddIm;
      y[o + 2 * step] = re2 * c2 - im2 * s2;
      y[o + 2 * step + 1] = re2 * s2 + im2 * c2;
    }
  }
}

function radix4({ groups, stride, turns }: Pass, x: Float64Array, y: Float64Array): void {
  const apart = 2 * groups * stride;
  const step = 2 * stride;
  for (let group = 0; group < groups; group++) {
    const c1 = turns[6 * group];
    const s1 = turns[6 * group + 1];
    const c2 = turns[6 * group + 2];
    const s2 = turns[6 * group + 3];
    const c3 = turns[6 * group + 4];
    const s3 = turns[6 * group + 5];
    for (let i = group * step, o = 4 * i, end = i + step; i < end; i += 2, o += 2) {
      const aRe = x[i];
      const aIm = x[i + 1];
      const bRe = x[i + apart];
      const bIm = x[i + apart + 1];
      const cRe = x[i + 2 * apart];
      const cIm = x[i + 2 * apart + 1];
      const dRe = x[i + 3 * apart];
      const dIm = x[i + 3 * apart + 1];
      const acRe = aRe + cRe;
      const acIm = aIm + cIm;
      const bdRe = bRe + dRe;
      const bdIm = bIm + dIm;
      y[o] = acRe + bdRe;
      y[o + 1] = acIm + bdIm;
      const re1 = aRe - cRe + (bIm - dIm);
      const im1 = aIm - cIm + (dRe - bRe);
      y[o + step] = re1 * c1 - im1 * s1;
      y[o + step + 1] = re1 * s1 + im1 * c1;
      const re2 = acRe - bdRe;
      const im2 = acIm - bdIm;
      y[o + 2 * step] = re2 * c2 - im2 * s2;
      y[o + 2 * step + 1] = re2 * s2 + im2 * c2;
      const re3 = aRe - cRe - (bIm - dIm);
      const im3 = aIm - cIm - (dRe - bRe);
      y[o + 3 * step] = re3 * c3 - im3 * s3;
      y[o + 3 * step + 1] = re3 * s3 + im3 * c3;
    }
  }
}

/** For outputs 1 to (radix - 1) / 2 the cosines, then the sines, by which the inputs of the same numbers enter. */
function oddTable(radix: number): Float64Array {
  const half = (radix - 1) / 2;
  return Float64Array.from({ length: 2 * half * half }, (_, at) => {
    const output = Math.floor(at / (2 * half)) + 1;
    const input = (at % half) + 1;
    const angle = (2 * Math.PI * ((output * input) % radix)) / radix;
    return at % (2 * half) < half ? Math.cos(angle) : Math.sin(angle);
  });
}

const FIFTHS = oddTable(5);
const SEVENTHS = oddTable(7);

function radix5({ groups, stride, turns }: Pass, x: Float64Array, y: Float64Array): void {
  const apart = 2 * groups * stride;
  const step = 2 * stride;
  for (let group = 0; group < groups; group++) {
    for (let i = group * step, o = 5 * i, end = i + step; i < end; i += 2, o += 2) {
      const aRe = x[i];
      const aIm = x[i + 1];
      const bRe = x[i + apart];
      const bIm = x[i + apart + 1];
      const cRe = x[i + 2 * apart];
      const cIm = x[i + 2 * apart + 1];
      const dRe = x[i + 3 * apart];
      const dIm = x[i + 3 * apart + 1];
      const eRe = x[i + 4 * apart];
      const eIm = x[i + 4 * apart + 1];
      y[o] = aRe + (bRe + eRe) + (cRe + dRe);
      y[o + 1] = aIm + (bIm + eIm) + (cIm + dIm);
      for (let row = 0; row < 2; row++) {
        const c1 = FIFTHS[4 * row];
        const c2 = FIFTHS[4 * row + 1];
        const s1 = FIFTHS[4 * row + 2];
        const s2 = FIFTHS[4 * row + 3];
        const evenRe = aRe + c1 * (bRe + eRe) + c2 * (cRe + dRe);
        const evenIm = aIm + c1 * (bIm + eIm) + c2 * (cIm + dIm);
        const oddRe = s1 * (bIm - eIm) + s2 * (cIm - dIm);
        const oddIm = s1 * (eRe - bRe) + s2 * (dRe - cRe);
        const re1 = evenRe + oddRe;
        const im1 = evenIm + oddIm;
        const t = 8 * group + 2 * row;
        const o1 = o + (row + 1) * step;
        y[o1] = re1 * turns[t] - im1 * turns[t + 1];
        y[o1 + 1] = re1 * turns[t + 1] + im1 * turns[t];
        const re2 = evenRe - oddRe;
        const im2 = evenIm - oddIm;
        const u = 8 * group + 6 - 2 * row;
        const o2 = o + (4 - row) * step;
        y[o2] = re2 * turns[u] - im2 * turns[u + 1];
        y[o2 + 1] = re2 * turns[u + 1] + im2 * turns[u];
      }
    }
  }
}

function radix7({ groups, stride, turns }: Pass, x: Float64Array, y: Float64Array): void {
  const apart = 2 * groups * stride;
  const step = 2 * stride;
  for (let group = 0; group < groups; group++) {
    for (let i = group * step, o = 7 * i, end = i + step; i < end; i += 2, o += 2) {
      const aRe = x[i];
      const aIm = x[i + 1];
      const bRe = x[i + apart] + x[i + 6 * apart];
      const bIm = x[i + apart + 1] + x[i + 6 * apart + 1];
      const cRe = x[i + 2 * apart] + x[i + 5 * apart];
      const cIm = x[i + 2 * apart + 1] + x[i + 5 * apart + 1];
      const dRe = x[i + 3 * apart] + x[i + 4 * apart];
      const dIm = x[i + 3 * apart + 1] + x[i + 4 * apart + 1];
      const eRe = x[i + apart] - x[i + 6 * apart];
      const eIm = x[i + apart + 1] - x[i + 6 * apart + 1];
      const fRe = x[i + 2 * apart] - x[i + 5 * apart];
      const fIm = x[i + 2 * apart + 1] - x[i + 5 * apart + 1];
      const gRe = x[i + 3 * apart] - x[i + 4 * apart];
      const gIm = x[i + 3 * apart + 1] - x[i + 4 * apart + 1];
      y[o] = aRe + bRe + cRe + dRe;
      y[o + 1] = aIm + bIm + cIm + dIm;
      for (let row = 0; row < 3; row++) {
        const c1 = SEVENTHS[6 * row];
        const c2 = SEVENTHS[6 * row + 1];
        const c3 = SEVENTHS[6 * row + 2];
        const s1 = SEVENTHS[6 * row + 3];
        const s2 = SEVENTHS[6 * row + 4];
        const s3 = SEVENTHS[6 * row + 5];
        const evenRe = aRe + c1 * bRe + c2 * cRe + c3 * dRe;
        const evenIm = aIm + c1 * bIm + c2 * cIm + c3 * dIm;
        const oddRe = s1 * eIm + s2 * fIm + s3 * gIm;
        const oddIm = -(s1 * eRe + s2 * fRe + s3 * gRe);
        const re1 = evenRe + oddRe;
        const im1 = evenIm + oddIm;
        const t = 12 * group + 2 * row;
        const o1 = o + (row + 1) * step;
        y[o1] = re1 * turns[t] - im1 * turns[t + 1];
        y[o1 + 1] = re1 * turns[t + 1] + im1 * turns[t];
        const re2 = evenRe - oddRe;
        const im2 = evenIm - oddIm;
        const u = 12 * group + 10 - 2 * row;
        const o2 = o + (6 - row) * step;
        y[o2] = re2 * turns[u] - im2 * turns[u + 1];
        y[o2 + 1] = re2 * turns[u + 1] + im2 * turns[u];
      }
    }
  }
}
