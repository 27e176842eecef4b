// Whether a run may write into an output folder: never over other features, nor over files that are not its own.
import { lstat } from "node:fs/promises";
import { extname, join } from "node:path";
import { StillwaveError, UsageError } from "../errors.ts";
import type { ExtractManifest, ExtractRecord } from "./manifest.ts";

/** What a run is about to make: the options as its records will name them. */
export interface Intent
  extends Pick<ExtractRecord, "layers" | "heads" | "dtype" | "batchSeconds" | "isolate" | "model"> {
  readonly format: "npy" | "safetensors";
  /** The options' hash. */
  readonly options: string;
}

const REMEDY = "give another folder, or --force (force: true)";
const SHOWN = 3;

/**
 * Throws a UsageError where `folder` holds features made otherwise, or where one of `files` exists that no earlier run
 * wrote. With `force` the features made otherwise are removed, and those files will be replaced.
 */
export async function checkTarget(
  folder: string,
  manifest: ExtractManifest,
  intent: Intent,
  files: readonly string[],
  force: boolean,
): Promise<void> {
  const others = manifest.madeOtherwise(intent.options);
  if (others.length > 0 && !force)
    throw new UsageError(
      `${folder}: holds features made otherwise: ${differences(others[0], intent)}; ${REMEDY} to remove them and start over`,
    );
  const own = manifest.files();
  const foreign: string[] = [];
  for (const file of files) {
    const found = await lstat(join(folder, file)).catch(() => undefined);
    if (found?.isDirectory())
      throw new StillwaveError(`${join(folder, file)}: is a folder; extract would write a file there`);
    if (found && !own.has(file)) foreign.push(file);
  }
  if (foreign.length > 0 && !force)
    throw new UsageError(
      `${folder}: ${foreign.slice(0, SHOWN).join(", ")}${foreign.length > SHOWN ? `, and ${foreign.length - SHOWN} more` : ""}: ` +
        `there already, and not written by extract; ${REMEDY} to replace ${foreign.length === 1 ? "it" : "them"}`,
    );
  if (force) await manifest.removeOthers(intent.options);
}

/** `layers 0,1 (now 1), another model`: a record against what would be made now. */
function differences(record: ExtractRecord, intent: Intent): string {
  const compared: [string, unknown, unknown][] = [
    ["format", extname(record.file).slice(1), intent.format],
    ["layers", String(record.layers), String(intent.layers)],
    ["heads", record.heads, intent.heads],
    ["dtype", record.dtype, intent.dtype],
    ["batch-seconds", record.batchSeconds, intent.batchSeconds],
    ["isolate", record.isolate, intent.isolate],
  ];
  const found = compared
    .filter(([, before, now]) => before !== undefined && before !== now)
    .map(([name, before, now]) => `${name} ${before} (now ${now})`);
  if (record.model !== intent.model) found.push("another model");
  return found.join(", ");
}
