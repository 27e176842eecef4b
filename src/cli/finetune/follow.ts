// Shows a fine-tuning while it happens: progress and notes for people, one JSON event a line for programs.
import { join } from "node:path";
import { InternalError } from "../../errors.ts";
import type { FinetuneEnd, FinetuneEvent } from "../../finetune/events.ts";
import { formatDuration, formatNumber, printable, StagedProgress } from "../../log/index.ts";
import type { Output } from "../output.ts";

/** Iterates the run to its end and returns the event that ended it. */
export async function followFinetuning(
  events: AsyncIterable<FinetuneEvent>,
  output: Output,
  json: boolean,
): Promise<FinetuneEnd> {
  let ended: FinetuneEnd | undefined;
  const progress = new StagedProgress((text) => output.note(text));
  try {
    for await (const event of events) {
      if (event.kind === "interrupted" || event.kind === "done") ended = event;
      if (json) output.jsonLine(event);
      else if (event.kind === "step") {
        const { loss, audioSecondsPerSecond, waitShare } = event.row;
        progress.update(event.step, { loss, audioSecondsPerSecond, waitShare });
      } else if (event.kind === "testing")
        progress.begin({ label: "test", total: event.total, startedAt: 0, unit: "utterance" }).update(event.done);
      else if (event.kind === "done") {
        progress.finish();
        output.print(doneText(event));
      } else {
        progress.note(noteText(event));
        if (event.kind === "start")
          progress.begin({ label: "finetune", total: event.totalSteps, startedAt: event.step });
      }
    }
  } finally {
    progress.finish();
  }
  if (!ended) throw new InternalError("a run ended without saying how");
  return ended;
}

const count = (n: number) => n.toLocaleString("en-US");

function noteText(event: Exclude<FinetuneEvent, { kind: "step" | "testing" | "done" }>): string {
  switch (event.kind) {
    case "start": {
      const { folder, totalSteps, step, utterances, parameters, batchesPerEpoch } = event;
      const from = step ? `, from step ${step}` : "";
      const { train, dev, test } = utterances;
      return (
        `run ${printable(folder)}: ${totalSteps} steps${from}, ${batchesPerEpoch} batches an epoch; ` +
        `${count(train)} utterances to train on, ${count(dev)} that choose, ${count(test)} for the test; ` +
        `${count(parameters.upstream)} parameters of the upstream, ${count(parameters.head)} of the head`
      );
    }
    case "note":
      return event.text;
    case "evaluation": {
      const { step, metric, dev, loss, best } = event;
      return `step ${step}: dev ${metric} ${dev.toFixed(2)}, loss ${loss === null ? "not finite" : formatNumber(loss)}${best ? ", the best so far" : ""}`;
    }
    case "checkpoint":
      return `step ${event.step}: checkpoint ${printable(event.folder)}`;
    case "interrupted":
      return `stopped at step ${event.step} of ${event.totalSteps}: ${event.remedy}`;
  }
}

function doneText({ folder, already, summary }: Extract<FinetuneEvent, { kind: "done" }>): string {
  const { step, seconds, best, test, models, skippedUpdates } = summary;
  const { name, value, low, high, confidence } = test;
  const lines = [
    already
      ? `${printable(folder)}: was done before, ${step} steps`
      : `${printable(folder)}: done, ${step} steps in ${formatDuration(seconds)}`,
    `test ${name.padEnd(12)}${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)}, ${(100 * confidence).toFixed(0)} %)`,
    `dev ${name.padEnd(13)}${best.dev.toFixed(2)} at step ${best.step}`,
  ];
  if (skippedUpdates > 0) lines.push(`skipped          ${skippedUpdates} updates whose gradients were not finite`);
  lines.push(
    `model            ${printable(join(folder, models.best))} (last: ${printable(join(folder, models.last))})`,
  );
  return lines.join("\n");
}
