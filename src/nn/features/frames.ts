// Frame arithmetic of a convolution stack on symbolic lengths, and how far to pad so that every stage is a pure reshape.
import { addDims, type Dim, floorDivDim, mulDims } from "../../graph/dim.ts";

/** Kernel and stride of one layer, in its input's frames. */
export interface Window {
  readonly kernel: number;
  readonly stride: number;
}

/** Output frames of one layer: floor((n - kernel) / stride) + 1. */
export const windowCount = (frames: Dim, { kernel, stride }: Window): Dim =>
  addDims(floorDivDim(addDims(frames, -kernel), stride), 1);

/** Output frames of a stack of layers for `samples` samples. */
export const frameDim = (layers: readonly Window[], samples: Dim): Dim => layers.reduce(windowCount, samples);

/**
 * Padded output frames of every layer, such that a layer's padded input is exactly stride times its padded output. The
 * frames past the true ones hold numbers that no true frame of a later layer reads. `extra` whole output frames suffice
 * when every layer's true frames fit: needed_in = stride (needed_out - 1) + kernel <= stride padded_out.
 */
export function paddedDims(layers: readonly Window[], frames: Dim): Dim[] {
  let needed = 0; // frames needed past total stride * frames
  let total = 1;
  let extra = 0;
  for (const { kernel, stride } of [...layers].reverse()) {
    extra = Math.max(extra, Math.ceil((stride * needed - stride + kernel) / (total * stride)));
    needed = stride * needed - stride + kernel;
    total *= stride;
  }
  const padded: Dim[] = [];
  let size = addDims(frames, Math.max(extra, 0));
  for (const { stride } of [...layers].reverse()) {
    padded.unshift(size);
    size = mulDims(size, stride);
  }
  return padded;
}
