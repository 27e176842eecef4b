// Shows a pre-training while it happens: progress and notes for people, one JSON event a line for programs.
import { join } from "node:path";
import { InternalError } from "../../errors.ts";
import { formatNumber, type Progress, type ProgressOptions, printable, startProgress } from "../../log/index.ts";
import type { PretrainEnd, PretrainEvent } from "../../pretrain/events.ts";
import type { UnitProgress } from "../../units/making/settings.ts";
import type { Output } from "../output.ts";

/** What the stages count. */
const UNITS: Readonly<Record<UnitProgress["stage"], string>> = {
  features: "utterance",
  "k-means": "iteration",
  labels: "utterance",
};

/** Iterates the run to its end and returns the event that ended it. */
export async function followPretraining(
  events: AsyncIterable<PretrainEvent>,
  output: Output,
  json: boolean,
): Promise<PretrainEnd> {
  const display = new Display(output);
  let ended: PretrainEnd | undefined;
  try {
    for await (const event of events) {
      if (json) output.jsonLine(event);
      else display.show(event);
      if (event.kind === "interrupted" || event.kind === "done") ended = event;
    }
  } finally {
    display.close();
  }
  if (!ended) throw new InternalError("a run ended without saying how");
  return ended;
}

/** One line of progress at a time: of the stage that is under way. */
class Display {
  private readonly output: Output;
  private progress: Progress | undefined;
  private label = "";

  constructor(output: Output) {
    this.output = output;
  }

  show(event: PretrainEvent): void {
    switch (event.kind) {
      case "units": {
        const { stage, done, total, inertia, iteration } = event;
        this.begin({ label: `${iteration}: ${stage}`, total, startedAt: done, unit: UNITS[stage] });
        this.progress?.update(done, inertia === undefined ? {} : { loss: inertia });
        return;
      }
      case "start":
        this.begin({ label: `${event.iteration}: pretrain`, total: event.totalSteps, startedAt: event.step });
        return;
      case "step": {
        const { loss, audioSecondsPerSecond, waitShare } = event.row;
        this.progress?.update(event.step, { loss, audioSecondsPerSecond, waitShare });
        return;
      }
      case "done":
        this.close();
        this.output.print(doneText(event));
        return;
      default:
        this.note(noteText(event));
    }
  }

  close(): void {
    this.progress?.finish();
    this.progress = undefined;
    this.label = "";
  }

  private begin(options: ProgressOptions): void {
    if (options.label === this.label) return;
    this.close();
    this.label = options.label;
    this.progress = startProgress(options);
  }

  private note(text: string): void {
    if (this.progress) this.progress.note(text);
    else this.output.note(text);
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
