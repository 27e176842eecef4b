// The report of a run: one self-contained HTML page without scripts, fonts or anything else from outside.
import {
  formatCount,
  formatDuration,
  formatHours,
  formatMillions,
  formatNumber,
  formatShare,
  plural,
} from "../../log/format.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, fold, keyNumbers, notice, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { attentionCards } from "./attention.ts";
import { headCharts, lossCharts, optimiserCharts } from "./figures.ts";
import type { AttentionComparison, ReportData, ReportModel, RunReportData } from "./report.types.ts";
import { type RunSummary, splitMetrics, summarise } from "./summary.ts";

const MAX_RECIPE_CHARACTERS = 200_000;
const MAX_BAD_FILES = 100;
const MAX_BLOCKS = 200;

const billions = (count: number) => (count / 1e9).toFixed(count >= 1e9 ? 2 : 3);

function figures(data: RunReportData, { validation, audioSecondsPerSecond: speed }: RunSummary): Markup {
  const [student, teacher] = [data.student.profile, data.teacher.profile];
  return keyNumbers([
    [
      "Student",
      `${formatMillions(student.parameters.total)} M`,
      `parameters, ${formatShare(student.parameters.total, teacher.parameters.total)} of the teacher's`,
    ],
    [
      "Multiply-accumulates",
      `${billions(student.macs.total)} G`,
      `for ${student.seconds} s of audio, ${formatShare(student.macs.total, teacher.macs.total)} of the teacher's`,
    ],
    ["Validation loss", ...validationFigure(validation)],
    Number.isNaN(speed)
      ? ["Training speed", "—", "no steps yet"]
      : ["Training speed", html`${formatNumber(speed)}<small>×</small>`, "seconds of audio per second, median"],
  ]);
}

function validationFigure(loss: RunSummary["validation"]): [value: Content, detail: string] {
  if (!loss) return ["—", "no validation yet"];
  const { before, after, best } = loss;
  const change = ((after.loss - before.loss) / before.loss) * 100;
  return [
    html`<small>${formatNumber(before.loss)} →</small> ${formatNumber(after.loss)}`,
    before === after
      ? `at step ${formatCount(after.step)}, the only one so far`
      : `${change <= 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} %, best ${formatNumber(best.loss)} at step ${formatCount(best.step)}`,
  ];
}

function notices({ data, totalSteps }: RunReportData, { brokenSteps: broken, steps }: RunSummary): Content {
  const listed = broken.slice(0, 5).map(formatCount).join(", ");
  const more = broken.length > 5 ? ` and ${formatCount(broken.length - 5)} more` : "";
  return [
    broken.length > 0 &&
      notice(
        `The loss or the gradient was not finite at ${plural(broken.length, "step")}: ${listed}${more}. Those values are gaps in the charts.`,
      ),
    totalSteps !== undefined &&
      steps < totalSteps &&
      notice(`This run is not complete: step ${formatCount(steps)} of ${formatCount(totalSteps)}.`),
    data.badFiles.length > 0 &&
      notice(
        html`${plural(data.badFiles.length, "audio file")} could not be used; <a href="#data">the list</a> says why.`,
      ),
  ];
}

function comparison(student: ReportModel, teacher: ReportModel): Markup {
  const row = (label: string, of: (profile: ReportModel["profile"]) => number, format: (value: number) => string) => {
    const [small, large] = [of(student.profile), of(teacher.profile)];
    return [label, format(small), format(large), formatShare(small, large)];
  };
  const giga = (value: number) => `${billions(value)} G`;
  const { seconds, frames } = student.profile;
  return table({
    caption: `MACs: convolutions, linear layers, the two products of attention and heads, for ${seconds} s of audio (${plural(frames, "frame")})`,
    columns: ["", "student", "teacher", "share"],
    rows: [
      row("Parameters", (profile) => profile.parameters.total, formatCount),
      row("without heads", (profile) => profile.parameters.withoutHeads, formatCount),
      row("MACs", (profile) => profile.macs.total, giga),
      row("without heads", (profile) => profile.macs.withoutHeads, giga),
    ],
  });
}

