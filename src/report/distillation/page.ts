// The report of a run: one self-contained HTML page without fonts or anything else from outside.
import {
  formatCount,
  formatDuration,
  formatHours,
  formatMillions,
  formatNumber,
  formatShare,
  plural,
} from "../../log/format.ts";
import type { ModelProfile } from "../../models/profile.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, fold, keyNumbers, notices, recipeSection, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { attentionCards } from "./attention.ts";
import { hasHeads, headCharts, lossCharts, optimiserCharts, termCharts } from "./figures.ts";
import type { ReportData, ReportModel, RunReportData } from "./report.types.ts";
import { type RunSummary, splitMetrics, summarise, type ValidationSummary } from "./summary.ts";

const MAX_BAD_FILES = 100;
const MAX_BLOCKS = 200;

const billions = (count: number) => (count / 1e9).toFixed(count >= 1e9 ? 2 : 3);

function figures({ student, teacher }: RunReportData, { validation, audioSecondsPerSecond }: RunSummary): Markup {
  const [small, large] = [student.profile, teacher.profile];
  const ofTeacher = (part: number, whole: number) => `${formatShare(part, whole)} of the teacher's`;
  const share = ofTeacher(small.parameters.total, large.parameters.total);
  const work = `for ${small.seconds} s of audio, ${ofTeacher(small.macs.total, large.macs.total)}`;
  const speed = html`${formatNumber(audioSecondsPerSecond)}<small>×</small>`;
  return keyNumbers([
    ["Student", `${formatMillions(small.parameters.total)} M`, `parameters, ${share}`],
    ["Multiply-accumulates", `${billions(small.macs.total)} G`, work],
    ["Validation loss", ...validationFigure(validation)],
    Number.isNaN(audioSecondsPerSecond)
      ? ["Training speed", "—", "no steps yet"]
      : ["Training speed", speed, "seconds of audio per second, median"],
  ]);
}

