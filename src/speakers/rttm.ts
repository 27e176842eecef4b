// RTTM, the lines in which turns of speakers are written down (NIST, Rich Transcription).
import { type Line, readLines } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import type { SpeakerTurn } from "../metrics/der.ts";

/** Lines of other types than SPEAKER that the format has; they say nothing of turns. */
const OTHER_TYPES: ReadonlySet<string> = new Set(
  "SEGMENT NOSCORE NO_RT_METADATA LEXEME NON-LEX NON-SPEECH FILLER EDIT IP SU CB A/P SPKR-INFO".split(" "),
);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Turns by recording, in the order of the file: `SPEAKER <recording> <channel> <start> <seconds> <NA> <NA> <speaker> ...`.
 * Lines of other types are passed over, and so are comments (`;;`, `#`).
 * @throws StillwaveError with file and line for anything malformed
 */
export function parseRttm(lines: readonly Line[], file: string): Map<string, SpeakerTurn[]> {
  const turns = new Map<string, SpeakerTurn[]>();
  for (const { number, text } of lines) {
    const fields = text.trim().split(/\s+/);
    if (fields[0] === "" || /^(;;|#)/.test(fields[0]) || OTHER_TYPES.has(fields[0])) continue;
    const [type, recording, , from, long, , , speaker] = fields;
    const [startSeconds, seconds] = [from, long].map((field) =>
      NUMBER.test(field ?? "") ? Number(field) : Number.NaN,
    );
    const isTurn = type === "SPEAKER" && speaker !== undefined && speaker !== "<NA>";
    if (!isTurn || !(startSeconds >= 0 && seconds >= 0) || startSeconds + seconds === Number.POSITIVE_INFINITY)
      throw new StillwaveError(
        `${file}:${number}: expected "SPEAKER <recording> <channel> <start> <seconds> <NA> <NA> <speaker>", got "${text.trim().slice(0, 80)}"`,
      );
    const list = turns.get(recording) ?? [];
    turns.set(recording, list);
    list.push({ speaker, startSeconds, endSeconds: startSeconds + seconds });
  }
  return turns;
}

/** @throws StillwaveError naming file and line for what cannot be read */
export const readRttm = async (file: string): Promise<Map<string, SpeakerTurn[]>> =>
  parseRttm(await readLines(file, "RTTM"), file);

/** The lines of a recording's turns, in hundredths of a second as the benchmark writes them. */
export const rttmLines = (recording: string, turns: readonly SpeakerTurn[]): string =>
  turns
    .map(({ speaker, startSeconds, endSeconds }) => {
      const [start, seconds] = [startSeconds, endSeconds - startSeconds].map((time) => time.toFixed(2).padStart(7));
      return `SPEAKER ${recording} 1 ${start} ${seconds} <NA> <NA> ${speaker} <NA>\n`;
    })
    .join("");
