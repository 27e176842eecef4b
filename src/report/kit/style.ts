// The style sheet of all reports: one column, one accent colour, light and dark, from phones to wide screens, and on paper.

export const STYLE = `
:root { color-scheme: light dark; --page: #fbfaf8; --panel: #ffffff; --ink: #1d1c1a; --muted: #69655d; --rule: #e6e2da; --accent: #0b756e; --soft: #7d776d; --sub: #9a5b00; --del: #b3261e; --ins: #2858b8; --blue: #2858b8; --amber: #9a5b00; --rose: #b3261e; --violet: #6f3fae; --olive: #55661a; --pink: #a8306f; }
@media (prefers-color-scheme: dark) {
  :root { --page: #131312; --panel: #1b1b19; --ink: #ebe9e4; --muted: #a29d93; --rule: #302e2a; --accent: #4cc9bd; --soft: #a09a8f; --sub: #f0b45c; --del: #ff9287; --ins: #93b8ff; --blue: #93b8ff; --amber: #f0b45c; --rose: #ff9287; --violet: #c4a3ff; --olive: #b9ca62; --pink: #ff9ed2; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: clamp(1.25rem, 4vw, 3.5rem) clamp(1rem, 4vw, 2.5rem) 5rem; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.15; letter-spacing: -0.02em; font-weight: 650; margin: 0 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; letter-spacing: -0.01em; font-weight: 650; margin: 4rem 0 0.35rem; padding-top: 1.1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 0.95rem; font-weight: 600; margin: 0; }
h3 small { font-weight: 400; color: var(--muted); font-size: 0.85em; }
h3.sub { margin-top: 1.75rem; }
h3.sub small { margin-left: 0.4rem; }
a { color: var(--accent); text-underline-offset: 0.15em; }
p { margin: 0.4rem 0 1rem; max-width: 46rem; text-wrap: pretty; }
.lead, .note, .empty, figcaption, caption { color: var(--muted); }
.lead { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.note, .empty { font-size: 0.85rem; }
.eyebrow { color: var(--accent); font-size: 0.78rem; font-weight: 600; letter-spacing: 0.09em; text-transform: uppercase; margin: 0 0 0.6rem; }
.keys { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1.75rem 2rem; margin: 2.25rem 0 0; padding: 1.6rem 0 0; border-top: 2px solid var(--accent); }
.keys div { min-width: 0; }
.keys dt { font-size: 0.83rem; color: var(--muted); }
.keys dd { margin: 0; }
.keys .value { font-size: 1.85rem; line-height: 1.25; letter-spacing: -0.025em; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.keys .value small { font-size: 0.6em; font-weight: 500; letter-spacing: 0; color: var(--muted); }
.keys .detail { font-size: 0.85rem; color: var(--muted); }
.notice { border-left: 3px solid var(--accent); background: var(--panel); padding: 0.75rem 1rem; margin: 1.75rem 0 0; max-width: none; font-size: 0.92rem; overflow-wrap: anywhere; text-wrap: pretty; }
.verdicts { margin: 0.9rem 0 0; padding-left: 1.1rem; }
.verdicts li { margin: 0.3rem 0; max-width: 52rem; overflow-wrap: anywhere; }
.notice .verdicts { margin-top: 0.4rem; }
.verdicts.note { max-width: none; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2.25rem 2.5rem; margin-top: 1.25rem; }
.grid.fill { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1.5rem 2.5rem; margin-top: 1.25rem; align-items: start; }
figure { margin: 0; min-width: 0; }
.figure.full { margin-top: 1.25rem; }
.figure > figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.1rem 1.25rem; margin-bottom: 0.35rem; }
.figure h3 { color: var(--ink); }
.key { display: flex; flex-wrap: wrap; gap: 0 1rem; list-style: none; margin: 0; padding: 0; font-size: 0.83rem; }
.key li { display: flex; align-items: center; gap: 0.45em; color: var(--muted); }
.key b { color: var(--ink); }
.key svg { width: 28px; height: 8px; flex: none; }
svg.chart { display: block; width: 100%; height: auto; overflow: visible; }
.plot { position: relative; }
.plot.narrow { display: none; }
@media (max-width: 40rem) { .plot.wide { display: none; } .plot.narrow { display: block; } }
.tip { position: absolute; z-index: 2; max-width: min(22rem, 90vw); width: max-content; background: var(--ink); color: var(--page); border-radius: 5px; padding: 0.35rem 0.6rem; font-size: 0.8rem; line-height: 1.4; font-variant-numeric: tabular-nums; pointer-events: none; overflow-wrap: anywhere; }
.tip b, .tip .row { display: block; font-weight: 600; }
.tip .row { font-weight: 400; }
.tip[hidden], .cross[hidden] { display: none; }
svg .over { pointer-events: none; }
svg .over line { stroke: var(--ink); stroke-width: 1; stroke-opacity: 0.5; }
svg .over circle { stroke: var(--page); stroke-width: 1.5; }
svg .over circle.accent { fill: var(--accent); }
svg .over circle.soft { fill: var(--soft); }
svg .over circle.blue { fill: var(--blue); }
svg .over circle.amber { fill: var(--amber); }
svg .over circle.rose { fill: var(--rose); }
svg .over circle.violet { fill: var(--violet); }
svg .over circle.olive { fill: var(--olive); }
svg .over circle.pink { fill: var(--pink); }
svg .at { stroke: var(--ink); stroke-width: 2; }
svg text.at { stroke: none; font-weight: 700; text-decoration: underline; }
.contents { margin-top: 1.75rem; font-size: 0.88rem; }
.contents ol { display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; list-style: none; margin: 0; padding: 0; }
.contents a { display: inline-block; padding: 0.15rem 0; text-decoration-thickness: 1px; }
.scale { position: relative; margin: 0.9rem 1.4rem 0 2.6rem; font-size: 0.76rem; color: var(--muted); font-variant-numeric: tabular-nums; padding-bottom: 1.7em; }
.scale .numbers { position: relative; height: 1.35em; }
.scale .numbers span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.scale .bar { height: 0.7rem; border: 1px solid var(--rule); background-color: var(--page); }
.scale .bar.linear { background-image: linear-gradient(to right, transparent, var(--accent)); }
.scale .uniform { position: absolute; bottom: 1.7em; height: 1.1rem; margin-bottom: -0.35rem; border-left: 2px solid var(--ink); }
.scale .uniform span { position: absolute; left: -1px; top: 1.05rem; white-space: nowrap; color: var(--ink); }
.scale .uniform[data-side] span { left: auto; right: -1px; }
figure > .scale { margin-left: 44px; max-width: 16rem; padding-bottom: 0.6em; }
svg.heat { display: block; width: 100%; height: auto; }
svg.heat text { font: 11px system-ui, sans-serif; fill: var(--muted); }
svg.heat rect { fill: var(--accent); }
.sparks { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1.5rem 1.75rem; margin: 1.25rem 0 0.75rem; }
.minis { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1.5rem 2rem; margin-top: 0.9rem; }
.sparks figcaption, .minis figcaption, .ends { display: flex; justify-content: space-between; gap: 0.75rem; font-size: 0.83rem; font-variant-numeric: tabular-nums; }
.minis figcaption { margin-bottom: 0.3rem; overflow-wrap: anywhere; }
.sparks b, .minis b { font-weight: 600; color: var(--ink); }
.minis b { white-space: nowrap; }
.ends { font-size: 0.76rem; margin: 0.15rem 0 0; }
svg.mini, svg.matrix { display: block; width: 100%; height: auto; }
svg.mini rect, svg.matrix .wrong { fill: var(--accent); }
svg.mini line { stroke: var(--rule); }
svg.matrix text { font: 10px system-ui, sans-serif; fill: var(--muted); }
svg.matrix text.count { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg.matrix .right { fill: var(--soft); }
svg.timeline { display: block; width: 100%; height: auto; margin-top: 0.6rem; }
svg.timeline text { font: 11px system-ui, sans-serif; fill: var(--muted); }
svg.timeline .ref { fill: var(--soft); }
svg.timeline .hyp { fill: var(--accent); }
svg.timeline line { stroke: var(--rule); }
svg.matrix .frame { fill: none; stroke: var(--rule); }
svg.standing { display: block; width: 100%; min-width: 44rem; height: auto; margin-top: 0.75rem; }
svg.standing text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg.standing .value, svg.standing .missing { text-anchor: end; font-variant-numeric: tabular-nums; font-weight: 600; }
svg.standing text.missing { fill: var(--sub); font-weight: 400; }
svg.standing text.tick { font-size: 11px; fill: var(--muted); text-anchor: middle; }
svg.standing line.tick { stroke: var(--rule); stroke-dasharray: 2 3; }
svg.standing line.axis { stroke: var(--rule); }
svg.standing text.letter { font-size: 11px; fill: var(--muted); text-anchor: middle; }
svg.standing line.lead { stroke: var(--soft); }
svg.standing .own { fill: var(--accent); stroke: var(--page); stroke-width: 2; }
svg.standing .own.standin { fill: var(--page); stroke: var(--accent); stroke-width: 2.5; }
.letters { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; list-style: none; margin: 0.5rem 0 0; padding: 0; font-size: 0.83rem; color: var(--muted); }
.letters b { color: var(--ink); margin-right: 0.2em; }
details { margin-top: 0.5rem; font-size: 0.9rem; }
summary { cursor: pointer; color: var(--muted); font-size: 0.83rem; width: fit-content; padding: 0.15rem 0; }
summary:hover { color: var(--ink); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 2px; }
.scroll { overflow-x: auto; }
figure.full + .scroll, .lead + .scroll { margin-top: 1rem; }
table { border-collapse: collapse; font-size: 0.88rem; font-variant-numeric: tabular-nums; width: 100%; }
caption { text-align: left; font-size: 0.83rem; padding: 0.4rem 0; }
th, td { text-align: right; padding: 0.38rem 0.9rem 0.38rem 0; border-bottom: 1px solid var(--rule); white-space: nowrap; font-weight: 400; vertical-align: top; }
th:first-child, td.text, thead th.text { text-align: left; }
th:first-child, td.text { white-space: normal; overflow-wrap: anywhere; }
td.wrap, th.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; text-align: left; }
table.named th:first-child { min-width: 9.5rem; }
table.tight th, table.tight td { padding-right: 0.55rem; }
table.tight td { font-size: 0.94em; }
table.rates th { white-space: nowrap; }
table.side th:first-child { white-space: nowrap; overflow-wrap: normal; }
table.side td .meter { display: block; width: 100%; min-width: 2.5rem; margin: 0.2rem 0 0; }
.columns table caption { color: var(--ink); font-weight: 600; font-size: 0.95rem; }
thead th { color: var(--muted); font-size: 0.83rem; vertical-align: bottom; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
.reuse { color: var(--accent); }
td .meter { display: inline-block; width: 4.5rem; height: 0.5rem; background: var(--rule); margin-left: 0.6rem; }
td .meter i { display: block; height: 100%; max-width: 100%; background: var(--accent); }
tr.chosen th, tr.chosen td, tr.most th, tr.most td { font-weight: 650; }
tr.chosen th:first-child { color: var(--accent); }
.bars th, .bars td { padding-top: 0.16rem; padding-bottom: 0.16rem; border-bottom: 0; }
.bars th:first-child { white-space: nowrap; max-width: 12rem; overflow: hidden; text-overflow: ellipsis; }
td.bar { width: 100%; padding-right: 0.9rem; vertical-align: middle; }
td.bar i { display: block; height: 0.85rem; min-width: 1px; background: var(--accent); }
td.strip { min-width: 8rem; vertical-align: middle; }
td.strip span { display: block; position: relative; height: 0.7rem; }
td.strip i { position: absolute; top: 0.3rem; height: 2px; min-width: 2px; background: var(--soft); }
td.strip b { position: absolute; top: 0.05rem; width: 0.55rem; height: 0.55rem; margin-left: -0.275rem; border-radius: 50%; background: var(--accent); }
.partial { border: 1px solid var(--sub); color: var(--sub); border-radius: 4px; padding: 0 0.35em; font-size: 0.8em; font-weight: 600; white-space: nowrap; }
.cards.maps { grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1.5rem; margin-top: 1.25rem; }
.utterances { list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: 1.1rem; }
@media (min-width: 48rem) { .utterances.two { grid-template-columns: 1fr 1fr; } }
.card { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 0.9rem 1rem 1rem; min-width: 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 0.9rem; margin-top: 0.6rem; }
.stack { display: grid; gap: 0.9rem; align-content: start; min-width: 0; }
.panel figcaption { font-size: 0.8rem; line-height: 1.4; margin: 0.2rem 0 0 2.6rem; font-variant-numeric: tabular-nums; }
.axes { display: grid; grid-template-columns: 2.6rem minmax(0, 1fr); font-size: 0.72rem; line-height: 1; color: var(--muted); font-variant-numeric: tabular-nums; }
.axes em { font-style: normal; }
.axes .from { position: relative; }
.axes .from span { position: absolute; right: 0.3rem; transform: translateY(-50%); }
.axes .from em { position: absolute; left: 0; top: 50%; writing-mode: vertical-rl; transform: translateY(-50%) rotate(180deg); }
.axes .to { position: relative; grid-column: 2; height: 2.4em; }
.axes .to span { position: absolute; top: 0.3rem; transform: translateX(-50%); }
.axes .to em { position: absolute; right: 0; top: 1.4em; }
.image { position: relative; line-height: 0; }
.map { display: block; width: 100%; height: auto; aspect-ratio: 1; image-rendering: pixelated; outline: 1px solid var(--rule); background: var(--page); }
.taken .map { outline: 2px dashed var(--soft); outline-offset: 1px; }
.cross { position: absolute; width: 11px; height: 11px; margin: -5.5px 0 0 -5.5px; border: 2px solid var(--ink); border-radius: 50%; box-shadow: 0 0 0 1px var(--page); pointer-events: none; }
.none { color: var(--muted); font-size: 0.8rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.75rem; margin: 1rem 0; font-size: 0.92rem; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 40rem) {
  .sparks { grid-template-columns: 1fr 1fr; gap: 1rem; }
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: 0.6rem; }
  .keys { grid-template-columns: 1fr 1fr; gap: 1.4rem 1rem; }
  .keys .value { font-size: 1.4rem; white-space: normal; }
  td .meter { display: none; }
}
.utterances h3 { overflow-wrap: anywhere; }
.utterances h3 small { display: block; font-size: 0.88em; margin-top: 0.1rem; }
.utterances audio { display: block; width: 100%; max-width: 30rem; height: 2.4rem; margin-top: 0.7rem; }
.utterances .note { margin: 0.5rem 0 0; }
.aligned { display: flex; flex-wrap: wrap; gap: 0.55rem 0.15rem; list-style: none; margin: 0.75rem 0 0; padding: 0; font: 0.86rem/1.35 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.aligned li { display: grid; text-align: center; padding: 0.1rem 0.35rem; border: 1px solid transparent; border-radius: 4px; min-width: 1.6rem; max-width: 100%; overflow-wrap: anywhere; }
.aligned li span { min-height: 1.35em; }
.aligned .hyp { color: var(--muted); }
.aligned b { font: 700 0.68rem/1.3 system-ui, sans-serif; min-height: 1.3em; }
.aligned .substitution { border: 1px solid var(--sub); }
.aligned .substitution .hyp, .aligned .substitution b { color: var(--sub); font-weight: 650; }
.aligned .deletion { border: 1px dashed var(--del); }
.aligned .deletion .ref, .aligned .deletion b { color: var(--del); font-weight: 650; }
.aligned .deletion .ref { text-decoration: line-through; }
.aligned .insertion { border: 1px dotted var(--ins); }
.aligned .insertion .hyp, .aligned .insertion b { color: var(--ins); font-weight: 650; text-decoration: none; }
.aligned .insertion .hyp { text-decoration: underline; text-underline-offset: 0.15em; }
.aligned .gap { color: var(--muted); opacity: 0.6; }
.aligned.legend { font-size: 0.8rem; margin-top: 0.9rem; gap: 0.55rem 0.8rem; align-items: center; }
.aligned.legend li.words { font-family: system-ui, sans-serif; color: var(--muted); text-align: left; padding-left: 0; }
.answers { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 0.9rem; margin: 0.6rem 0 0; font-size: 0.92rem; }
.answers dt { color: var(--muted); }
.answers dd { margin: 0; overflow-wrap: anywhere; }
.answers dd.wrong { color: var(--sub); font-weight: 650; text-decoration: underline dotted; text-underline-offset: 0.2em; }
.attempt { margin: 0.9rem 0 0; font-size: 0.9rem; font-weight: 600; overflow-wrap: anywhere; }
.attempt small { font-weight: 400; color: var(--muted); margin-left: 0.4rem; }
.attempt + .aligned { margin-top: 0.3rem; }
pre { overflow-x: auto; background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 1rem 1.1rem; font: 0.82rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 1rem 0 0; tab-size: 2; }
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print {
  :root { color-scheme: light; --page: #ffffff; --panel: #ffffff; --ink: #1d1c1a; --muted: #55514a; --rule: #d8d3ca; --accent: #0b756e; --soft: #7d776d; --sub: #9a5b00; --del: #b3261e; --ins: #2858b8; --blue: #2858b8; --amber: #9a5b00; --rose: #b3261e; --violet: #6f3fae; --olive: #55661a; --pink: #a8306f; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; margin-top: 2rem; }
  figure, .card, tr, .notice { break-inside: avoid; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
  th, td { white-space: normal; padding-right: 0.5rem; }
  details:not([open]), audio, .tip, .over, .contents { display: none; }
}
`;