function blockTable({ name, profile: { parameters, macs } }: ReportModel): Markup {
  const blocks = parameters.byBlock.slice(0, MAX_BLOCKS);
  const widest = Math.max(1, ...blocks.map((block) => block.macs));
  const giga = (value: number) => `${(value / 1e9).toFixed(3)} G`;
  const hidden = parameters.byBlock.length - blocks.length;
  return table({
    caption: [name, hidden > 0 && `, ${hidden} more blocks not shown`],
    columns: ["block", "parameters", "MACs"],
    rows: blocks.map((block) => [
      [
        block.name,
        block.attentionFrom !== undefined &&
          html` <span class="reuse">takes the map of layer ${block.attentionFrom}</span>`,
      ],
      formatCount(block.parameters),
      html`${block.macs ? giga(block.macs) : "—"}<span class="meter"><i style="width:${((100 * block.macs) / widest).toFixed(0)}%"></i></span>`,
    ]),
    foot: [
      "total",
      formatCount(parameters.total),
      html`${giga(macs.total)}<span class="meter" style="visibility:hidden"></span>`,
    ],
  });
}

function dataSection({ corpus, utterances, seconds, fingerprint, badFiles, validation }: ReportData): Content {
  const bad = badFiles.slice(0, MAX_BAD_FILES);
  const size = (data: { readonly corpus: string; readonly utterances: number; readonly seconds: number }) =>
    `${data.corpus}: ${plural(data.utterances, "utterance")}, ${formatHours(data.seconds)}`;
  return [
    facts([
      ["Training", size({ corpus, utterances, seconds })],
      validation && ["Validation", size(validation)],
      ["Fingerprint", html`<code>${fingerprint}</code>`],
      ["Unusable files", badFiles.length ? formatCount(badFiles.length) : "none"],
    ]),
    bad.length > 0 &&
      fold(
        "Files that could not be used",
        table({
          caption:
            badFiles.length > bad.length ? `The first ${bad.length} of ${formatCount(badFiles.length)}` : "All of them",
          columns: ["file", { title: "reason", className: "text" }],
          rows: bad.map(({ path, reason }) => [path.slice(0, 500), reason.slice(0, 500)]),
        }),
      ),
  ];
}

const attentionSection = (attention: AttentionComparison): Markup =>
  section("attention", "Attention", [
    html`<p class="lead">What each frame (downwards) looks at (across) in ${attention.utterance}, ${formatHours(attention.seconds)}, averaged over heads.
      Colour is the square root of the weight, each map to its own largest value; entropy in nats, the lower the sharper.</p>`,
    attentionCards(attention),
  ]);

/**
 * The page as one string, below 3 MB however long the run was. Needs no network, no script; follows the reader's light
 * or dark preference. All text in `data` is escaped.
 * @throws StillwaveError where an attention array does not fit its shape
 */
export function writeRunReport(run: RunReportData): string {
  const metrics = splitMetrics(run.metrics);
  const summary = summarise(metrics);
  const recipe = run.recipe.slice(0, MAX_RECIPE_CHARACTERS);
  const { title, student, teacher, data, attention } = run;
  return writePage({
    title,
    kind: "Stillwave distillation run",
    lead: `${student.name}, distilled from ${teacher.name} on ${formatHours(data.seconds)} of ${data.corpus}: ${plural(summary.steps, "step")} in ${formatDuration(summary.seconds)}.`,
    summary: [figures(run, summary), notices(run, summary)],
    sections: [
      section("loss", "Loss", [
        html`<p class="lead">Faint: as logged. Strong: moving average. The student sees masked input; on masked frames its target is the teacher on the full input, on the others the teacher on the masked input.</p>`,
        lossCharts(metrics),
      ]),
      section("layers", "Loss of each head", headCharts(metrics)),
      section("speed", "Optimiser and speed", optimiserCharts(metrics)),
      attention && attentionSection(attention),
      section("model", "Model", [
        comparison(student, teacher),
        fold("Student, block by block", blockTable(student)),
        fold("Teacher, block by block", blockTable(teacher)),
      ]),
      section("data", "Data", dataSection(data)),
      section("recipe", "Recipe", [
        html`<pre tabindex="0" role="region" aria-label="Resolved recipe"><code>${recipe}</code></pre>`,
        run.recipe.length > recipe.length &&
          html`<p class="note">Cut after ${formatCount(recipe.length)} characters.</p>`,
      ]),
      section("versions", "Versions", facts(Object.entries(run.versions))),
    ],
  });
}
