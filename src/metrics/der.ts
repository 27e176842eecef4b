// Diarisation error rate, collar 0, overlapping speech scored (NIST md-eval's definition).
// Ours because md-eval's definition decides to the last digit.
import { StillwaveError } from "../errors.ts";
import { bestAssignment } from "./assignment.ts";

export interface SpeakerTurn {
  readonly speaker: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** Times are summed over speakers: a second in which two people speak counts twice. */
export interface DiarizationErrors {
  readonly speechSeconds: number;
  readonly missedSeconds: number;
  readonly falseAlarmSeconds: number;
  readonly confusionSeconds: number;
}

/** Percent over one or many recordings: all errors over all speech. */
export function diarizationErrorRate(recordings: readonly DiarizationErrors[]): number {
  const sum = (key: keyof DiarizationErrors) => recordings.reduce((total, entry) => total + entry[key], 0);
  const speech = sum("speechSeconds");
  if (!(speech > 0)) throw new StillwaveError("no diarisation error rate: the references hold no speech");
  return (100 * (sum("missedSeconds") + sum("falseAlarmSeconds") + sum("confusionSeconds"))) / speech;
}

/**
 * Errors of one recording. Speakers are matched one to one so that matched speakers speak together as long as possible.
 * @throws StillwaveError for a turn that ends before it starts, or is no number.
 */
export const diarizationErrors = (
  reference: readonly SpeakerTurn[],
  hypothesis: readonly SpeakerTurn[],
): DiarizationErrors => errorsIn(matched(reference, hypothesis));

/** Errors where the reference has nobody, one, and more than one speaking. Their sums are those of the recording. */
export interface DiarizationByOverlap {
  readonly silence: DiarizationErrors;
  readonly single: DiarizationErrors;
  readonly overlap: DiarizationErrors;
}

/** @throws StillwaveError as `diarizationErrors` */
export function diarizationErrorsByOverlap(
  reference: readonly SpeakerTurn[],
  hypothesis: readonly SpeakerTurn[],
): DiarizationByOverlap {
  const pieces = matched(reference, hypothesis);
  const where = (has: (speakers: number) => boolean) => errorsIn(pieces.filter(({ spoken }) => has(spoken)));
  return {
    silence: where((speakers) => speakers === 0),
    single: where((speakers) => speakers === 1),
    overlap: where((speakers) => speakers > 1),
  };
}

/** A stretch in which the same speak: how many do, how many are said to, and how many of those are the ones. */
interface MatchedPiece {
  readonly seconds: number;
  readonly spoken: number;
  readonly said: number;
  readonly right: number;
}

function errorsIn(pieces: readonly MatchedPiece[]): DiarizationErrors {
  const sums = { speechSeconds: 0, missedSeconds: 0, falseAlarmSeconds: 0, confusionSeconds: 0 };
  for (const { seconds, spoken, said, right } of pieces) {
    sums.speechSeconds += seconds * spoken;
    sums.missedSeconds += seconds * Math.max(0, spoken - said);
    sums.falseAlarmSeconds += seconds * Math.max(0, said - spoken);
    sums.confusionSeconds += seconds * (Math.min(spoken, said) - right);
  }
  return sums;
}

function matched(reference: readonly SpeakerTurn[], hypothesis: readonly SpeakerTurn[]): MatchedPiece[] {
  const pieces = piecesOf(reference, hypothesis);
  const names = (side: "reference" | "hypothesis") => [...new Set(pieces.flatMap((piece) => [...piece[side]]))].sort();
  const [speakers, found] = [names("reference"), names("hypothesis")];
  const together = speakers.map((a) =>
    found.map((b) =>
      pieces.reduce((sum, piece) => sum + (piece.reference.has(a) && piece.hypothesis.has(b) ? piece.seconds : 0), 0),
    ),
  );
  const matches = bestAssignment(together);
  return pieces.map(({ seconds, reference, hypothesis }) => ({
    seconds,
    spoken: reference.size,
    said: hypothesis.size,
    right: speakers.filter((name, i) => reference.has(name) && matches[i] >= 0 && hypothesis.has(found[matches[i]]))
      .length,
  }));
}

interface Piece {
  readonly seconds: number;
  readonly reference: ReadonlySet<string>;
  readonly hypothesis: ReadonlySet<string>;
}

/** Cuts the recording wherever anyone starts or stops; pieces in which somebody speaks. */
function piecesOf(reference: readonly SpeakerTurn[], hypothesis: readonly SpeakerTurn[]): Piece[] {
  const turns = [...reference, ...hypothesis];
  for (const { speaker, startSeconds, endSeconds } of turns) {
    if (!(startSeconds >= 0 && endSeconds >= startSeconds && endSeconds < Number.POSITIVE_INFINITY))
      throw new StillwaveError(`a turn of ${speaker} goes from ${startSeconds} s to ${endSeconds} s`);
  }
  const times = [...new Set(turns.flatMap(({ startSeconds, endSeconds }) => [startSeconds, endSeconds]))];
  times.sort((a, b) => a - b);
  return times.slice(1).flatMap((to, i): Piece[] => {
    // turns of one speaker may overlap: they count once
    const [spoken, said] = [reference, hypothesis].map((side) => {
      const active = side.filter(({ startSeconds, endSeconds }) => startSeconds < to && endSeconds >= to);
      return new Set(active.map(({ speaker }) => speaker));
    });
    return spoken.size + said.size > 0 ? [{ seconds: to - times[i], reference: spoken, hypothesis: said }] : [];
  });
}
