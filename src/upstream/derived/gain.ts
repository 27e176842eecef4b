// An upstream behind a gain: the benchmark attenuates the waves of some tasks before any model sees them.
import type { Upstream } from "../upstream.ts";

/** `upstream` with its waves scaled by `gainDb` decibels first, as SoX's `gain` does. */
export function withGain(upstream: Upstream, gainDb: number): Upstream {
  const factor = 10 ** (gainDb / 20);
  const attenuated = (wave: Float32Array) => wave.map((sample) => sample * factor);
  return {
    ...upstream,
    gainDb,
    stages: upstream.stages && { ...upstream.stages, config: { ...upstream.stages.config, gain: factor } },
    extract: (waves) => upstream.extract(waves.map(attenuated)),
    windows({ samples, pieces }, settings, multiple) {
      const attenuatedPieces = async function* () {
        for await (const piece of pieces()) yield attenuated(piece);
      };
      return upstream.windows({ samples, pieces: attenuatedPieces }, settings, multiple);
    },
  };
}
