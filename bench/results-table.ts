// Tables of what bench/accelerator.sh and bench/step-ratios.sh measured, in Markdown.
// Usage: npx tsx bench/results-table.ts <results.jsonl> | --verify <verify.json> (a line a case) | --loss <summary.json>
import { readFileSync } from "node:fs";
import { basename } from "node:path";

type Row = Readonly<Record<string, unknown>>;

function median(list: readonly number[]): number | undefined {
  const sorted = list.toSorted((a, b) => a - b);
  const [below, above] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];
  return sorted.length > 0 ? (below + above) / 2 : undefined;
}
const numbers = (rows: readonly Row[], key: string) =>
  rows.flatMap((row) => (typeof row[key] === "number" ? [row[key]] : []));
const medianOf = (rows: readonly Row[], key: string) => median(numbers(rows, key));
const shown = (value: number | undefined, digits = 3) =>
  value === undefined ? "" : String(+value.toPrecision(digits));

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  console.log(["", `| ${head.join(" | ")} |`, `|${"---|".repeat(head.length)}`].join("\n"));
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
}

/** Rows of equal `key`, in the order of their first. */
function grouped(rows: readonly Row[], key: (row: Row) => string): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups];
}

/**
 * Seconds of an update. A step in PyTorch that is not waited for is the faster one on a GPU; ours never waits, but for its
 * metrics at the end of a block.
 */
function secondsOf(rows: readonly Row[]): number | undefined {
  const [waited, pipelined] = [medianOf(rows, "median_s"), medianOf(rows, "pipelined_s")];
  return rows[0].what === "torch_step" && waited !== undefined && pipelined !== undefined
    ? Math.min(waited, pipelined)
    : waited;
}

/** Bytes on the device where a process told them, else those of the process. */
const memoryOf = (rows: readonly Row[]) => medianOf(rows, "peak_device_bytes") ?? medianOf(rows, "peak_bytes");

function printUpdates(rows: readonly Row[]): void {
  const rate = medianOf(
    rows.filter(({ what }) => what === "matrix_rate"),
    "tflop_per_s",
  );
  if (rate !== undefined) console.log(`matrix products (bfloat16): ${shown(rate)} TFLOP/s`);
  const updates = rows.filter(({ what }) => what === "stillwave_step" || what === "torch_step");
  const table: string[][] = [];
  for (const [part, inPart] of grouped(updates, ({ part }) => String(part))) {
    const byName = grouped(inPart, ({ name }) => String(name));
    const named = new Map(byName.map(([name, rounds]) => [name, secondsOf(rounds)]));
    for (const [name, rounds] of byName) {
      const seconds = named.get(name);
      const [{ batch, seconds: length }] = rounds;
      const gigaflop = medianOf(rounds, "gigaflop");
      const share = gigaflop && rate && seconds ? gigaflop / 1e3 / seconds / rate : undefined;
      // of rivals in several precisions the fastest counts
      const to = (other: string) => {
        const rivals = [...named].flatMap(([key, value]) => (value && key.startsWith(other) ? [value] : []));
        return seconds && rivals.length > 0 ? seconds / Math.min(...rivals) : undefined;
      };
      const best = Math.min(...numbers(rounds, "best_s"));
      table.push([
        part,
        `${batch} x ${length} s`,
        name,
        String(rounds.length),
        ...[seconds, best].map((value) => shown(value && 1000 * value)),
        shown(medianOf(rounds, "audio_s_per_s"), 4),
        shown(memoryOf(rounds) && memoryOf(rounds)! / 2 ** 30),
        share ? `${(100 * share).toFixed(1)} %` : "",
        shown(to("released"), 2),
        shown(to("lean"), 2),
      ]);
    }
  }
  printTable(
    [
      "part",
      "batch",
      "what",
      "rounds",
      "ms (median)",
      "best",
      "audio s/s",
      "peak GiB",
      "of the rate",
      "/ released",
      "/ lean",
    ],
    table,
  );
}

/** What 100 epochs of 960.9 h take at a measured rate. */
function printCost(rows: readonly Row[]): void {
  const costs = rows.flatMap(({ what, part, name, audio_s_per_s: rate }) =>
    what === "stillwave_step" && /^(step|speech)/.test(String(part)) && typeof rate === "number"
      ? [[`${part}, ${name}`, shown(96_090 / (rate / 3600) / 3600)]]
      : [],
  );
  printTable(["at the rate of", "hours of ARMHuBERT-S-960, 100 epochs, one device"], costs);
}

function printRest(rows: readonly Row[]): void {
  const of = (kind: string) => rows.filter(({ what }) => what === kind);
  const text = (row: Row, ...keys: string[]) => keys.map((key) => String(row[key] ?? ""));
  printTable(
    ["case", "passed", "worst relative", "of"],
    of("verify").map((row) => text(row, "name", "passed", "worst", "worst_of")),
  );
  printTable(
    ["quickstart in", "seconds", "validation loss", "on the CPU", "difference"],
    of("quickstart").map((row) => {
      const [loss, cpu] = [Number(row.loss), Number(row.cpu_loss)];
      return [...text(row, "precision", "seconds", "loss", "cpu_loss"), `${(100 * (loss / cpu - 1)).toFixed(2)} %`];
    }),
  );
  for (const row of of("heaviest_kernels")) {
    console.log(`\none run ${row.run_ms} ms, kernels ${row.kernels_ms} ms`);
    printTable(
      ["kernel", "ms", "calls", "share"],
      (row.heaviest as Row[]).map((kernel) => text(kernel, "kernel", "ms", "calls", "share")),
    );
  }
  printTable(
    ["part", "not measured", "why"],
    [
      ...of("skipped").map((row) => [...text(row, "part"), "skipped", ...text(row, "why")]),
      ...of("failed").map((row) => [String(row.part), `failed (${row.status})`, String(row.last).replaceAll("|", "/")]),
    ],
  );
}

/** A line cut short costs itself alone. */
function rowOf(line: string): Row[] {
  try {
    return [JSON.parse(line)];
  } catch {
    console.error(`no JSON: ${line}`);
    return [];
  }
}

/** One line a case of `stillwave verify --json`: whether it passed, and its worst tensor. */
function verifyLines(text: string): void {
  const { cases } = JSON.parse(text) as { cases?: Row[] };
  // of a command that failed there are none
  for (const { folder, kind, passed, skipped, error, differences } of cases ?? []) {
    const list = (differences ?? []) as { kind: string; maxRelative: number; tolerance: number }[];
    const worst = list.toSorted((a, b) => b.maxRelative / b.tolerance - a.maxRelative / a.tolerance)[0];
    const found = { worst: worst?.maxRelative, worst_of: worst?.kind };
    console.log(
      JSON.stringify({ what: "verify", name: basename(String(folder)), kind, passed, skipped, error, ...found }),
    );
  }
}

const [option, file] = process.argv.slice(2);
if (option === "--verify") verifyLines(readFileSync(file, "utf8"));
else if (option === "--loss") console.log(JSON.parse(readFileSync(file, "utf8")).finalValidation ?? "null");
else {
  const rows = readFileSync(option, "utf8").split("\n").filter(Boolean).flatMap(rowOf);
  for (const { name } of rows.filter(({ what }) => what === "device")) console.log(String(name));
  printUpdates(rows);
  printCost(rows);
  printRest(rows);
}
