// Numbers, durations and the state of long work in words: pure functions.

/** Where a piece of work stands. */
export interface ProgressState {
  /** Steps done, of `total` (undefined: not known). */
  readonly done: number;
  readonly total?: number;
  /** Seconds of work so far in this process. */
  readonly seconds: number;
  /** Steps that were already done when this process began (resume): they do not count towards the rate. */
  readonly startedAt?: number;
  readonly loss?: number;
  readonly audioSecondsPerSecond?: number;
  /** Share of the time in which the work waits for its input; told from 2 % on. */
  readonly waitShare?: number;
  /** "step", "utterance", "byte": what is counted. Default "step". */
  readonly unit?: string;
}

/** A device that waits less than this for its input is kept busy. */
const NOTABLE_WAIT_SHARE = 0.02;

/** `0:07`, `12:34`, `3:04:05`, `2d 03:04`; `--:--` where unknown. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "--:--";
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [days, hours, minutes] = [
    Math.floor(whole / 86400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Four significant digits in plain notation where that is readable: `0.4213`, `12.35`, `5.000e-7`, `NaN`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(3);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4);
}

/** `1.2 kB`, `3.4 GB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}

/** `━━━━╸─────` in `width` columns; eighths would need fonts that terminals lack. */
export function formatBar(fraction: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction || 0)) * width * 2);
  const bar = "━".repeat(filled >> 1) + (filled & 1 ? "╸" : "");
  return bar + "─".repeat(Math.max(0, width - bar.length));
}

/** Steps per second of this process; undefined before the first. */
function rateOf(state: ProgressState): number | undefined {
  const done = state.done - (state.startedAt ?? 0);
  return done > 0 && state.seconds > 0 ? done / state.seconds : undefined;
}

/** Seconds until `total` at the rate so far; undefined where that is not known. */
function secondsLeft(state: ProgressState): number | undefined {
  const rate = rateOf(state);
  return rate === undefined || state.total === undefined ? undefined : Math.max(0, state.total - state.done) / rate;
}

function formatRate(state: ProgressState): string | undefined {
  const rate = rateOf(state);
  if (rate === undefined) return undefined;
  const unit = state.unit ?? "step";
  if (unit === "byte") return `${formatBytes(rate)}/s`;
  return rate >= 1 ? `${formatNumber(rate)} ${unit}s/s` : `${formatNumber(1 / rate)} s/${unit}`;
}

function details(state: ProgressState): string[] {
  const left = secondsLeft(state);
  const { audioSecondsPerSecond: audio, waitShare = 0 } = state;
  return [
    state.loss === undefined ? undefined : `loss ${formatNumber(state.loss)}`,
    formatRate(state),
    audio === undefined ? undefined : `${formatNumber(audio)} s audio/s`,
    waitShare < NOTABLE_WAIT_SHARE ? undefined : `${Math.round(100 * waitShare)} % waiting`,
    left === undefined ? undefined : `${formatDuration(left)} left`,
  ].filter((part) => part !== undefined);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

const escaped = (character: string) =>
  ESCAPES.get(character) ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** A name (a path, an id, a label) as it stands in a line of text: line ends, tabs and what moves a cursor are escaped. */
export const printable = (name: string): string => name.replace(/\p{Cc}|[\u2028\u2029]/gu, escaped);

/** Text of several lines, in which nothing may move the cursor of a terminal. */
export const printableLines = (text: string): string => text.replace(/(?![\n\t])\p{Cc}/gu, escaped);

/** Where the work stands and where it ends; bytes in their larger units. */
function counted({ unit, done, total }: ProgressState): { readonly done: string; readonly total: string | undefined } {
  const show = unit === "byte" ? formatBytes : String;
  return { done: show(done), total: total === undefined ? undefined : show(total) };
}

/** The line for a terminal of `columns`: parts are left out from the right until it fits, the bar first. */
export function formatTerminalLine(label: string, state: ProgressState, columns: number): string {
  const { done, total } = counted(state);
  const count = total === undefined ? done : `${done}/${total}`;
  const parts = [count, ...details(state)];
  const name = printable(label);
  const fits = (text: string) => text.length < columns;
  for (let kept = parts.length; kept > 0; kept--) {
    const text = parts.slice(0, kept).join(" · ");
    const free = columns - 1 - name.length - text.length - 2;
    if (state.total !== undefined && free >= 8) {
      const bar = formatBar(state.done / state.total, Math.min(24, free));
      return `${name} ${bar} ${text}`;
    }
    if (fits(`${name} ${text}`)) return `${name} ${text}`;
  }
  return count.slice(0, Math.max(0, columns - 1));
}

/** The line for a log: `distill: step 120/200 (60 %), loss 0.4213, 1.2 s/step, 1:36 left`. */
export function formatPlainLine(label: string, state: ProgressState): string {
  const share = state.total ? ` (${Math.floor((100 * state.done) / state.total)} %)` : "";
  const { done, total } = counted(state);
  const unit = state.unit === "byte" ? "" : `${state.unit ?? "step"} `;
  return [
    `${printable(label)}: ${unit}${done}${total === undefined ? "" : `/${total}`}${share}`,
    ...details(state),
  ].join(", ");
}

/** JSON, in one line without `indent`. NaN and infinities, which it does not have, become "NaN", "Infinity", "-Infinity". */
export function strictJson(value: unknown, indent?: number): string {
  const finite = (_: string, item: unknown) =>
    typeof item === "number" && !Number.isFinite(item) ? String(item) : item;
  return JSON.stringify(value, finite, indent);
}

/** `28,539`. */
export const formatCount = (value: number): string => value.toLocaleString("en-US");

/** `1 step`, `2,000 steps`. */
export const plural = (value: number, one: string): string => `${formatCount(value)} ${value === 1 ? one : `${one}s`}`;

/** `23.7 %`; a dash where there is no whole. */
export const formatShare = (part: number, whole: number): string =>
  whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "—";

/** `100 hours`, `12.5 minutes`, `7 seconds`. */
export function formatHours(seconds: number): string {
  const short = (value: number) => String(+value.toPrecision(3));
  if (seconds >= 5400) return `${short(seconds / 3600)} hours`;
  return seconds >= 90 ? `${short(seconds / 60)} minutes` : `${short(seconds)} seconds`;
}

/** Millions without their unit: `22.4`, `0.22`, `317`. */
export const formatMillions = (count: number): string =>
  (count / 1e6).toFixed(count >= 99.95e6 ? 0 : count >= 1e6 ? 1 : 2);

/** A learning rate, in powers of ten however large: `1e-2`, `2.5e-4`. */
export const formatLearningRate = (value: number): string =>
  String(Number(value.toPrecision(6)).toExponential()).replace("e+", "e");
