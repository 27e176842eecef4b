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
export function diarizationErrors(
  reference: readonly SpeakerTurn[],
  hypothesis: readonly SpeakerTurn[],
): DiarizationErrors {
  const pieces = piecesOf(reference, hypothesis);
  const names = (side: "reference" | "hypothesis") => [...new Set(pieces.flatMap((piece) => [...piece[side]]))].sort();
  const [speakers, found] = [names("reference"), names("hypothesis")];
  const together = speakers.map((a) =>
    found.map((b) =>
      pieces.reduce((sum, piece) => sum + (piece.reference.has(a) && piece.hypothesis.has(b) ? piece.seconds : 0), 0),
    ),
  );
  const matches = bestAssignment(together);
  const sums = { speechSeconds: 0, missedSeconds: 0, falseAlarmSeconds: 0, confusionSeconds: 0 };
  for (const piece of pieces) {
    const [spoken, said] = [piece.reference.size, piece.hypothesis.size];
    const right = speakers.filter(
      (name, i) => piece.reference.has(name) && matches[i] >= 0 && piece.hypothesis.has(found[matches[i]]),
    ).length;
    sums.speechSeconds += piece.seconds * spoken;
    sums.missedSeconds += piece.seconds * Math.max(0, spoken - said);
    sums.falseAlarmSeconds += piece.seconds * Math.max(0, said - spoken);
    sums.confusionSeconds += piece.seconds * (Math.min(spoken, said) - right);
  }
  return sums;
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
