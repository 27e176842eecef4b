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
  let [speech, missed, falseAlarm, confusion] = [0, 0, 0, 0];
  for (const piece of pieces) {
    const [spoken, said] = [piece.reference.size, piece.hypothesis.size];
    const right = speakers.filter(
      (name, i) => piece.reference.has(name) && matches[i] >= 0 && piece.hypothesis.has(found[matches[i]]),
    ).length;
    speech += piece.seconds * spoken;
    missed += piece.seconds * Math.max(0, spoken - said);
    falseAlarm += piece.seconds * Math.max(0, said - spoken);
    confusion += piece.seconds * (Math.min(spoken, said) - right);
  }
  return {
    speechSeconds: speech,
    missedSeconds: missed,
    falseAlarmSeconds: falseAlarm,
    confusionSeconds: confusion,
  };
}

interface Piece {
  readonly seconds: number;
  readonly reference: ReadonlySet<string>;
  readonly hypothesis: ReadonlySet<string>;
}

/** Cuts the recording wherever anyone starts or stops; pieces in which somebody speaks. */
function piecesOf(reference: readonly SpeakerTurn[], hypothesis: readonly SpeakerTurn[]): Piece[] {
  const events: {
    readonly seconds: number;
    readonly side: 0 | 1;
    readonly speaker: string;
    readonly change: 1 | -1;
  }[] = [];
  for (const [side, turns] of [reference, hypothesis].entries()) {
    for (const { speaker, startSeconds, endSeconds } of turns) {
      if (!(startSeconds >= 0 && endSeconds >= startSeconds && endSeconds < Number.POSITIVE_INFINITY)) {
        throw new StillwaveError(`a turn of ${speaker} goes from ${startSeconds} s to ${endSeconds} s`);
      }
      events.push({ seconds: startSeconds, side: side as 0 | 1, speaker, change: 1 });
      events.push({ seconds: endSeconds, side: side as 0 | 1, speaker, change: -1 });
    }
  }
  events.sort((a, b) => a.seconds - b.seconds);
  // turns of one speaker may overlap: they count once
  const active = [new Map<string, number>(), new Map<string, number>()];
  const pieces: Piece[] = [];
  let from = 0;
  for (const { seconds, side, speaker, change } of events) {
    if (seconds > from && active[0].size + active[1].size > 0) {
      const [said, found] = active.map((speakers) => new Set(speakers.keys()));
      pieces.push({ seconds: seconds - from, reference: said, hypothesis: found });
    }
    from = seconds;
    const turns = (active[side].get(speaker) ?? 0) + change;
    if (turns === 0) active[side].delete(speaker);
    else active[side].set(speaker, turns);
  }
  return pieces;
}
