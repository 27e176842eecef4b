// Shows all tasks while they are evaluated: what was found, each task's own view, the scores at the end.
import { InternalError } from "../../errors.ts";
import type { EvaluateAllEvent } from "../../library/evaluate-all.ts";
import { printable } from "../../log/index.ts";
import { scoreTables } from "../../report/comparison/tables.ts";
import { printTables } from "../compare/print.ts";
import type { Output } from "../output.ts";
import { viewOn } from "./follow.ts";
import { writtenFiles } from "./written-files.ts";

/** Iterates the queue to its end and says how it ended: `failed` where a task could not be evaluated. */
export async function followAll(
  events: AsyncIterable<EvaluateAllEvent>,
  output: Output,
  json: boolean,
): Promise<"done" | "failed" | "interrupted"> {
  let ended: "done" | "failed" | "interrupted" | undefined;
  let view = viewOn(output);
  try {
    for await (const event of events) {
      if (json) output.jsonLine(event);
      else if (event.kind === "event") view.show(event.event);
      else {
        view.close();
        if (event.kind === "task") view = viewOn(output);
        tell(event, output);
      }
      if (event.kind === "interrupted") ended = "interrupted";
      if (event.kind === "done") ended = event.failed.length > 0 ? "failed" : "done";
    }
  } finally {
    view.close();
  }
  if (!ended) throw new InternalError("all tasks ended without saying how");
  return ended;
}

function tell(event: Exclude<EvaluateAllEvent, { kind: "event" }>, output: Output): void {
  if (event.kind === "note") output.note(printable(event.text));
  else if (event.kind === "found") {
    for (const { task, root, layout, missing, remarks } of event.found) {
      const lacks = missing.length > 0 ? `; missing ${missing.join(", ")}` : "";
      const more = remarks.map((remark) => `; ${remark}`).join("");
      output.note(printable(`${task.padEnd(4)} ${root}: ${layout}${lacks}${more}`));
    }
    for (const { task, lookedFor } of event.missing)
      output.note(printable(`${task.padEnd(4)} no corpus; looked for ${lookedFor}`));
  } else if (event.kind === "task")
    output.note(`\n${event.task}, ${event.place} of ${event.of}${event.state === "begins" ? "" : `: ${event.state}`}`);
  else if (event.kind === "failed") output.note(printable(`${event.task} is left out: ${event.reason}`));
  else if (event.kind === "interrupted") output.note(event.remedy);
  else {
    output.print("");
    if (event.scores) printTables(scoreTables([event.scores]), output);
    if (event.failed.length > 0) output.print(`\nnot evaluated: ${event.failed.join(", ")}`);
    for (const line of writtenFiles(event.submission.map(({ path }) => path)))
      output.print(`submission  ${printable(line)}`);
    output.print(`report      ${printable(event.report)}`);
  }
}
