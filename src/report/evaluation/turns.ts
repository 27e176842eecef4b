// Diarisation on a page: parts of the error rate by overlap, thresholds on dev, and recordings on a line of time.
import { formatNumber, plural } from "../../log/format.ts";
import { bestAssignment } from "../../metrics/assignment.ts";
import {
  type DiarizationErrors,
  diarizationErrorRate,
  diarizationErrors,
  type SpeakerTurn,
} from "../../metrics/der.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { decodeFloats } from "../../speakers/probabilities.ts";
import { turnsOf } from "../../speakers/turns.ts";
import type { RecordingTurns, TurnReport } from "../../superb/measures/measure.types.ts";
import { recordingTurns } from "../../superb/measures/turns.ts";
import { chart, lineKey } from "../kit/chart.ts";
import { marks } from "../kit/hover.ts";
import { type Content, html, type Markup, svgText } from "../kit/markup.ts";
import { table } from "../kit/table.ts";
import type { Evaluation } from "../results/read.ts";
import { cut, formatPercent } from "../results/words.ts";
import { type Playing, utteranceCards } from "./cards.ts";

const SPEAKERS = 2;
const SHOWN = 8;
/** Thresholds times recordings, each of which is scored: more would take minutes. */
const MAX_CURVE_RECORDINGS = 300;
const THRESHOLDS: readonly number[] = Array.from({ length: 19 }, (_, i) => 5 * (i + 1));
const MEDIANS: readonly number[] = [1, 11];

const wrong = ({ missedSeconds, falseAlarmSeconds, confusionSeconds }: DiarizationErrors) =>
  missedSeconds + falseAlarmSeconds + confusionSeconds;

/** Every part in percent of all speech, so that the columns sum to the error rate. */
export function turnParts({ errors, byOverlap, recordings }: TurnReport): Markup {
  const share = (seconds: number) => formatPercent((100 * seconds) / errors.speechSeconds);
  const row = (name: string, part: DiarizationErrors) => [
    name,
    share(part.speechSeconds),
    share(part.missedSeconds),
    share(part.falseAlarmSeconds),
    share(part.confusionSeconds),
    share(wrong(part)),
  ];
  return table({
    caption: `In percent of the ${formatNumber(errors.speechSeconds / 60)} minutes of speech of ${plural(recordings.length, "recording")}; where two speak at once, both count`,
    columns: ["where the reference has", "speech", "missed", "false alarms", "confused speakers", "all"],
    rows: [
      row("nobody speaking", byOverlap.silence),
      row("one speaker", byOverlap.single),
      row("two at once", byOverlap.overlap),
      { className: "most", cells: row("together", errors) },
    ],
  });
}

/** Error rates on dev for thresholds finer than those that are chosen among; nothing where probabilities are not kept. */
export function thresholdCurve({ dev = [], result }: Evaluation): Content {
  const rows = dev.slice(0, MAX_CURVE_RECORDINGS);
  const read = rows.map(({ detail = "" }) => decodeFloats(detail));
  if (rows.length === 0 || read.some((values) => !values || values.length === 0)) return undefined;
  const { samplesPerFrame } = result.upstream;
  const references = recordingTurns(rows);
  const rate = (threshold: number, median: number) =>
    diarizationErrorRate(
      references.map(({ id, reference }, i) => {
        const options = { threshold: threshold / 100, median, samplesPerFrame };
        return diarizationErrors(reference, turnsOf(id, read[i] ?? [], SPEAKERS, options));
      }),
    );
  const lines = MEDIANS.map((median, i) => ({
    label: median === 1 ? "without a vote" : `a vote over ${median} frames`,
    tone: i === 0 ? ("soft" as const) : ("accent" as const),
    points: THRESHOLDS.map((threshold) => ({ step: threshold, value: rate(threshold, median) })),
  }));
  const note = dev.length > rows.length && html`<p class="note">Of the first ${rows.length} recordings of dev.</p>`;
  return [
    chart({
      title: "DER on dev by threshold",
      value: "DER on dev (%)",
      lines: lines.toReversed(),
      across: "threshold (%)",
      size: "full",
    }),
    note,
  ];
}

