// Whether a run may write into an output folder: never over other features, nor over files that are not its own.
import { lstat } from "node:fs/promises";
import { extname, join } from "node:path";
import { StillwaveError, UsageError } from "../errors.ts";
import type { ExtractManifest, ExtractRecord } from "./manifest.ts";
import { type Intent, settingsFor } from "./settings.ts";

const REMEDY = "give another folder, or --force (force: true)";
const SHOWN = 3;

/**
 * With `force` features made otherwise are removed, and files in the way will be replaced.
 * @throws UsageError where `folder` holds features made otherwise, or one of `files` that no earlier run wrote
 */
export async function checkTarget(
  folder: string,
  manifest: ExtractManifest,
  intent: Intent,
  files: readonly string[],
  force: boolean,
): Promise<void> {
  const others = manifest.madeOtherwise(intent);
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
  if (force) await manifest.removeOthers(intent);
}

/** `layers 0,1 (now 1), another model`: a record against what would be made now. */
function differences(record: ExtractRecord, intent: Intent): string {
  const { format } = intent;
  const settings = settingsFor(intent, record.samples);
  const compared: [string, unknown, unknown][] = [
    ["format", extname(record.file).slice(1), format],
    ["layers", String(record.layers), String(settings.layers)],
    ["heads", record.heads, settings.heads],
    ["dtype", record.dtype, settings.dtype],
    ["batch-seconds", record.batchSeconds, settings.batchSeconds],
    ["isolate", record.isolate, settings.isolate],
    ["window", record.windowSeconds ?? "off", settings.windowSeconds ?? "off"],
    ["overlap", record.overlapSeconds ?? "none", settings.overlapSeconds ?? "none"],
  ];
  const found = compared
    .filter(([, before, now]) => before !== undefined && before !== now)
    .map(([name, before, now]) => `${name} ${before} (now ${now})`);
  if (settings.finalNorm && !record.finalNorm && record.layers?.at(-1) === settings.layers.at(-1))
    found.push("the last state before the final norm (now after it, as Hugging Face counts)");
  if (record.model !== settings.model) found.push("another model");
  return found.join(", ");
}
