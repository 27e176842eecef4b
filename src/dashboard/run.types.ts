// What the dashboard's server tells its page of a run: types alone, since both sides import them.

export type RunState = "running" | "interrupted" | "done" | "diverged" | "failed";

/** A row of the list. */
export interface ListedRun {
  /** Path from the folder that is watched, with `/`; "" for that folder itself. */
  readonly id: string;
  readonly kind: string;
  readonly state: RunState;
  readonly step: number | null;
  readonly total: number | null;
  /** Steps a second, of late; seconds left at that rate. Of running ones. */
  readonly rate: number | null;
  readonly left: number | null;
  readonly loss: number | null;
  /** What it came to or stands at: `validation 0.3121`, `per 12.3`. */
  readonly score: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly updated: number;
  readonly hasReport: boolean;
  /** What ended it, where an error did. */
  readonly failure: string;
}

/** Of one event of the stream: runs that are new or have changed, ids of those that are gone. */
export interface RunChanges {
  readonly changed: readonly ListedRun[];
  readonly gone: readonly string[];
  /** Changed alone, or (at first) all of them. */
  readonly isWhole: boolean;
}

/** Curves of one metric, a line for each training of the run. */
export interface RunCurves {
  readonly lines: readonly {
    /** Of the run's part, where it has several. */
    readonly part: string;
    /** [step, seconds, value]; null: not finite. */
    readonly points: readonly (readonly [step: number, seconds: number, value: number | null])[];
    /** The same, smoothed; empty where that was not asked for. */
    readonly smoothed: readonly (readonly [step: number, seconds: number, value: number | null])[];
  }[];
}