/** The recordings with most errors, reference and answer one above the other. */
export function turnCards({ test, result }: Evaluation, { recordings }: TurnReport): Playing {
  const worst = recordings
    .filter(({ errors }) => wrong(errors) > 0)
    .toSorted((a, b) => wrong(b.errors) - wrong(a.errors))
    .slice(0, SHOWN);
  if (worst.length === 0)
    return { content: html`<p class="lead">Every recording is told apart without an error.</p>`, plays: false };
  const byId = new Map(test.map((row) => [row.id, row]));
  const rows = worst.flatMap(({ id }) => byId.get(id) ?? []).map(withoutMixed);
  const cards = utteranceCards(rows, { root: result.data.root, isNarrow: true }, ({ id }, i) => {
    const { errors } = worst[i];
    const parts = `${errors.missedSeconds.toFixed(2)} s missed, ${errors.falseAlarmSeconds.toFixed(2)} s false alarms, ${errors.confusionSeconds.toFixed(2)} s confused, of ${errors.speechSeconds.toFixed(2)} s of speech`;
    return { name: html`${cut(id)} <small>${parts}</small>`, content: timeline(worst[i]) };
  });
  const key = lineKey([{ label: "reference", tone: "soft" }, { label: "answer", tone: "accent" }]); // biome-ignore format: one line
  return {
    content: [html`<p class="lead">Those with the most seconds of errors.</p>`, key, cards.content],
    plays: cards.plays,
  };
}

/** A mixture lies in no file: one of its parts would be another recording. */
const withoutMixed = ({ audio: _, ...row }: Prediction): Prediction => row;

const WIDTH = 460;
const LEFT = 64;
const ROW = 15;

/** One row a speaker and side; speakers of the answer stand below those that they were matched with. */
function timeline({ id, reference, hypothesis }: RecordingTurns): Markup {
  const names = (turns: readonly SpeakerTurn[]) => [...new Set(turns.map(({ speaker }) => speaker))].sort();
  const [speakers, found] = [names(reference), names(hypothesis)];
  const of = (turns: readonly SpeakerTurn[], name: string) => turns.filter(({ speaker }) => speaker === name);
  const matches = bestAssignment(speakers.map((a) => found.map((b) => overlap(of(reference, a), of(hypothesis, b)))));
  const order = [...matches.filter((place) => place >= 0), ...found.keys()].filter(
    (place, i, all) => all.indexOf(place) === i,
  );
  const rows = [
    ...speakers.flatMap((name, i) => [
      { name: `${i + 1} is`, className: "ref", turns: of(reference, name) },
      { name: "answer", className: "hyp", turns: matches[i] >= 0 ? of(hypothesis, found[matches[i]]) : [] },
    ]),
    ...order
      .slice(matches.filter((place) => place >= 0).length)
      .map((place) => ({ name: "further", className: "hyp", turns: of(hypothesis, found[place]) })),
  ];
  const end = Math.max(1, ...[...reference, ...hypothesis].map(({ endSeconds }) => endSeconds));
  const x = (seconds: number) => LEFT + ((WIDTH - LEFT) * seconds) / end;
  const height = rows.length * ROW + 18;
  const drawn = rows.map(({ name, className, turns }, i) => html`<text x="0" y="${i * ROW + 11}">${name}</text>${turns.map(({ startSeconds, endSeconds }) => html`<rect class="${className}" x="${x(startSeconds).toFixed(1)}" y="${i * ROW + 3}" width="${Math.max(0.5, x(endSeconds) - x(startSeconds)).toFixed(1)}" height="${ROW - 5}" data-tip="${name}: ${startSeconds.toFixed(2)} to ${endSeconds.toFixed(2)} s"/>`)}`); // biome-ignore format: one line
  const { attributes, head } = svgText(`timeline ${id}`, `Who speaks when in ${id}`, `${plural(reference.length, "turn")} of ${plural(speakers.length, "speaker")}, ${plural(hypothesis.length, "turn")} answered.`); // biome-ignore format: one line
  const foot = rows.length * ROW + 13;
  const svg = html`<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" ${attributes}>${head}<line x1="${LEFT}" x2="${WIDTH}" y1="${rows.length * ROW + 1}" y2="${rows.length * ROW + 1}"/>${drawn}<text x="${LEFT}" y="${foot}">0 s</text><text x="${WIDTH}" y="${foot}" text-anchor="end">${end.toFixed(1)} s</text></svg>`; // biome-ignore format: one line
  return marks(svg, `Who speaks when in ${id}`);
}

/** Seconds in which both speak. */
const overlap = (a: readonly SpeakerTurn[], b: readonly SpeakerTurn[]): number =>
  a.reduce(
    (sum, one) =>
      b.reduce(
        (total, two) =>
          total + Math.max(0, Math.min(one.endSeconds, two.endSeconds) - Math.max(one.startSeconds, two.startSeconds)),
        sum,
      ),
    0,
  );
