// Shows an evaluation while it happens: progress and notes for people, one JSON event a line for programs.
import { join } from "node:path";
import { InternalError } from "../../errors.ts";
import type { EvaluateEvent } from "../../library/evaluate.ts";
import { formatBytes, formatDuration, formatNumber, type Progress, printable, startProgress } from "../../log/index.ts";
import type { MetricValue } from "../../superb/measures/measure.types.ts";
import type { Output } from "../output.ts";

type EventOf<Kind extends EvaluateEvent["kind"]> = Extract<EvaluateEvent, { kind: Kind }>;

/** Iterates the evaluation to its end and says how it ended. */
export async function followEvaluation(
  events: AsyncIterable<EvaluateEvent>,
  output: Output,
  json: boolean,
): Promise<"done" | "interrupted"> {
  let ended: "done" | "interrupted" | undefined;
  const { show, close } = viewOn(output);
  try {
    for await (const event of events) {
      if (json) output.jsonLine(event);
      else show(event);
      if (event.kind === "done" || event.kind === "interrupted") ended = event.kind;
    }
  } finally {
    close();
  }
  if (!ended) throw new InternalError("an evaluation ended without saying how");
  return ended;
}

/** Says what a process has done that only helps to extract hidden states; true unless it was interrupted. */
export async function followHelp(events: AsyncIterable<EvaluateEvent>, output: Output, rank: number): Promise<boolean> {
  let isInterrupted = false;
  for await (const event of events) {
    if (event.kind === "note") output.note(`process ${rank}: ${printable(event.text)}`);
    if (event.kind !== "helped") continue;
    isInterrupted = event.interrupted;
    const then = isInterrupted ? "interrupted" : "process 0 trains and tests alone";
    output.note(`process ${rank}: ${event.files} files extracted; ${then}`);
  }
  return !isInterrupted;
}

/** What shows the events of one evaluation to people. */
export function viewOn(output: Output) {
  let progress: Progress | undefined;
  let isTesting = false;
  let searched: string | undefined;
  const close = () => {
    progress?.finish();
    progress = undefined;
  };
  const begin = (options: Parameters<typeof startProgress>[0]) => {
    close();
    progress = startProgress(options);
  };
  const show = (event: EvaluateEvent) => {
    const text = noteOf(event);
    if (text !== undefined) (progress ?? output).note(printable(text));
    if (event.kind === "start") isTesting = false;
    if (event.kind === "cache-start" && event.seconds > 0)
      begin({ label: "extract", total: event.utterances, startedAt: event.alreadyThere, unit: "file" });
    else if (event.kind === "cache-batch")
      progress?.update(event.done, { audioSecondsPerSecond: event.audioSecondsPerSecond });
    else if (event.kind === "training")
      begin({ label: `lr ${formatRate(event.learningRate)}`, total: event.untilStep, startedAt: event.step });
    else if (event.kind === "step") progress?.update(event.step, { loss: event.loss });
    else if (event.kind === "searching") {
      const label = `search ${event.split}`;
      if (searched !== label) begin({ label, total: event.total, unit: "document" });
      searched = label;
      progress?.update(event.done);
    } else if (event.kind === "testing") {
      if (!isTesting) begin({ label: "test", total: event.total, unit: "utterance" });
      isTesting = true;
      progress?.update(event.done);
    } else if (event.kind === "cache-done" || event.kind === "interrupted" || event.kind === "done") close();
    if (event.kind === "done") output.print(doneText(event));
    if (event.kind === "interrupted") output.note(event.remedy);
  };
  return { show, close };
}

const formatRate = (rate: number) => rate.toExponential().replace("e+0", "");
const formatLoss = (loss: number | null) => (loss === null ? "not finite" : formatNumber(loss));

/** What stays on the screen of an event. */
function noteOf(event: EvaluateEvent): string | undefined {
  if (event.kind === "note") return event.text;
  if (event.kind === "start") return startText(event);
  if (event.kind === "search") return searchText(event);
  if (event.kind === "layer")
    return `${printable(event.name)} is the best of ${event.among} hidden states on dev: MTWV ${event.dev.toFixed(2)} %`;
  if (event.kind === "cache-start") return cacheText(event);
  if (event.kind === "chosen")
    return `learning rate ${formatRate(event.learningRate)} is the best of ${event.among} on ${event.on}: ${event.dev.toFixed(2)} %`;
  if (event.kind !== "evaluation") return undefined;
  const { learningRate, step, dev, trainLoss, devLoss, isBest, on } = event;
  const losses = `loss ${formatLoss(trainLoss)} train, ${formatLoss(devLoss)} ${on}`;
  return `lr ${formatRate(learningRate)}, step ${step}: ${on} ${dev.toFixed(2)} %, ${losses}${isBest ? "; the best so far" : ""}`;
}

