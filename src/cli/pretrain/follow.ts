// Shows a pre-training while it happens: progress and notes for people, one JSON event a line for programs.
import { join } from "node:path";
import { InternalError } from "../../errors.ts";
import { formatNumber, printable, StagedProgress } from "../../log/index.ts";
import type { PretrainEnd, PretrainEvent } from "../../pretrain/events.ts";
import type { Output } from "../output.ts";
import { showUnits } from "./units.ts";

/** Iterates the run to its end and returns the event that ended it. */
export async function followPretraining(
  events: AsyncIterable<PretrainEvent>,
  output: Output,
  json: boolean,
): Promise<PretrainEnd> {
  const progress = new StagedProgress((text) => output.note(text));
  let ended: PretrainEnd | undefined;
  try {
    for await (const event of events) {
      if (json) output.jsonLine(event);
      else show(event, progress, output);
      if (event.kind === "interrupted" || event.kind === "done") ended = event;
    }
  } finally {
    progress.finish();
  }
  if (!ended) throw new InternalError("a run ended without saying how");
  return ended;
}

function show(event: PretrainEvent, progress: StagedProgress, output: Output): void {
  switch (event.kind) {
    case "units":
      showUnits(progress, event, `${event.iteration}: ${event.stage}`);
      return;
    case "start":
      progress.begin({ label: `${event.iteration}: pretrain`, total: event.totalSteps, startedAt: event.step });
      return;
    case "step": {
      const { loss, audioSecondsPerSecond, waitShare } = event.row;
      progress.update(event.step, { loss, audioSecondsPerSecond, waitShare });
      return;
    }
    case "done":
      progress.finish();
      output.print(doneText(event));
      return;
    default:
      progress.note(noteText(event));
  }
}

function noteText(event: Exclude<PretrainEvent, { kind: "units" | "start" | "step" | "done" }>): string {
  switch (event.kind) {
    case "iteration":
      return `iteration ${event.iteration} of ${event.iterations} in ${printable(event.folder)}`;
    case "units-made":
      return `iteration ${event.iteration}: ${unitsText(event.units)}`;
    case "note":
      return event.text;
    case "validation":
      return `step ${event.step}: validation loss ${formatNumber(event.loss)}${accuracies(event.row.terms)}`;
    case "checkpoint":
      return `step ${event.step}: checkpoint ${printable(event.folder)}`;
    case "trained":
      return `iteration ${event.iteration}: ${event.summary.step} updates done`;
    case "interrupted":
      return `stopped in iteration ${event.iteration}: ${event.remedy}`;
  }
}

type UnitsMade = Extract<PretrainEvent, { kind: "units-made" }>["units"];

function unitsText({ clusters, features, inertia, perplexity, phones }: UnitsMade): string {
  const used = `${clusters} units of ${features}, mean square ${formatNumber(inertia)}, perplexity ${perplexity.toFixed(1)}`;
  if (!phones) return used;
  const kind = phones.kind === "frames" ? "labels of frames" : "phones spread evenly, no alignment";
  return `${used}; against phones (${kind}): purity ${phones.phonePurity.toFixed(3)}, PNMI ${phones.pnmi.toFixed(3)}`;
}

function accuracies(terms: Readonly<Record<string, readonly number[]>> = {}): string {
  const share = (name: string) => terms[name]?.[0];
  const [masked, unmasked] = [share("units.maskedAccuracy"), share("units.unmaskedAccuracy")];
  if (masked === undefined || unmasked === undefined) return "";
  return `, guessed ${(100 * masked).toFixed(1)} % of masked and ${(100 * unmasked).toFixed(1)} % of unmasked frames`;
}

function doneText({ folder, already, summary }: Extract<PretrainEvent, { kind: "done" }>): string {
  const lines = [`${printable(folder)}: ${already ? "was done before" : "done"}`];
  for (const [i, { units, training }] of summary.iterations.entries()) {
    const after = training.finalValidation;
    const loss = after === null ? "" : `, validation loss ${formatNumber(after)}`;
    lines.push(`iteration ${i + 1}      ${units.clusters} units of ${units.features}, ${training.step} updates${loss}`);
  }
  lines.push(`model            ${printable(join(folder, summary.model))}`);
  return lines.join("\n");
}
