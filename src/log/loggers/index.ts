// The loggers that come with the package, by name.
import type { Logger, LoggerName } from "../logger.ts";
import { csvLogger } from "./csv.ts";
import { mlflowLogger } from "./mlflow.ts";
import { tensorboardLogger } from "./tensorboard.ts";
import { wandbLogger } from "./wandb.ts";

const MAKERS: Readonly<Record<Exclude<LoggerName, "jsonl">, () => Logger>> = {
  tensorboard: tensorboardLogger,
  csv: csvLogger,
  wandb: wandbLogger,
  mlflow: mlflowLogger,
};

/** A fresh one for each; none for `jsonl`, which every run writes itself. */
export const openLoggers = (choices: readonly (LoggerName | Logger)[]): Logger[] =>
  choices.flatMap((choice) => {
    if (typeof choice !== "string") return [choice];
    return choice === "jsonl" ? [] : [MAKERS[choice]()];
  });
