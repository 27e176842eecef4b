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
import { fact, keyNumber } from "../kit/facts.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { attentionCards } from "./attention.ts";
import { layerCharts, lossCharts, optimiserCharts, type RunSummary, splitMetrics, summarise } from "./figures.ts";
import type { ReportData, ReportModel, RunReportData } from "./report.types.ts";

const MAX_RECIPE_CHARACTERS = 200_000;
const MAX_BAD_FILES = 100;
const MAX_BLOCKS = 200;

const billions = (count: number) => (count / 1e9).toFixed(count >= 1e9 ? 2 : 3);

function keyNumbers(data: RunReportData, summary: RunSummary): Markup {
  const [student, teacher] = [data.student.profile, data.teacher.profile];
  const loss = summary.validation;
  const change = loss && ((loss.after.loss - loss.before.loss) / loss.before.loss) * 100;
  const speed = summary.audioSecondsPerSecond;
  return html`<dl class="keys">
    ${keyNumber("Student", html`${formatMillions(student.parameters.total)} M`, `parameters, ${formatShare(student.parameters.total, teacher.parameters.total)} of the teacher's`)}
    ${keyNumber("Multiply-accumulates", html`${billions(student.macs.total)} G`, `for ${student.seconds} s of audio, ${formatShare(student.macs.total, teacher.macs.total)} of the teacher's`)}
    ${
      loss
        ? keyNumber(
            "Validation loss",
            html`<small>${formatNumber(loss.before.loss)} →</small> ${formatNumber(loss.after.loss)}`,
            loss.before === loss.after
              ? `at step ${formatCount(loss.after.step)}, the only one so far`
              : `${change! <= 0 ? "−" : "+"}${Math.abs(change!).toFixed(1)} %, best ${formatNumber(loss.best.loss)} at step ${formatCount(loss.best.step)}`,
          )
        : keyNumber("Validation loss", "—", "no validation yet")
    }
    ${keyNumber("Training speed", Number.isNaN(speed) ? "—" : html`${formatNumber(speed)}<small>×</small>`, Number.isNaN(speed) ? "no steps yet" : "seconds of audio per second, median")}
  </dl>`;
}

function notices(data: RunReportData, summary: RunSummary): Content {
  const broken = summary.brokenSteps;
  const listed = broken.slice(0, 5).map(formatCount).join(", ");
  return [
    broken.length > 0 &&
      html`<p class="notice">The loss or the gradient was not finite at ${plural(broken.length, "step")}: ${listed}${broken.length > 5 && ` and ${formatCount(broken.length - 5)} more`}. Those values are gaps in the charts.</p>`,
    data.totalSteps !== undefined &&
      summary.steps < data.totalSteps &&
      html`<p class="notice">This run is not complete: step ${formatCount(summary.steps)} of ${formatCount(data.totalSteps)}.</p>`,
    data.data.badFiles.length > 0 &&
      html`<p class="notice">${plural(data.data.badFiles.length, "audio file")} could not be used; <a href="#data">the list</a> says why.</p>`,
  ];
}

function comparison(student: ReportModel, teacher: ReportModel): Markup {
  const row = (label: string, of: (profile: ReportModel["profile"]) => number, format: (value: number) => string) => {
    const [small, large] = [of(student.profile), of(teacher.profile)];
    return html`<tr><th scope="row">${label}</th><td>${format(small)}</td><td>${format(large)}</td><td>${formatShare(small, large)}</td></tr>`;
  };
  const giga = (value: number) => `${billions(value)} G`;
  return html`<div class="scroll"><table>
    <caption>MACs: convolutions, linear layers, the two products of attention and heads, for ${student.profile.seconds} s of audio (${plural(student.profile.frames, "frame")})</caption>
    <thead><tr><th scope="col"></th><th scope="col">student</th><th scope="col">teacher</th><th scope="col">share</th></tr></thead>
    <tbody>
      ${row("Parameters", (profile) => profile.parameters.total, formatCount)}
      ${row("without heads", (profile) => profile.parameters.withoutHeads, formatCount)}
      ${row("MACs", (profile) => profile.macs.total, giga)}
      ${row("without heads", (profile) => profile.macs.withoutHeads, giga)}
    </tbody></table></div>`;
}

function blockTable(model: ReportModel): Markup {
  const { parameters, macs } = model.profile;
  const blocks = parameters.byBlock.slice(0, MAX_BLOCKS);
  const widest = Math.max(1, ...blocks.map((block) => block.macs));
  const rows = blocks.map((block) => {
    const share = ((100 * block.macs) / widest).toFixed(0);
    const reuse = block.attentionFrom;
    return html`<tr><th scope="row">${block.name}${reuse !== undefined && html` <span class="reuse">takes the map of layer ${reuse}</span>`}</th>
      <td>${formatCount(block.parameters)}</td><td>${block.macs ? `${(block.macs / 1e9).toFixed(3)} G` : "—"}<span class="meter"><i style="width:${share}%"></i></span></td></tr>`;
  });
  const hidden = parameters.byBlock.length - blocks.length;
  return html`<div class="scroll"><table><caption>${model.name}${hidden > 0 && `, ${hidden} more blocks not shown`}</caption>
    <thead><tr><th scope="col">block</th><th scope="col">parameters</th><th scope="col">MACs</th></tr></thead>
    <tbody>${rows}</tbody>
    <tfoot><tr><th scope="row">total</th><td>${formatCount(parameters.total)}</td><td>${(macs.total / 1e9).toFixed(3)} G<span class="meter" style="visibility:hidden"></span></td></tr></tfoot></table></div>`;
}

function dataSection(data: ReportData): Markup {
  const bad = data.badFiles.slice(0, MAX_BAD_FILES);
  return html`<dl class="facts">
      ${fact("Training", `${data.corpus}: ${plural(data.utterances, "utterance")}, ${formatHours(data.seconds)}`)}
      ${data.validation && fact("Validation", `${data.validation.corpus}: ${plural(data.validation.utterances, "utterance")}, ${formatHours(data.validation.seconds)}`)}
      ${fact("Fingerprint", html`<code>${data.fingerprint}</code>`)}
      ${fact("Unusable files", data.badFiles.length ? formatCount(data.badFiles.length) : "none")}
    </dl>
    ${
      bad.length > 0 &&
      html`<details><summary>Files that could not be used</summary><div class="scroll"><table><caption>${
        data.badFiles.length > bad.length
          ? `The first ${bad.length} of ${formatCount(data.badFiles.length)}`
          : "All of them"
      }</caption>
      <thead><tr><th scope="col">file</th><th scope="col">reason</th></tr></thead>
      <tbody>${bad.map(({ path, reason }) => html`<tr><th scope="row">${path.slice(0, 500)}</th><td class="text">${reason.slice(0, 500)}</td></tr>`)}</tbody></table></div></details>`
    }`;
}

function attentionSection(data: RunReportData): Content {
  const { attention } = data;
  if (!attention) return undefined;
  return html`<section aria-labelledby="attention"><h2 id="attention">Attention</h2>
    <p class="lead">What each frame (downwards) looks at (across) in ${attention.utterance}, ${formatHours(attention.seconds)}, averaged over heads.
      Colour is the square root of the weight, each map to its own largest value; entropy in nats, the lower the sharper.</p>
    ${attentionCards(attention)}</section>`;
}

/**
 * The page as one string, below 3 MB however long the run was. Needs no network, no script; follows the reader's light
 * or dark preference. All text in `data` is escaped.
 * @throws StillwaveError where an attention array does not fit its shape
 */
export function writeRunReport(data: RunReportData): string {
  const metrics = splitMetrics(data.metrics);
  const summary = summarise(metrics);
  const recipe = data.recipe.slice(0, MAX_RECIPE_CHARACTERS);
  const { student, teacher } = data;
  return writePage({
    title: data.title,
    body: html`<header><p class="eyebrow">Stillwave distillation run</p><h1>${data.title}</h1>
<p class="lead">${student.name}, distilled from ${teacher.name} on ${formatHours(data.data.seconds)} of ${data.data.corpus}: ${plural(summary.steps, "step")} in ${formatDuration(summary.seconds)}.</p>
${keyNumbers(data, summary)}
${notices(data, summary)}</header>
<section aria-labelledby="loss"><h2 id="loss">Loss</h2>
<p class="lead">Faint: as logged. Strong: moving average. The student sees masked input; on masked frames its target is the teacher on the full input, on the others the teacher on the masked input.</p>
${lossCharts(metrics)}</section>
<section aria-labelledby="layers"><h2 id="layers">Loss of each head</h2>${layerCharts(metrics)}</section>
<section aria-labelledby="speed"><h2 id="speed">Optimiser and speed</h2>${optimiserCharts(metrics)}</section>
${attentionSection(data)}
<section aria-labelledby="model"><h2 id="model">Model</h2>${comparison(student, teacher)}
<details><summary>Student, block by block</summary>${blockTable(student)}</details>
<details><summary>Teacher, block by block</summary>${blockTable(teacher)}</details></section>
<section aria-labelledby="data"><h2 id="data">Data</h2>${dataSection(data.data)}</section>
<section aria-labelledby="recipe"><h2 id="recipe">Recipe</h2>
<pre tabindex="0" role="region" aria-label="Resolved recipe"><code>${recipe}</code></pre>
${data.recipe.length > recipe.length && html`<p class="note">Cut after ${formatCount(recipe.length)} characters.</p>`}</section>
<section aria-labelledby="versions"><h2 id="versions">Versions</h2><dl class="facts">${Object.entries(data.versions).map(([name, version]) => fact(name, version))}</dl></section>`,
  });
}
