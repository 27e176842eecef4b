// The columns of a list that say which part of a recording is meant, or how long it is; anything else like a time is refused.
import { StillwaveError } from "../../errors.ts";
import type { DeclaredLength, Span } from "../span.ts";
import { type Entry, shown } from "./entry.ts";

type Role = "start" | "end" | "length";
type Unit = Span["unit"];

/** Every name that is read, by what it gives. */
const NAMES: Readonly<Record<Unit, Readonly<Record<Role, readonly string[]>>>> = {
  seconds: {
    start: ["start", "begin", "start_time", "begin_time", "offset"],
    end: ["end", "stop", "end_time", "stop_time"],
    length: ["duration", "length"],
  },
  samples: {
    start: ["start_frame", "start_sample", "frame_offset"],
    end: ["end_frame", "end_sample", "stop_frame", "stop_sample"],
    length: ["frames", "num_frames", "samples", "num_samples"],
  },
};
const ACCEPTED =
  "start and end, start and stop, begin and end, start_time and end_time, offset and duration in seconds; start and frames, start_frame and end_frame, frame_offset and num_frames in samples";

const ROLES = ["start", "end", "length"] as const;
const READ: ReadonlySet<string> = new Set(
  Object.values(NAMES).flatMap((roles) => ROLES.flatMap((role) => roles[role])),
);

/** What an entry says of times. */
export interface Times {
  readonly span?: Span;
  readonly declared?: DeclaredLength;
  /** Why the entry cannot be used. */
  readonly problem?: string;
}

interface Given {
  readonly name: string;
  readonly value: number;
}

/**
 * The part of the recording that an entry means.
 * @throws StillwaveError naming a column that looks like a time and is not one of those that are read.
 */
export function timesOf({ place, fields }: Entry): Times {
  for (const [name, value] of fields)
    if (!READ.has(name) && looksLikeTime(name, value))
      throw new StillwaveError(
        `${place}: the column "${name}" (${shown(value)}) looks like a time and is not read; times are ${ACCEPTED}: rename it, or remove it`,
      );
  try {
    return combine((unit, role) => given(fields, NAMES[unit][role], unit));
  } catch (error) {
    if (error instanceof StillwaveError) return { problem: error.message };
    throw error;
  }
}

function combine(find: (unit: Unit, role: Role) => Given | undefined): Times {
  const [inSeconds, inSamples] = (["seconds", "samples"] as const).map((unit) => ({
    start: find(unit, "start"),
    end: find(unit, "end"),
    length: find(unit, "length"),
  }));
  const part = ({ start, end }: typeof inSeconds) => start !== undefined || end !== undefined;
  // a plain start counts samples where frames alone stand beside it
  const { start } = inSeconds;
  const isPlain = start?.name === "start" || start?.name === "begin";
  if (isPlain && inSamples.length && !part(inSamples) && !inSeconds.end && !inSeconds.length)
    return spanOf("samples", { start, end: undefined, length: inSamples.length });
  if (part(inSeconds) && (part(inSamples) || inSamples.length)) {
    const named = [inSeconds.start ?? inSeconds.end, inSamples.start ?? inSamples.end ?? inSamples.length];
    throw new StillwaveError(
      `"${named[0]?.name}" in seconds and "${named[1]?.name}" in samples; give one or the other`,
    );
  }
  if (part(inSamples)) return spanOf("samples", inSamples);
  if (part(inSeconds)) return spanOf("seconds", inSeconds);
  const [unit, length] = inSamples.length
    ? (["samples", inSamples.length] as const)
    : (["seconds", inSeconds.length] as const);
  return length ? { declared: { unit, length: notNegative(length) } } : {};
}

/** Start without end: to the recording's end; end without start: from its beginning. */
function spanOf(unit: Unit, { start, end, length }: Readonly<Record<Role, Given | undefined>>): Times {
  if (unit === "samples")
    for (const one of [start, end, length])
      if (one && !Number.isInteger(one.value))
        throw new StillwaveError(`"${one.name}" is ${one.value}; samples are whole numbers`);
  const from = start ? notNegative(start) : 0;
  if (length) notNegative(length);
  const to = end ? notNegative(end) : length && from + length.value;
  if (to !== undefined && !(to > from))
    throw new StillwaveError(`its segment of ${from} to ${to} ${unit === "seconds" ? "s" : "samples"} is empty`);
  return { span: { unit, start: from, end: to, length: end ? length?.value : undefined } };
}

function notNegative({ name, value }: Given): number {
  if (value >= 0) return value;
  throw new StillwaveError(`"${name}" is ${value}; times are not negative`);
}

/** The value under one of `names`. @throws StillwaveError where it is no number, or two differ. */
function given(fields: Entry["fields"], names: readonly string[], unit: Unit): Given | undefined {
  let found: Given | undefined;
  for (const name of names) {
    const value = fields.get(name);
    if (value === undefined || value === null || value === "") continue;
    const number = numberOf(value);
    if (number === undefined) throw new StillwaveError(`"${name}" is ${shown(value)}; expected a number of ${unit}`);
    if (found && found.value !== number)
      throw new StillwaveError(`"${found.name}" is ${found.value} and "${name}" is ${number}; give one of them`);
    found ??= { name, value: number };
  }
  return found;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === "string" && !/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)) return undefined;
  const number = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Words that mean a time wherever they stand in a name, and those that do as a word of their own. */
const ANYWHERE = /start|begin|stop|onset|offset|duration/;
const ALONE = /^(end|ends|from|to|dur|times?|timestamps?|t0|t1|tmin|tmax|xmin|xmax)$/;
const TIMED_END = /^(seg|segment|utt|utterance|clip|chunk)?end(time|sec|secs|seconds|ms|frame|sample|pos)?$/;
/** Names that hold a pair of times, or several. */
const PAIR = /^(segments?|spans?|intervals?|range|window|region|chunk|clip|cut)$/;
/** Seconds since 1970 are above this, places in a recording below. */
const EPOCH = 1e8;

function looksLikeTime(name: string, value: unknown): boolean {
  const words = name.split(/[^a-z0-9]+/);
  if (ANYWHERE.test(name) || TIMED_END.test(words.join("")) || words.some((word) => ALONE.test(word)))
    return isTime(value) || holdsTimes(value);
  return words.some((word) => PAIR.test(word)) && holdsTimes(value);
}

/** A number, or a clock's time such as 00:01:02.5. */
function isTime(value: unknown): boolean {
  if (typeof value === "string" && /^\s*\d+(:\d+)+([.,]\d+)?\s*$/.test(value)) return true;
  const number = numberOf(value);
  return number !== undefined && Math.abs(number) < EPOCH;
}

/** A list of times, or an object with one in it. */
const holdsTimes = (value: unknown, depth = 4): boolean =>
  typeof value === "object" &&
  value !== null &&
  depth > 0 &&
  Object.values(value).some((inner) => isTime(inner) || holdsTimes(inner, depth - 1));
