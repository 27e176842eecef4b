// What streaming costs, as a page: error rates of chunks beside the whole, what is waited for, and what is computed.
import { formatDuration } from "../../log/format.ts";
import { html } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, keyNumbers, type Section, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import type { MeasuredSetting, Spread, StreamingMeasurement } from "./measure.ts";
import { lossAgainstLatency } from "./plot.ts";

export interface StreamingPage {
  readonly recognizer: string;
  readonly speech: string;
  /** Processor, cores, threads. */
  readonly machine: string;
  readonly measurement: StreamingMeasurement;
}

const settingName = ({ facts: { chunk, left, right } }: MeasuredSetting): string =>
  [chunk, left, right].map((seconds) => seconds.toFixed(2)).join(" / ");

const seconds = (value: number) => value.toFixed(2);
const milliseconds = ({ median, high, longest }: Spread) =>
  [median, high, longest].map((value) => (1000 * value).toFixed(0)).join(" / ");

/** The page as one string. */
export function writeStreamingPage({ recognizer, speech, machine, measurement }: StreamingPage): string {
  const { metric, utterances, whole, settings } = measurement;
  const best = settings.reduce((a, b) => (b.loss.estimate < a.loss.estimate ? b : a));
  return writePage({
    title: `Streaming of ${recognizer}`,
    kind: "Stillwave streaming",
    lead: `${utterances} utterances of ${speech}, ${formatDuration(measurement.seconds)}, read whole and chunk by chunk with a look-ahead, by the same recogniser.`,
    summary: keyNumbers([
      [`${metric} of the whole`, `${whole.rate.toFixed(2)} %`, `real-time factor ${whole.realTimeFactor.toFixed(3)}`],
      [
        "least loss",
        `${best.loss.estimate >= 0 ? "+" : ""}${best.loss.estimate.toFixed(2)}`,
        `${settingName(best)} s, latency ${best.facts.latencySeconds.toFixed(3)} s`,
      ],
    ]),
    sections: [lossSection(measurement), costSection(measurement, machine)],
  });
}

function lossSection(measurement: StreamingMeasurement): Section {
  const { metric, whole, settings } = measurement;
  return section("loss", "What it loses", [
    html`<p class="lead">Chunk / left / right in seconds. Latency is chunk, right and what the last frame reads: a sound is decided that long after it was made, at most, and half a chunk earlier on average. The loss is the difference to the whole with its 95 % interval over utterances.</p>`,
    lossAgainstLatency(measurement),
    table({
      caption: `${metric} and latency by setting`,
      className: "named",
      columns: [
        "chunk / left / right, s",
        "latency, s",
        metric,
        "loss",
        "95 % interval",
        "first shown after, s",
        "complete after, s",
      ],
      rows: [
        ["whole", "its end", whole.rate.toFixed(2), "0", "", "", ""],
        ...settings.map((setting) => [
          settingName(setting),
          setting.facts.latencySeconds.toFixed(3),
          setting.rate.toFixed(2),
          setting.loss.estimate.toFixed(2),
          `${setting.loss.low.toFixed(2)} to ${setting.loss.high.toFixed(2)}`,
          `${seconds(setting.firstSeconds.median)} / ${seconds(setting.firstSeconds.high)}`,
          `${seconds(setting.delaySeconds.median)} / ${seconds(setting.delaySeconds.high)}`,
        ]),
      ],
    }),
    html`<p class="note">First shown: from the beginning of an utterance's first word or phone to when it is on the screen, median / 95 %. Complete: from the end of each to when it is given for good. Both with the computation.</p>`,
  ]);
}

function costSection({ whole, settings }: StreamingMeasurement, machine: string): Section {
  return section("cost", "What it costs", [
    table({
      caption: "Computation by setting",
      className: "named",
      columns: [
        "chunk / left / right, s",
        "frames computed",
        "real-time factor",
        "a chunk, ms: median / 95 % / longest",
      ],
      rows: [
        ["whole", "once", whole.realTimeFactor.toFixed(3), ""],
        ...settings.map((setting) => [
          settingName(setting),
          `${setting.facts.timesComputed.toFixed(1)} times`,
          setting.realTimeFactor.toFixed(3),
          milliseconds(setting.chunkSeconds),
        ]),
      ],
    }),
    facts([["machine", machine]]),
  ]);
}
