// Progress of long work for people (a redrawn line on a terminal, plain lines elsewhere) and for programs (JSON lines).
// Ours because one call must serve terminals, logs and JSON, and survive closed pipes and signals.
import { colorsOf } from "./colors.ts";
import { formatPlainLine, formatTerminalLine, type ProgressState, printable, strictJson } from "./format.ts";
import { atExit, type ProgressStream, tolerant } from "./streams.ts";

export interface ProgressOptions {
  readonly label: string;
  readonly total?: number;
  /** Steps done before this process began (resume). */
  readonly startedAt?: number;
  readonly unit?: string;
  /** Nothing for people; one JSON object a line on stdout for every update and note. */
  readonly json?: boolean;
  /** Neither people nor programs hear anything. */
  readonly quiet?: boolean;
  /** Default process.stderr (people) and process.stdout (JSON). */
  readonly stderr?: ProgressStream;
  readonly stdout?: ProgressStream;
  /** Least seconds between two lines in a log. Default 10. */
  readonly plainSeconds?: number;
  /** Seconds on any monotonic clock; for tests. */
  readonly now?: () => number;
}

export interface Progress {
  /** Reports `done` steps. Cheap: drawn at most ten times a second on a terminal. In JSON mode `json` (default: the state) is one line. */
  update(
    done: number,
    change?: { loss?: number; audioSecondsPerSecond?: number; waitShare?: number; json?: object },
  ): void;
  /** A line that stays: a validation result, a saved checkpoint. In JSON mode `json` (default `{"note": text}`) is one line. */
  note(text: string, json?: object): void;
  /** Draws the last state, ends the line and gives the cursor back. Safe to call twice. */
  finish(): void;
}

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const CLEAR_LINE = "\r\x1b[2K";

let silent = false;

/** Whether progress of this process is shown to nobody: what the command's --quiet asks for. */
export function silenceProgress(wanted: boolean): void {
  silent = wanted;
}

/** Starts reporting. Never throws: neither for a closed pipe nor for a NaN loss. Call `finish` in a `finally`. */
export function startProgress(options: ProgressOptions): Progress {
  const now = options.now ?? (() => performance.now() / 1000);
  const target = options.json ? (options.stdout ?? process.stdout) : (options.stderr ?? process.stderr);
  const terminal = !options.json && target.isTTY === true;
  const out = tolerant(target);
  const quiet = options.quiet ?? (silent && !options.json);
  const { cyan, dim } = colorsOf(target);
  const interval = terminal ? 0.1 : (options.plainSeconds ?? 10);
  const began = now();
  let state: ProgressState = { done: options.startedAt ?? 0, total: options.total, seconds: 0 };
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn: ProgressState | undefined;
  let finished = false;
  const write = (text: string) => {
    if (!quiet) out.write(text);
  };
  const restore = () => write(SHOW_CURSOR);
  let forget = () => {};
  if (terminal && !quiet) {
    write(HIDE_CURSOR);
    forget = atExit(restore);
  }
  const draw = () => {
    drawnAt = now();
    drawn = state;
    if (!terminal) return write(`${formatPlainLine(options.label, state)}\n`);
    const line = formatTerminalLine(options.label, state, target.columns ?? 80);
    write(CLEAR_LINE + line.replace(/━+╸?/u, cyan).replace(/ ─+ /u, dim));
  };
  return {
    update(done, change = {}) {
      const { json, ...values } = change;
      const { label: _, total, startedAt, unit } = options;
      state = { ...state, ...values, done, total, startedAt, unit, seconds: now() - began };
      if (finished) return;
      if (options.json) write(`${strictJson(json ?? { label: options.label, ...state })}\n`);
      else if (now() - drawnAt >= interval) draw();
    },
    note(text, json) {
      if (options.json) write(`${strictJson(json ?? { note: text })}\n`);
      else if (!terminal || finished) write(`${printable(text)}\n`);
      else {
        write(`${CLEAR_LINE}${printable(text)}\n`);
        if (drawn) draw();
      }
    },
    finish() {
      if (finished) return;
      if (!options.json && state !== drawn && state.seconds > 0) draw();
      if (terminal) {
        if (drawn) write("\n");
        if (!quiet) restore();
        forget();
      }
      finished = true;
      out.close();
    },
  };
}
