// The dashboard's page: the frame that its modules fill, in the style of reports.
import { html, Markup } from "../report/kit/markup.ts";
import { STYLE } from "../report/kit/style.ts";

const OWN_STYLE = `
main { max-width: 84rem; }
h2 { margin-top: 2.25rem; }
tbody th { text-align: left; overflow-wrap: anywhere; min-width: 6rem; }
.filters { display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; align-items: end; margin: 1.5rem 0 0.75rem; }
.filters label { display: grid; gap: 0.2rem; font-size: 0.83rem; color: var(--muted); }
.filters label.inline { display: flex; align-items: center; gap: 0.4rem; padding-bottom: 0.35rem; }
input, select, button { font: inherit; color: var(--ink); }
input[type=search], select { background: var(--panel); border: 1px solid var(--soft); border-radius: 4px; padding: 0.3rem 0.5rem; max-width: 100%; }
input[type=checkbox], input[type=range] { accent-color: var(--accent); }
th button { background: none; border: 0; padding: 0; color: inherit; cursor: pointer; font-size: inherit; }
th[aria-sort] button { color: var(--ink); font-weight: 600; }
th[aria-sort=ascending] button::after { content: " \\2191" / ""; }
th[aria-sort=descending] button::after { content: " \\2193" / ""; }
.more { background: var(--panel); border: 1px solid var(--soft); border-radius: 4px; padding: 0.35rem 0.8rem; cursor: pointer; margin-top: 0.8rem; }
td.pick { width: 1.6rem; text-align: left; }
td.state { text-align: left; }
td.state::before { content: ""; display: inline-block; width: 0.6rem; height: 0.6rem; border-radius: 50%; margin-right: 0.45rem; background: var(--soft); }
td.state.running::before { background: var(--accent); }
td.state.done::before { background: none; border: 2px solid var(--accent); }
td.state.failed::before, td.state.diverged::before { background: var(--del); border-radius: 0; }
td.state.interrupted::before { background: var(--sub); border-radius: 2px; }
td.text, th.text { text-align: left; }
#chart { margin-top: 0.75rem; min-height: 20rem; }
#chart svg { display: block; width: 100%; overflow: visible; }
#chart text { font: 12px system-ui, sans-serif; fill: var(--muted); }
#chart .grid { stroke: var(--rule); }
#chart .cursor { stroke: var(--soft); }
#chart path { fill: none; stroke-width: 2; }
#chart path.raw { stroke-width: 1; stroke-opacity: 0.35; }
#legend { list-style: none; margin: 0.75rem 0 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 0.15rem 1.5rem; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
#legend li { display: flex; gap: 0.5rem; align-items: baseline; min-width: 0; }
#legend span { overflow-wrap: anywhere; flex: 1; }
#legend i { flex: none; width: 1.1rem; border-top: 3px solid; transform: translateY(-0.25rem); }
#connection { font-size: 0.85rem; color: var(--muted); }
@media (max-width: 40rem) { .narrow-off { display: none; } th, td { padding-right: 0.6rem; } }
`;

const COLUMNS = [
  ["id", "run", "text"],
  ["kind", "kind", "text narrow-off"],
  ["state", "state", "text"],
  ["step", "step", ""],
  ["rate", "steps/s", "narrow-off"],
  ["left", "left", ""],
  ["loss", "loss", ""],
  ["score", "result", "text narrow-off"],
  ["updated", "changed", "narrow-off"],
] as const;

/** The page for the runs below `folder`. */
export function writeDashboard(folder: string): string {
  const heads = COLUMNS.map(
    ([key, title, name]) =>
      html`<th scope="col" class="${name}" data-key="${key}"><button type="button">${title}</button></th>`,
  );
  const states = ["running", "interrupted", "done", "diverged", "failed"];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Runs in ${folder}</title>
<style>${new Markup(STYLE + OWN_STYLE)}</style>
<script type="module" src="/code/dashboard/client/main.js"></script>
</head>
<body><main>
<header><p class="eyebrow">Stillwave runs</p><h1>${folder}</h1>
<p id="connection" role="status">Connecting ...</p></header>
<section aria-labelledby="curves"><h2 id="curves">Curves</h2>
<div class="filters">
<label>Metric <select id="metric"></select></label>
<label>Across <select id="across"><option value="step">step</option><option value="seconds">hours of work</option></select></label>
<label>Smoothing <input id="smooth" type="range" min="0" max="8" value="0"></label>
<label class="inline"><input id="log" type="checkbox"> logarithmic</label>
</div>
<div id="chart"></div><ul id="legend"></ul></section>
<section aria-labelledby="runs"><h2 id="runs">Runs</h2>
<div class="filters">
<label>Name or kind <input id="filter" type="search" autocomplete="off"></label>
<label>State <select id="state"><option value="">all</option>${states.map((state) => html`<option>${state}</option>`)}</select></label>
</div>
<div class="scroll" tabindex="0" role="region" aria-label="List of runs"><table>
<thead><tr><td></td>${heads}<th scope="col" class="text">report</th></tr></thead>
<tbody id="rows"></tbody></table></div>
<button type="button" class="more" id="more" hidden></button>
<p class="empty" id="none" hidden>No runs here.</p></section>
</main></body>
</html>
`.text;
}
