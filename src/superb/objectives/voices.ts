// Voices: embeddings that tell training speakers apart by their angles, compared in trials by their cosine.
import { StillwaveError } from "../../errors.ts";
import { AM_SOFTMAX, marginSoftmax } from "../../speakers/margin.ts";
import { trialRow } from "../measures/trials.ts";
import type { Objective, Reading } from "./objective.types.ts";
import type { VoiceSpec } from "./spec.ts";

function cosine(a: Float32Array, b: Float32Array): number {
  let [product, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    ofA += a[i] * a[i];
    ofB += b[i] * b[i];
  }
  const norm = Math.sqrt(ofA * ofB);
  return norm > 0 && Number.isFinite(product) ? product / norm : 0;
}

const cosines: Reading<Float32Array> = {
  name: "cosine",
  answers({ logits, shape: [items, width] }) {
    return Array.from({ length: items }, (_, item) => logits.slice(item * width, (item + 1) * width));
  },
  predictions(embeddings, { utterances, trials = [] }) {
    const speakers = new Map(utterances.map(({ id, reference }) => [id, reference]));
    const of = <T>(map: ReadonlyMap<string, T>, id: string): T => {
      const found = map.get(id);
      if (found === undefined) throw new StillwaveError(`a trial names "${id}", of which there is no recording`);
      return found;
    };
    const seen = new Map<string, number>();
    return trials.map(({ first, second }) => {
      const name = `${first} ${second}`;
      const times = (seen.get(name) ?? 0) + 1;
      seen.set(name, times);
      const id = times > 1 ? `${name} #${times}` : name;
      const score = cosine(of(embeddings, first), of(embeddings, second));
      return trialRow(id, { speakers: [of(speakers, first), of(speakers, second)], score });
    });
  },
};

export function voiceObjective(spec: VoiceSpec): Objective {
  const { speakers } = spec;
  if (speakers.length < 2)
    throw new StillwaveError(
      `the training data have fewer than two speakers (${speakers.join(", ") || "none"}); there is nothing to learn`,
    );
  return {
    spec,
    outputs: speakers.length,
    unit: "trial",
    loss({ logits }, labels) {
      const right = labels.map((label) => label[0]);
      return { ...marginSoftmax(logits, right, AM_SOFTMAX), infinite: 0 };
    },
    hasTestLoss: false,
    readings: [cosines],
  };
}
