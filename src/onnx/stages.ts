// Tensors of an exported recogniser at which it can be cut into stages, by name and number of axes.

/** What begins the name of every one of them. */
export const STAGE_PREFIX = "stage.";

export const STAGE_POINTS = {
  /** The waveform as the convolutions read it: behind gain and normalisation, [batch, samples]. */
  wave: { name: "stage.wave", rank: 2 },
  /** Moments of the first convolution's windows, [batch, 1, kernel] and [batch, kernel, kernel], where it is normalised over time. */
  centre: { name: "stage.centre", rank: 3 },
  covariance: { name: "stage.covariance", rank: 3 },
  /** Projected features, [batch, frames, dim]. */
  features: { name: "stage.features", rank: 3 },
  /** What the first layer reads, [batch, frames, dim]. */
  frames: { name: "stage.frames", rank: 3 },
} as const;
