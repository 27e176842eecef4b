// What an error means to whoever typed the command: exit code, one message, and the stack only when asked for.
import { existsSync } from "node:fs";
import { CommanderError } from "commander";
import { InternalError, StillwaveError, UsageError } from "../errors.ts";
import { unexpectedDiskError } from "../files.ts";
import { EXIT_CODES } from "./help/exit-codes.ts";
import type { Output } from "./output.ts";

/** Prints the error (JSON on stdout too where asked for) and returns the exit code. */
export function reportFailure(caught: unknown, output: Output, json: boolean): number {
  const error = tooFewToLoad(caught) ?? unexpectedDiskError(caught);
  if (error instanceof CommanderError) return reportParsing(error, output, json);
  const kind = error instanceof UsageError ? "misused" : error instanceof StillwaveError ? "failed" : "bug";
  const message = error instanceof Error ? error.message : String(error);
  if (json) output.jsonLine({ error: { kind, message } });
  output.error(`stillwave: ${message}`);
  if (kind === "bug") {
    if (!(error instanceof InternalError)) output.error("internal: this error was not expected");
    output.error(
      "This is a bug in Stillwave. Please report it, with the output of the same command under STILLWAVE_DEBUG=1.",
    );
  }
  if (process.env.STILLWAVE_DEBUG === "1" && error instanceof Error) output.error(error.stack ?? "no stack");
  return kind === "misused" ? EXIT_CODES.misused : EXIT_CODES.failed;
}

/** A limit of open files below which Node's loader has run out of them. */
const FEW_OPEN_FILES = 256;

/** Node's loader cannot find a package that is there where it may open no more files to look for it. */
function tooFewToLoad(error: unknown): StillwaveError | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") return undefined;
  const [folder] = /[^'"]*node_modules[\\/](@[^\\/]+[\\/])?[^\\/'"]+/.exec(message) ?? [];
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const limit = Number(userLimits?.open_files?.soft);
  if (!folder || !existsSync(folder) || !(limit < FEW_OPEN_FILES)) return undefined;
  return new StillwaveError(
    `${folder}: cannot be loaded with ${limit} open files (EMFILE); raise the limit (ulimit -n) and try again`,
  );
}

/** Commander has printed help, version or its complaint already. */
function reportParsing(error: CommanderError, output: Output, json: boolean): number {
  if (error.exitCode === 0) return EXIT_CODES.ok;
  const message = error.message.replace(/^error: /, "").replace("(outputHelp)", "a verb is missing");
  if (json) output.jsonLine({ error: { kind: "misused", message } });
  return EXIT_CODES.misused;
}
