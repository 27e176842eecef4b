// What lies in a checkpoint, tensor by tensor, whether it makes up a model or not.
import { existsSync } from "node:fs";
import type { CheckpointReport } from "../../checkpoint/index.ts";
import { printable } from "../../log/format.ts";
import { formatTable } from "../table.ts";

/** Unknown files may hold any number of tensors: text shows so many, --json and --tensors all. */
const SHOWN = 30;

/** The tensors of a checkpoint on this machine; undefined for recipes, ids and files of other kinds. */
export async function contentsOf(subject: string): Promise<CheckpointReport | undefined> {
  if (!existsSync(subject) || /\.ya?ml$/i.test(subject)) return undefined;
  const { inspectCheckpoint } = await import("../../checkpoint/index.ts");
  return inspectCheckpoint(subject);
}

/** A line per tensor. */
export function formatTensors({ tensors }: CheckpointReport, limit = Number.POSITIVE_INFINITY): string {
  const rows = tensors
    .slice(0, limit)
    .map(({ name, dtype, shape, used }) => [
      name.slice(0, 200),
      dtype,
      `[${shape.join(", ")}]`,
      used ? "" : "not used",
    ]);
  const more = tensors.length > limit ? `\nand ${tensors.length - limit} more` : "";
  return formatTable(["tensor", "type", "shape", ""], rows, [0, 1, 2, 3]) + more;
}

/** A file that holds no model for us. */
export function formatContents(report: CheckpointReport): string {
  const keys = Object.entries(report.metadata).map(([key, value]) =>
    typeof value === "string" ? `${key}: ${value}` : key,
  );
  const metadata = keys.length > 0 ? `\n  found with it  ${printable(keys.join("; ")).slice(0, 200)}` : "";
  return (
    `${printable(report.path)}: ${report.format}, ${report.tensors.length} tensors, no model that can be loaded${metadata}\n\n` +
    formatTensors({ ...report, tensors: report.tensors.map((tensor) => ({ ...tensor, used: true })) }, SHOWN)
  );
}
