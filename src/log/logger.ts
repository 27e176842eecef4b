// What hears of a run while it happens: the one interface of file formats, services and the user's own.

/** Scalars of one step. Names are grouped by their prefix: `loss/total`, `validation/loss`, `optim/learning_rate`. */
export interface LoggedRow {
  readonly step: number;
  /** Of work since the run began, summed over resumes. */
  readonly seconds: number;
  /** Epochs done, with their fraction; absent where a run has none. */
  readonly epoch?: number;
  readonly values: Readonly<Record<string, number>>;
}

/** A run, or a part of one with steps of its own: an iteration of a pre-training, a head at one learning rate. */
export interface LoggedRun {
  /** 32 hexadecimal digits, the same after a resume. */
  readonly id: string;
  /** `distill`, `pretrain`, `superb`, ... */
  readonly kind: string;
  /** Of the run folder, and of the part in it: `first`, `probe/lr-1e-3`. */
  readonly name: string;
  /** Name of the run that this is a part of. */
  readonly group?: string;
  /** Where what is written lies. */
  readonly folder: string;
  /** What tells files of parts that share a folder apart. */
  readonly part?: string;
  /** The resolved recipe, and whatever else the run follows from. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  /** Of the first start, as ISO 8601. */
  readonly created: string;
  /** Of a run that goes on: the last step that stays, and all rows up to it. Later ones were dropped, and come again. */
  readonly resumed?: { readonly lastStep: number; rows(): AsyncIterable<LoggedRow> };
}

/** How a run, or one start of it, ended, with figures of the whole. */
export interface LoggedEnd {
  readonly state: "done" | "interrupted" | "failed";
  readonly summary: Readonly<Record<string, number | string | boolean>>;
}

/**
 * A logger. Calls to one logger never overlap: a promise is waited for before its next call, the training does not wait but at
 * `start` and `end`. One that throws is named in a note and gets nothing more; the training goes on.
 */
export interface Logger {
  /** Stands in what is said of it. */
  readonly name: string;
  start?(run: LoggedRun): void | Promise<void>;
  log(row: LoggedRow): void | Promise<void>;
  end?(end: LoggedEnd): void | Promise<void>;
}

/** Those that come with the package. metrics.jsonl (`jsonl`) is written whether it is named or not. */
export const LOGGER_NAMES = ["jsonl", "tensorboard", "csv", "wandb", "mlflow"] as const;
export type LoggerName = (typeof LOGGER_NAMES)[number];

/** One of the package's, by name, or the user's own. */
export type LoggerChoice = LoggerName | Logger;

/** `{a: {b: 1}}` as `a.b` and 1: leaves as formats without trees have them. Lists and what is empty are JSON. */
export function flatSettings(
  settings: Readonly<Record<string, unknown>>,
): [name: string, value: string | number | boolean][] {
  const visit = (value: unknown, name: string): [string, string | number | boolean][] => {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
      return Object.entries(value).flatMap(([key, child]) => visit(child, name ? `${name}.${key}` : key));
    if (value === undefined) return [];
    return [[name, isLeaf(value) ? value : JSON.stringify(value)]];
  };
  return visit(settings, "");
}

const isLeaf = (value: unknown): value is string | number | boolean =>
  ["string", "number", "boolean"].includes(typeof value);
