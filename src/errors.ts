// The two kinds of failure a user can cause: a failed operation (exit code 1) and a misused command (exit code 2).

/** An operation failed on the user's input. The message names the file, the place in it and what to do next. */
export class StillwaveError extends Error {
  override readonly name: string = "StillwaveError";
}

/** A command or function was called wrongly (unknown option, impossible value). The message lists what is valid. */
export class UsageError extends StillwaveError {
  override readonly name: string = "UsageError";
}

/** A broken invariant of our own code. Never the user's fault; the message starts with `internal:`. */
export class InternalError extends Error {
  override readonly name = "InternalError";
  constructor(message: string) {
    super(`internal: ${message}`);
  }
}

/** `unknown layer "x"; valid: a, b, c`, for every place that looks a name up in a table. */
export function unknownName(kind: string, name: string, valid: Iterable<string>): UsageError {
  return new UsageError(`unknown ${kind} "${name}"; valid: ${[...valid].join(", ")}`);
}
