// Pictures of numbers: how similar every frame is to every other, hidden states over time, attention.
import type { AttentionMap, State } from "../model/protocol.ts";

/** Dark to light, even steps in brightness, readable without colour vision. */
const ANCHORS = [
  [13, 17, 38],
  [35, 44, 98],
  [54, 86, 142],
  [66, 134, 161],
  [104, 180, 162],
  [178, 217, 158],
  [250, 243, 190],
] as const;

const PALETTE = Uint32Array.from({ length: 256 }, (_, step) => {
  const place = (step / 255) * (ANCHORS.length - 1);
  const low = Math.min(Math.floor(place), ANCHORS.length - 2);
  const mixed = ANCHORS[low].map((from, i) => Math.round(from + (ANCHORS[low + 1][i] - from) * (place - low)));
  return (255 << 24) | (mixed[2] << 16) | (mixed[1] << 8) | mixed[0];
});

/** Most rows and columns of a map; longer audio is averaged down to it. */
const MAX_CELLS = 480;
/** Attention of 2 to the power of this times as much as evenly is the lightest, and as much less the darkest. */
const ATTENTION_RANGE = 3;

/** Draws `value(x, y)` in 0..1 for every cell, one cell a pixel; CSS scales the canvas. */
function paint(
  canvas: HTMLCanvasElement,
  [width, height]: readonly [number, number],
  value: (x: number, y: number) => number,
): void {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      pixels[y * width + x] = PALETTE[Math.max(0, Math.min(255, Math.round(value(x, y) * 255)))];
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}

/** The colours themselves, left to right. */
export const drawScale = (canvas: HTMLCanvasElement) => paint(canvas, [128, 1], (x) => x / 127);

/** Means of `cells` stretches of frames, [cells, dim]. */
function pooled({ frames, dim, data }: State, cells: number): Float32Array {
  const means = new Float32Array(cells * dim);
  for (let cell = 0; cell < cells; cell++) {
    const [start, end] = [Math.floor((cell * frames) / cells), Math.floor(((cell + 1) * frames) / cells)];
    for (let t = start; t < end; t++)
      for (let d = 0; d < dim; d++) means[cell * dim + d] += data[t * dim + d] / (end - start);
  }
  return means;
}

/** Frames about their mean, each of length 1: [frames, dim]. */
function directions(data: Float32Array, dim: number): Float32Array {
  const frames = data.length / dim;
  const mean = new Float64Array(dim);
  for (let i = 0; i < data.length; i++) mean[i % dim] += data[i] / frames;
  const unit = new Float32Array(data.length);
  for (let t = 0; t < frames; t++) {
    let squares = 1e-12;
    for (let d = 0; d < dim; d++) squares += (data[t * dim + d] - mean[d]) ** 2;
    for (let d = 0; d < dim; d++) unit[t * dim + d] = (data[t * dim + d] - mean[d]) / Math.sqrt(squares);
  }
  return unit;
}

function product(a: Float32Array, b: Float32Array, [x, y]: readonly [number, number], dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += a[x * dim + d] * b[y * dim + d];
  return sum;
}

/** Cosine similarity of all pairs of frames about their mean, 0 and below (dark) to 1 (light). */
export function drawSimilarity(canvas: HTMLCanvasElement, state: State): void {
  const cells = Math.min(state.frames, MAX_CELLS);
  const unit = directions(pooled(state, cells), state.dim);
  paint(canvas, [cells, cells], (x, y) => product(unit, unit, [x, y], state.dim));
}

/** Cosine similarity of two models' states about their means, for every frame: 1 where they agree. */
export function agreementOf(a: State, b: State): Float32Array {
  const [unitA, unitB] = [directions(a.data, a.dim), directions(b.data, b.dim)];
  return Float32Array.from({ length: Math.min(a.frames, b.frames) }, (_, t) => product(unitA, unitB, [t, t], a.dim));
}

/** Each dimension over time, zero mean and unit variance: one row a dimension, +-2.5 standard deviations across the palette. */
export function drawStates(canvas: HTMLCanvasElement, { frames, dim, data }: State): void {
  const rows = Array.from({ length: dim }, (_, d) => {
    const row = Float32Array.from({ length: frames }, (_unused, t) => data[t * dim + d]);
    const mean = row.reduce((sum, value) => sum + value, 0) / frames;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / frames;
    return row.map((value) => (value - mean) / Math.sqrt(variance + 1e-12));
  });
  paint(canvas, [frames, dim], (t, d) => 0.5 + rows[d][t] / 5);
}

/** Mean over heads of how much frame `query` attends to frame `key`. */
export function attentionAt({ heads, frames, data }: AttentionMap, query: number, key: number): number {
  let sum = 0;
  for (let head = 0; head < heads; head++) sum += data[(head * frames + query) * frames + key];
  return sum / heads;
}

/** Attention as a place on the scale, 0 to 1: even attention lies in its middle, each doubling a sixth further. */
export const attentionShade = (attention: number, frames: number) =>
  0.5 + Math.log2(attention * frames + 1e-9) / (2 * ATTENTION_RANGE);

/** Who listens (down) to what (across), the mean of all heads. */
export function drawAttention(canvas: HTMLCanvasElement, map: AttentionMap): void {
  paint(canvas, [map.frames, map.frames], (x, y) => attentionShade(attentionAt(map, y, x), map.frames));
}
