// Global gradient norm and clipping to it.

/**
 * L2 norm over all gradients, summed in float64. NaN or Infinity where any gradient is not finite, so that one call tells
 * both the norm and whether the update may be done. (Squares of float32 cannot overflow a float64 sum.)
 */
export function gradientNorm(gradients: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradients.length; i++) sum += gradients[i] * gradients[i];
  return Math.sqrt(sum);
}

/** Scales the gradients in place so that their norm is at most `maxNorm`, given the norm they have. */
export function clipGradients(gradients: Float32Array, norm: number, maxNorm: number): void {
  if (!(norm > maxNorm)) return;
  const scale = maxNorm / norm;
  for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i] * scale;
}