/** From here on the user should know of a way that takes less room. */
const MUCH_BYTES = 1e10;

function cacheText(event: EventOf<"cache-start">): string {
  const { utterances, bytes, folder, freeBytes, alreadyThere, seconds, states } = event;
  const there = alreadyThere > 0 ? `, ${alreadyThere} are there` : "";
  const left = seconds > 0 ? `; ${formatDuration(seconds)} of speech to extract` : "";
  const less =
    bytes >= MUCH_BYTES && states > 1
      ? `; where a head is trained, --one-state 2000 would keep ${formatBytes(bytes / states)}: their weighted sum`
      : "";
  return `hidden states of ${utterances} files: ${formatBytes(bytes)} of ${formatBytes(freeBytes)} free in ${printable(folder)}${there}${left}${less}`;
}

function startText(event: EventOf<"start">): string {
  const { task, fold, folder, upstream, layers, dim, headParameters, utterances } = event;
  const { train, dev, test } = utterances;
  return (
    `${task}${fold ? `, fold ${printable(fold.name)} (one of ${fold.of}),` : ""} of ${printable(upstream)} in ${printable(folder)}: ${layers} hidden states of ${dim}, a head of ${formatNumber(headParameters)} parameters; ` +
    `${train} utterances to train, ${dev} dev, ${test} test`
  );
}

const searchText = ({ task, upstream, folder, layers, dim, queries, documents }: EventOf<"search">): string =>
  `${task} of ${printable(upstream)} in ${printable(folder)}: ${layers} hidden states of ${dim}; ${queries.dev} queries that choose, ${queries.test} that are tested, ${documents} documents`;

/** The figures of test. */
function testedText({ metric, otherMetrics, decodings, search }: EventOf<"done">["result"]): string[] {
  if (search?.whole)
    return [
      `${metric.name} ${search.whole.value.toFixed(2)} % of all ${search.whole.queries} queries in ${search.whole.documents} documents, the benchmark's number`,
      `${metricText(metric)}, English only`,
    ];
  if (decodings.length === 0) return [metric, ...otherMetrics].map(metricText);
  // of many ways of reading one output, what each is made of stands in the report
  return decodings.flatMap((one, i) =>
    [one.metric, ...(i === 0 || decodings.length < 4 ? one.otherMetrics : [])].map(
      (value) => `${metricText(value)}${decodings.length > 1 ? `, ${one.name}` : ""}`,
    ),
  );
}

function metricText({ name, value, low, high, confidence }: MetricValue): string {
  const interval = `${low.toFixed(2)} to ${high.toFixed(2)} at ${(100 * confidence).toFixed(0)} %`;
  return `${name} ${value.toFixed(2)} % (${interval})`;
}

const choiceText = ({ what, chosen, among, on, onDev }: EventOf<"done">["result"]["choices"][number]): string =>
  `${what}: ${chosen}, of ${among}, on ${on}${onDev === undefined ? "" : `; dev would choose ${onDev}`}`;

function doneText({ folder, result, report, already }: EventOf<"done">): string {
  const { dev, learningRates, seconds, upstream, layerWeights, choices, folds, search } = result;
  const weights = layerWeights.map((weight, i) => `${upstream.layers[i]} ${weight.toFixed(3)}`).join(", ");
  const best = (fold?: string) => {
    if (search) return `${choices[0]?.what} ${printable(choices[0]?.chosen ?? "")}`;
    const rate = learningRates.find((one) => one.chosen && one.fold === fold);
    return `step ${rate?.best?.step} at learning rate ${rate ? formatRate(rate.learningRate) : "?"}`;
  };
  const further = choices.filter(({ what, on }) => on === "test" || what.startsWith("reading"));
  const heads = search ? [] : folds.length === 0 ? ["head"] : folds.map(({ name }) => join(`fold-${name}`, "head"));
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["test", testedText(result)],
    ["dev", dev === null ? [] : [`${dev.toFixed(2)} %${folds.length > 0 ? "" : `, ${best()}`}`]],
    ["folds", folds.map(({ name, value }) => `${printable(name)}: ${value.toFixed(2)} %, ${best(name)}`)],
    ["chosen", further.map(choiceText)],
    ["layer weights", search ? [] : [weights]],
    [
      "time",
      [
        `${formatDuration(seconds.features)} hidden states, ${search ? "" : `${formatDuration(seconds.training)} training, `}${formatDuration(seconds.testing)} ${search ? "searching" : "testing"}`,
      ],
    ],
    ["files", [["result.json", "predictions", ...heads].map((name) => printable(join(folder, name))).join(", ")]],
    ["report", [printable(report)]],
  ];
  return [
    `${printable(folder)}: ${already ? "was done before" : "done"}`,
    ...rows.flatMap(([name, lines]) => lines.map((line, i) => `${(i === 0 ? name : "").padEnd(17)}${line}`)),
  ].join("\n");
}
