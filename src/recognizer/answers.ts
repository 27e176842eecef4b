// Logits as answers: readings with times and confidences, and classes with probabilities.
import { logSoftmax } from "../decode/emissions.ts";
import type { TimedPart } from "../streaming/stream.types.ts";
import { SLOT_SEPARATOR } from "../superb/objectives/classes.ts";
import type { Decoding, TimedText } from "../superb/objectives/decoding.ts";
import { alignSymbols } from "./alignment.ts";
import type { Classification, FrameLogits, RecognizerFacts, ScoredClass, Transcript } from "./recognizer.types.ts";

/** The `count` best readings of a recording of `samples` samples, best first. */
export function transcriptsOf(
  facts: RecognizerFacts,
  decoding: Decoding,
  { frames, data }: FrameLogits,
  { samples, count }: { readonly samples: number; readonly count: number },
): Transcript[] {
  const vocab = facts.labels.length;
  const emissions = logSoftmax(data, vocab, new Float32Array(data.length));
  const secondsPerFrame = facts.samplesPerFrame / facts.sampleRate;
  const endSeconds = samples / facts.sampleRate;
  const timed = (part: TimedText): TimedPart => ({
    text: part.text,
    startSeconds: part.startFrame * secondsPerFrame,
    endSeconds: Math.min(endSeconds, part.endFrame * secondsPerFrame),
    confidence: confidenceOf(emissions, vocab, part, frames),
  });
  return decoding.decode(data, count).map(({ text, score, parts }) => {
    const timedParts = parts.map(timed);
    const sum = timedParts.reduce((total, { confidence }) => total + confidence, 0);
    return {
      text,
      parts: timedParts,
      labels: labelsOf(facts, parts),
      confidence: parts.length > 0 ? sum / parts.length : null,
      score,
    };
  });
}

/** Geometric mean of the probabilities that a part's symbols reach in its frames. */
function confidenceOf(emissions: ArrayLike<number>, vocab: number, part: TimedText, frames: number): number {
  const { symbols, startFrame, endFrame } = part;
  if (symbols.length === 0) return 0;
  const span = { startFrame, endFrame: Math.min(frames, endFrame) };
  return Math.min(1, Math.exp(alignSymbols(emissions, vocab, symbols, span) / symbols.length));
}

/** The symbols of all parts, with the sign between words where they are spelled. */
function labelsOf({ text, labels }: RecognizerFacts, parts: readonly TimedText[]): string[] {
  const between = text === "characters" && labels.includes("|") ? ["|"] : [];
  return parts.flatMap(({ symbols }, i) => [...(i > 0 ? between : []), ...symbols.map((one) => labels[one])]);
}

/** Mean over frames of the logits of classes. */
export function meanLogits({ frames, data }: FrameLogits, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] += data[i] / frames;
  return mean;
}

/** The classes of a recording, from the mean of its logits over frames. */
export function classificationOf(
  facts: RecognizerFacts,
  logits: Float64Array,
  top: number,
): Omit<Classification, "seconds"> {
  let start = 0;
  const slots = facts.slots.map(({ name, size }) => {
    const log = logSoftmax(logits.slice(start, start + size), size);
    const labels = facts.labels.slice(start, start + size);
    start += size;
    return { name, classes: labels.map((label, i) => ({ label, probability: Math.exp(log[i]) })).sort(byProbability) };
  });
  const classes = slots.reduce<ScoredClass[]>(
    (joint, slot, i) => (i === 0 ? slot.classes.slice(0, top) : joined(joint, slot.classes, top)),
    [],
  );
  const told = slots.map((slot) => ({ ...slot, classes: slot.classes.slice(0, top) }));
  return { ...classes[0], classes, slots: told };
}

const byProbability = (a: ScoredClass, b: ScoredClass) => b.probability - a.probability;

/** The most probable pairs: none of them has a member beyond the `top` best of its slot. */
function joined(first: readonly ScoredClass[], second: readonly ScoredClass[], top: number): ScoredClass[] {
  return first
    .flatMap((a) =>
      second.slice(0, top).map((b) => ({
        label: `${a.label}${SLOT_SEPARATOR}${b.label}`,
        probability: a.probability * b.probability,
      })),
    )
    .sort(byProbability)
    .slice(0, top);
}
