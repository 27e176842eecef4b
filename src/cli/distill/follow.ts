// Shows a distillation run while it happens: progress and notes for people, one JSON event a line for programs.
import { join } from "node:path";
import type { DistillEvent, EndEvent } from "../../distill/events.ts";
import { InternalError } from "../../errors.ts";
import { formatDuration, formatNumber, plural, printable, StagedProgress } from "../../log/index.ts";
import type { Output } from "../output.ts";
import { showUnits } from "../pretrain/units.ts";

const DIVERGED =
  "above 1.5 times the loss before the first update: diverged; lower optimizer.peakLr or set optimizer.clipNorm";

/** Iterates the run to its end and returns the event that ended it. */
export async function followRun(events: AsyncIterable<DistillEvent>, output: Output, json: boolean): Promise<EndEvent> {
  let ended: EndEvent | undefined;
  const progress = new StagedProgress((text) => output.note(text));
  try {
    for await (const event of events) {
      if (json) output.jsonLine(event);
      else if (event.kind === "step") {
        const { loss, audioSecondsPerSecond, waitShare } = event.row;
        progress.update(event.step, { loss, audioSecondsPerSecond, waitShare });
      } else if (event.kind === "units") showUnits(progress, event);
      else if (event.kind === "done") {
        progress.finish();
        output.print(doneText(event));
      } else {
        progress.note(noteText(event));
        if (event.kind === "start")
          progress.begin({ label: "distill", total: event.totalSteps, startedAt: event.step });
      }
      if (event.kind === "interrupted" || event.kind === "done") ended = event;
    }
  } finally {
    progress.finish();
  }
  if (!ended) throw new InternalError("a run ended without saying how");
  return ended;
}

/** The same in a process that has a part of a run: another one tells what happens, this one what it alone knows. */
export async function followPart(events: AsyncIterable<DistillEvent>, output: Output, rank: number): Promise<EndEvent> {
  let ended: EndEvent | undefined;
  for await (const event of events) {
    if (event.kind === "note") output.note(`process ${rank}: ${event.text}`);
    if (event.kind === "interrupted" || event.kind === "done") ended = event;
  }
  if (!ended) throw new InternalError("a run ended without saying how");
  return ended;
}

function noteText(event: Exclude<DistillEvent, { kind: "step" | "units" | "done" }>): string {
  switch (event.kind) {
    case "start": {
      const { folder, totalSteps, step, epochs, batchesPerEpoch } = event;
      const from = step ? `, from step ${step}` : "";
      return `run ${printable(folder)}: ${totalSteps} steps${from}; ${plural(epochs, "epoch")} of ${batchesPerEpoch} batches`;
    }
    case "note":
      return event.text;
    case "validation":
      return `step ${event.step}: validation loss ${formatNumber(event.loss)}${judged(event)}`;
    case "checkpoint":
      return `step ${event.step}: checkpoint ${printable(event.folder)}`;
    case "interrupted":
      return `stopped at step ${event.step} of ${event.totalSteps}: ${event.remedy}`;
  }
}

function judged({ best, diverged }: Extract<DistillEvent, { kind: "validation" }>): string {
  if (diverged) return `; ${DIVERGED}`;
  return best ? ", the best so far" : "";
}

function doneText({ step, folder, already, summary }: Extract<DistillEvent, { kind: "done" }>): string {
  const {
    initialValidation: before,
    finalValidation: after,
    best,
    diverged,
    models,
    seconds,
    skippedUpdates = 0,
  } = summary;
  const lines = [
    already
      ? `${printable(folder)}: was done before, ${step} steps`
      : `${printable(folder)}: done, ${step} steps in ${formatDuration(seconds)}`,
  ];
  if (before !== null && after !== null)
    lines.push(
      `validation loss  ${formatNumber(before)} before, ${formatNumber(after)} after` +
        (best ? `; best ${formatNumber(best.loss)} at step ${best.step}` : ""),
    );
  if (diverged) lines.push(`                 ${DIVERGED}`);
  if (skippedUpdates > 0) lines.push(`skipped          ${skippedUpdates} updates whose gradients overflowed fp16`);
  lines.push(
    `model            ${printable(join(folder, models.last))}${models.best ? ` (best: ${printable(join(folder, models.best))})` : ""}`,
  );
  return lines.join("\n");
}
