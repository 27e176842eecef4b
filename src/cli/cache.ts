// stillwave cache: what hidden states and compiled programs take on the disk, and how to be rid of what nobody uses.
import { basename, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { formatBytes, printable } from "../log/format.ts";
import type { KeptProgram } from "../runtime/xla/kept-programs.ts";
import type { CacheInfo, Pruned } from "../superb/features/inventory.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly cache?: string;
  readonly json?: boolean;
}

interface PruneFlags extends Options {
  readonly olderThan?: number;
  readonly largerThan?: number;
  readonly keep?: number;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

export function cacheVerb(program: Command, output: Output, finish: (code: number) => void): void {
  const group = program
    .command("cache")
    .description(
      "list the caches of hidden states that `superb` keeps, and programs compiled for XLA devices, or remove those not used any more",
    )
    .helpCommand(false)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave cache list",
        "  $ stillwave cache prune --older-than 30d --dry-run",
        "  $ stillwave cache prune --keep 20GB",
      ].join("\n"),
    );
  const verb = (name: string, text: string) =>
    group
      .command(name, { isDefault: name === "list" })
      .description(text)
      .option("--cache <dir>", "where caches lie (default: $STILLWAVE_CACHE, else the user's cache folder)")
      .option("--json", "print the result as JSON");
  verb("list", "every cache with its size, upstream, recordings and last use, the longest unused first").action(
    async (options: Options) => {
      await list(options, output);
      finish(0);
    },
  );
  verb("prune", "remove caches that are not in use: those that all options name, the longest unused first")
    .option("--older-than <age>", "not used for so long: 30d, 12h, 2w", age)
    .option("--larger-than <size>", "that take more: 500MB, 20GB", size)
    .option("--keep <size>", "until all caches together take at most so much", size)
    .option("--all", "all of them")
    .option("--dry-run", "say what would be removed, and remove nothing")
    .action(async (options: PruneFlags) => {
      await prune(options, output);
      finish(0);
    });
}

/** The folder of the caches of hidden states, and that of the compiled programs. */
async function foldersOf({ cache }: Options): Promise<{ root: string; programFolder: string }> {
  const { defaultCacheRoot } = await import("../superb/features/layout.ts");
  const { programFolder } = await import("../runtime/xla/kept-programs.ts");
  return { root: resolve(cache ?? defaultCacheRoot()), programFolder: programFolder(cache && resolve(cache)) };
}

const bytesOf = (items: readonly { readonly bytes: number }[]): number =>
  items.reduce((sum, { bytes }) => sum + bytes, 0);

async function list(options: Options, output: Output): Promise<void> {
  const { listCaches } = await import("../superb/features/inventory.ts");
  const { listPrograms } = await import("../runtime/xla/kept-programs.ts");
  const { root, programFolder } = await foldersOf(options);
  const [caches, programs] = [await listCaches(root), await listPrograms(programFolder)];
  const bytes = bytesOf(caches);
  if (options.json) return output.json({ root, bytes, caches, programFolder, programs });
  if (caches.length === 0) output.print(`${printable(root)}: no caches`);
  else output.print(`${tableOf(caches)}\n\n${printable(root)}: ${formatBytes(bytes)} in all`);
  if (programs.length > 0) {
    const last = programs[programs.length - 1].lastUse.slice(0, 16).replace("T", " ");
    output.print(
      `${printable(programFolder)}: ${countOf(programs)}, ${formatBytes(bytesOf(programs))}, last used ${last}`,
    );
  }
}

const countOf = (programs: readonly KeptProgram[]): string =>
  `${programs.length} compiled program${programs.length === 1 ? "" : "s"}`;

async function prune(options: PruneFlags, output: Output): Promise<void> {
  const { UsageError } = await import("../errors.ts");
  const { olderThan, largerThan, keep, all, dryRun } = options;
  const chosen = [olderThan, largerThan, keep].some((value) => value !== undefined);
  if (chosen === Boolean(all))
    throw new UsageError("cache prune: say which: --older-than, --larger-than and --keep, or --all alone");
  const { pruneCaches } = await import("../superb/features/inventory.ts");
  const { root, programFolder } = await foldersOf(options);
  const pruned = await pruneCaches(root, { olderThanMs: olderThan, largerThan, keep, dryRun, programFolder });
  if (options.json) output.json({ root, programFolder, dryRun: Boolean(dryRun), ...pruned });
  else output.print(prunedText(root, pruned, Boolean(dryRun)));
}

function prunedText(root: string, { removed, kept, programs, freedBytes }: Pruned, dryRun: boolean): string {
  const busy = kept.filter(({ users }) => users.length > 0).length;
  const rest = bytesOf(kept) + bytesOf(programs.kept);
  const count = programs.removed.length + programs.kept.length;
  const also = count > 0 ? ` and ${programs.removed.length} of ${count} compiled programs` : "";
  const verb = dryRun ? "would be removed" : "removed";
  const summary = `${removed.length} of ${removed.length + kept.length} caches${also} ${verb}, ${formatBytes(freedBytes)}; ${formatBytes(rest)} ${dryRun ? "would be" : "are"} left`;
  const table = removed.length > 0 ? `${tableOf(removed)}\n\n` : "";
  return `${table}${printable(root)}: ${summary}${busy > 0 ? ` (${busy} in use)` : ""}`;
}

function tableOf(caches: readonly CacheInfo[]): string {
  const rows = caches.map(({ folder, upstream, dtype, files, corpus, bytes, lastUse, users }) => [
    basename(folder),
    formatBytes(bytes),
    users.length > 0 ? "in use" : lastUse.slice(0, 16).replace("T", " "),
    String(files),
    dtype ?? "?",
    upstream?.name ?? "description damaged",
    corpus ?? "",
  ]);
  return formatTable(
    ["cache", "size", "last use (UTC)", "files", "type", "upstream", "recordings in"],
    rows,
    [0, 4, 5, 6],
  );
}

const HOURS: Readonly<Record<string, number>> = { m: 1 / 60, h: 1, d: 24, w: 7 * 24 };

/** `30d` in milliseconds. */
function age(text: string): number {
  const [, value, unit] = /^(\d+(?:\.\d+)?) ?([mhdw])$/.exec(text.trim()) ?? [];
  if (value === undefined) throw new InvalidArgumentError("expected an age such as 30d, 12h or 2w.");
  return Number(value) * HOURS[unit] * 3600_000;
}

const POWERS: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4 };

/** `20GB` (powers of 1000) or `20GiB` (of 1024) in bytes. */
function size(text: string): number {
  const [, value, prefix, binary] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?$/i.exec(text.trim()) ?? [];
  if (value === undefined) throw new InvalidArgumentError("expected a size such as 500MB or 20GB.");
  return Number(value) * (binary ? 1024 : 1000) ** POWERS[prefix.toLowerCase()];
}
