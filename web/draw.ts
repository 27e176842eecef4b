// The pictures: waveform, hidden states as a heat map over time, and how similar every frame is to every other.
import type { State } from "./worker.types.ts";

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

/** Draws `value(x, y)` in 0..1 for every cell, one cell a pixel; CSS scales the canvas. */
function paint(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
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

/** The loudest samples below every pixel, in the text's colour. */
export function drawWaveform(canvas: HTMLCanvasElement, wave: Float32Array): void {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round) as [number, number];
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  context.fillStyle = getComputedStyle(canvas).color;
  let peak = 1e-6;
  for (const sample of wave) peak = Math.max(peak, Math.abs(sample));
  for (let x = 0; x < width; x++) {
    const end = Math.max(Math.floor((x * wave.length) / width) + 1, Math.floor(((x + 1) * wave.length) / width));
    let [low, high] = [0, 0];
    for (let i = Math.floor((x * wave.length) / width); i < end; i++) {
      low = Math.min(low, wave[i]);
      high = Math.max(high, wave[i]);
    }
    const top = (0.5 - (0.48 * high) / peak) * height;
    context.fillRect(x, top, 1, Math.max(ratio, ((0.48 * (high - low)) / peak) * height));
  }
}

/** Each dimension over time, zero mean and unit variance: [frames, dim] -> one array a dimension. */
function standardise({ frames, dim, data }: State): Float32Array[] {
  return Array.from({ length: dim }, (_, d) => {
    const row = Float32Array.from({ length: frames }, (_, t) => data[t * dim + d]);
    const mean = row.reduce((sum, value) => sum + value, 0) / frames;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / frames;
    return row.map((value) => (value - mean) / Math.sqrt(variance + 1e-12));
  });
}

/** Frames that the order of rows is decided on; enough to tell dimensions apart. */
const ORDER_FRAMES = 128;

/** Every row next to the one most like it, greedily from the first: dimensions have no order of their own. */
function orderRows(rows: readonly Float32Array[]): Float32Array[] {
  const step = Math.max(1, Math.floor(rows[0].length / ORDER_FRAMES));
  const thin = new Map(rows.map((row) => [row, row.filter((_, t) => t % step === 0)]));
  const left = new Set(rows);
  const ordered: Float32Array[] = [];
  for (let row: Float32Array | undefined = rows[0]; row; ) {
    left.delete(row);
    ordered.push(row);
    const here = thin.get(row)!;
    let best = Number.NEGATIVE_INFINITY;
    row = undefined;
    for (const candidate of left) {
      const there = thin.get(candidate)!;
      let product = 0;
      for (let t = 0; t < here.length; t++) product += here[t] * there[t];
      if (product > best) [best, row] = [product, candidate];
    }
  }
  return ordered;
}

/** Time along x, one row a dimension, +-2.5 standard deviations across the palette. */
export function drawStates(canvas: HTMLCanvasElement, state: State): void {
  const rows = orderRows(standardise(state));
  paint(canvas, state.frames, state.dim, (t, d) => 0.5 + rows[d][t] / 5);
}

/** Most rows of the similarity map; longer audio is averaged down to it. */
const MAX_CELLS = 480;

/** Cosine similarity of all pairs of frames about their mean, 0 (dark) to 1 (light). */
export function drawSimilarity(canvas: HTMLCanvasElement, { frames, dim, data }: State): void {
  const cells = Math.min(frames, MAX_CELLS);
  const pooled = new Float32Array(cells * dim);
  for (let cell = 0; cell < cells; cell++) {
    const [start, end] = [Math.floor((cell * frames) / cells), Math.floor(((cell + 1) * frames) / cells)];
    for (let t = start; t < end; t++)
      for (let d = 0; d < dim; d++) pooled[cell * dim + d] += data[t * dim + d] / (end - start);
  }
  const mean = new Float64Array(dim);
  for (let i = 0; i < pooled.length; i++) mean[i % dim] += pooled[i] / cells;
  for (let cell = 0; cell < cells; cell++) {
    let squares = 1e-12;
    for (let d = 0; d < dim; d++) {
      pooled[cell * dim + d] -= mean[d];
      squares += pooled[cell * dim + d] ** 2;
    }
    for (let d = 0; d < dim; d++) pooled[cell * dim + d] /= Math.sqrt(squares);
  }
  paint(canvas, cells, cells, (x, y) => {
    let product = 0;
    for (let d = 0; d < dim; d++) product += pooled[x * dim + d] * pooled[y * dim + d];
    return product;
  });
}
