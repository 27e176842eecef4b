// Words and phones as cues of subtitles: grouped by pauses and length, in milliseconds, one after another.
import type { TimedPart } from "../../streaming/stream.types.ts";

/** A cue ends where nothing is said for so long, in seconds. */
const PAUSE_SECONDS = 0.8;
/** Two lines of the usual width. */
const MOST_CHARACTERS = 84;
const MOST_SECONDS = 6;

export interface Cue {
  readonly startMs: number;
  /** At least one after `startMs`, and at most the next cue's. */
  readonly endMs: number;
  readonly text: string;
}

export function cuesOf(parts: readonly TimedPart[]): Cue[] {
  const groups: TimedPart[][] = [];
  for (const part of parts) {
    const group = groups.at(-1);
    if (group && fits(group, part)) group.push(part);
    else groups.push([part]);
  }
  let from = 0;
  return groups.map((group) => {
    const startMs = Math.max(from, Math.round(1000 * group[0].startSeconds));
    const endMs = Math.max(startMs + 1, Math.round(1000 * (group.at(-1)?.endSeconds ?? 0)));
    from = endMs;
    return { startMs, endMs, text: group.map(({ text }) => text).join(" ") };
  });
}

function fits(group: readonly TimedPart[], part: TimedPart): boolean {
  const last = group[group.length - 1];
  const characters = group.reduce((sum, { text }) => sum + text.length + 1, part.text.length);
  return (
    part.startSeconds - last.endSeconds < PAUSE_SECONDS &&
    part.endSeconds - group[0].startSeconds <= MOST_SECONDS &&
    characters <= MOST_CHARACTERS
  );
}

/** `01:02:03,456`, with the sign before the milliseconds that a format has. */
export function clockTime(milliseconds: number, point: "," | "."): string {
  const [hours, minutes, seconds] = [3_600_000, 60_000, 1000].map((unit) => Math.floor(milliseconds / unit));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(hours)}:${two(minutes % 60)}:${two(seconds % 60)}${point}${String(milliseconds % 1000).padStart(3, "0")}`;
}
