// Prints the tables of comparisons and scores with what is to be said about them.
import type { TextTable } from "../../report/comparison/tables.ts";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

export function printTables(tables: readonly TextTable[], output: Output): void {
  for (const [i, { title, head, rows, notes }] of tables.entries()) {
    output.print(`${i > 0 ? "\n" : ""}${title}\n`);
    output.print(formatTable(head, rows, [0]));
    if (notes.length > 0) output.print(`\n${notes.join("\n")}`);
  }
}