function validationFigure(validation: RunSummary["validation"]): [value: Content, detail: string] {
  if (!validation) return ["—", "no validation yet"];
  const { before, after, best } = validation;
  const percent = ((after.loss - before.loss) / before.loss) * 100;
  const change = `${percent <= 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
  return [
    html`<small>${formatNumber(before.loss)} →</small> ${formatNumber(after.loss)}`,
    before === after
      ? `at step ${formatCount(after.step)}, the only one so far`
      : `${change}${best ? `, best ${formatNumber(best.loss)} at step ${formatCount(best.step)}` : ""}`,
  ];
}

function divergence({ before, diverged: [first, ...more] }: ValidationSummary): string | false {
  if (!first) return false;
  const also = more.length > 0 ? `, and at ${plural(more.length, "later validation")}` : "";
  return `The run has diverged: the validation loss was ${formatNumber(first.loss)} at step ${formatCount(first.step)}${also}, more than 1.5 times the ${formatNumber(before.loss)} before the first update.`;
}

function remarks({ data, totalSteps }: RunReportData, { brokenSteps: broken, steps, validation }: RunSummary): Content {
  const listed = broken.slice(0, 5).map(formatCount).join(", ");
  const more = broken.length > 5 ? ` and ${formatCount(broken.length - 5)} more` : "";
  return notices([
    validation && divergence(validation),
    broken.length > 0 &&
      `The loss or the gradient was not finite at ${plural(broken.length, "step")}: ${listed}${more}. Those values are gaps in the charts.`,
    totalSteps !== undefined &&
      steps < totalSteps &&
      `This run is not complete: step ${formatCount(steps)} of ${formatCount(totalSteps)}.`,
    data.badFiles.length > 0 &&
      html`${plural(data.badFiles.length, "audio file")} could not be used; <a href="#data">the list</a> says why.`,
  ]);
}

function comparison(student: ModelProfile, teacher: ModelProfile): Markup {
  const row = (label: string, format: (value: number) => string, small: number, large: number) => [
    label,
    format(small),
    format(large),
    formatShare(small, large),
  ];
  const giga = (value: number) => `${billions(value)} G`;
  return table({
    caption: `MACs: convolutions, linear layers, the two products of attention and heads, for ${student.seconds} s of audio (${plural(student.frames, "frame")})`,
    columns: ["", "student", "teacher", "share"],
    rows: [
      row("Parameters", formatCount, student.parameters.total, teacher.parameters.total),
      row("without heads", formatCount, student.parameters.withoutHeads, teacher.parameters.withoutHeads),
      row("MACs", giga, student.macs.total, teacher.macs.total),
      row("without heads", giga, student.macs.withoutHeads, teacher.macs.withoutHeads),
    ],
  });
}

function blockTable({ name, profile: { parameters, macs } }: ReportModel): Markup {
  const blocks = parameters.byBlock.slice(0, MAX_BLOCKS);
  const widest = Math.max(1, ...blocks.map((block) => block.macs));
  const giga = (value: number) => (value ? `${(value / 1e9).toFixed(3)} G` : "—");
  const hidden = parameters.byBlock.length - blocks.length;
  const bar = (value: number) => html`<i style="width:${((100 * value) / widest).toFixed(0)}%"></i>`;
  return table({
    caption: [name, hidden > 0 && `, ${hidden} more blocks not shown`],
    columns: ["block", "parameters", "MACs"],
    rows: blocks.map(({ name: block, parameters: count, macs: work, attentionFrom: source }) => [
      [block, source !== undefined && html` <span class="reuse">takes over the map of layer ${source}</span>`],
      formatCount(count),
      html`${giga(work)}<span class="meter">${bar(work)}</span>`,
    ]),
    foot: [
      "total",
      formatCount(parameters.total),
      html`${giga(macs.total)}<span class="meter" style="visibility:hidden"></span>`,
    ],
  });
}

function dataSection({ badFiles, fingerprint, validation, ...training }: ReportData): Content {
  const bad = badFiles.slice(0, MAX_BAD_FILES);
  const isCut = badFiles.length > bad.length;
  const size = ({ corpus, utterances, seconds }: NonNullable<ReportData["validation"]>) =>
    `${corpus}: ${plural(utterances, "utterance")}, ${formatHours(seconds)}`;
  return [
    facts([
      ["Training", size(training)],
      validation && ["Validation", size(validation)],
      ["Fingerprint", html`<code>${fingerprint}</code>`],
      ["Unusable files", badFiles.length ? formatCount(badFiles.length) : "none"],
    ]),
    bad.length > 0 &&
      fold(
        "Files that could not be used",
        table({
          caption: isCut ? `The first ${bad.length} of ${formatCount(badFiles.length)}` : "All of them",
          columns: ["file", { title: "reason", className: "text" }],
          rows: bad.map(({ path, reason }) => [path.slice(0, 500), reason.slice(0, 500)]),
        }),
      ),
  ];
}

const termLead = html`<p class="lead">Every term of the objectives by its name, not weighted; where it has a value a layer, their mean.</p>`;

/**
 * The page as one string, below 3 MB however long the run was. Needs no network; follows the reader's light
 * or dark preference. All text in `data` is escaped.
 * @throws StillwaveError where an attention array does not fit its shape
 */
export function writeRunReport(run: RunReportData): string {
  const metrics = splitMetrics(run.metrics);
  const summary = summarise(metrics);
  const { title, student, teacher, data, attention } = run;
  const terms = termCharts(metrics);
  const done = `${plural(summary.steps, "step")} in ${formatDuration(summary.seconds)}`;
  return writePage({
    title,
    kind: "Stillwave distillation run",
    lead: `${student.name}, distilled from ${teacher.name} on ${formatHours(data.seconds)} of ${data.corpus}: ${done}.`,
    summary: [figures(run, summary), remarks(run, summary)],
    sections: [
      section("loss", "Loss", [
        html`<p class="lead">Faint: as logged. Strong: moving average. The student sees masked input; on masked frames its target is the teacher on the full input, on the others the teacher on the masked input.</p>`,
        lossCharts(metrics),
      ]),
      terms !== undefined && section("objectives", "What the student learns by", [termLead, terms]),
      hasHeads(metrics) && section("layers", "Loss of each head", headCharts(metrics)),
      section("speed", "Optimiser and speed", optimiserCharts(metrics)),
      attention !== undefined && section("attention", "Attention", attentionCards(attention)),
      section("model", "Model", [
        comparison(student.profile, teacher.profile),
        fold("Student, block by block", blockTable(student)),
        fold("Teacher, block by block", blockTable(teacher)),
      ]),
      section("data", "Data", dataSection(data)),
      recipeSection(run.recipe),
      section("versions", "Versions", facts(Object.entries(run.versions))),
    ],
  });
}
