// What reports of evaluations need beyond the common style sheet: alignments, bars of layer weights, confusion matrices.

export const EVALUATION_STYLE = `
:root { --sub: #9a5b00; --del: #b3261e; --ins: #2858b8; }
@media (prefers-color-scheme: dark) { :root { --sub: #f0b45c; --del: #ff9287; --ins: #93b8ff; } }
h3.sub { margin-top: 1.75rem; }
.unit { font-size: 0.6em; font-weight: 500; letter-spacing: 0; color: var(--muted); }
.bars td.bar { width: 100%; padding-right: 0.9rem; vertical-align: middle; }
.bars td.bar i { display: block; height: 0.85rem; min-width: 1px; background: var(--accent); }
.bars th, .bars td { padding-top: 0.16rem; padding-bottom: 0.16rem; border-bottom: 0; }
.bars th:first-child { white-space: nowrap; max-width: 12rem; overflow: hidden; text-overflow: ellipsis; }
.bars tr.most td, .bars tr.most th { font-weight: 650; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1.5rem 2.5rem; margin-top: 1.25rem; align-items: start; }
.columns table caption { color: var(--ink); font-weight: 600; font-size: 0.95rem; }
figure.full + .scroll, .lead + .scroll { margin-top: 1rem; }
table.named th:first-child { min-width: 9.5rem; }
.grid.fill { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
table.rates th { white-space: nowrap; }
tr.chosen th, tr.chosen td { font-weight: 650; }
tr.chosen th:first-child { color: var(--accent); }
.utterances { list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: 1.1rem; }
@media (min-width: 48rem) { .utterances.two { grid-template-columns: 1fr 1fr; } }
.utterances > li { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 0.9rem 1rem 1rem; min-width: 0; }
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
svg.matrix { display: block; height: auto; width: 100%; }
svg.matrix text { font: 10px system-ui, sans-serif; fill: var(--muted); }
svg.matrix text.count { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg.matrix .right { fill: var(--soft); }
svg.matrix .wrong { fill: var(--accent); }
svg.matrix .frame { fill: none; stroke: var(--rule); }
.partial { border: 1px solid var(--sub); color: var(--sub); border-radius: 4px; padding: 0 0.35em; font-size: 0.8em; font-weight: 600; white-space: nowrap; }
.verdicts { margin: 0.9rem 0 0; padding-left: 1.1rem; }
.verdicts li { margin: 0.3rem 0; max-width: 52rem; overflow-wrap: anywhere; }
td.wrap, th.wrap { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; text-align: left; }
.attempt { margin: 0.9rem 0 0; font-size: 0.9rem; font-weight: 600; overflow-wrap: anywhere; }
.attempt small { font-weight: 400; color: var(--muted); margin-left: 0.4rem; }
.attempt + .aligned { margin-top: 0.3rem; }
h3.sub small { margin-left: 0.4rem; }
.minis { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1.5rem 2rem; margin-top: 0.9rem; }
.minis figcaption, .ends { display: flex; justify-content: space-between; gap: 0.75rem; font-size: 0.83rem; }
.minis figcaption { margin-bottom: 0.3rem; overflow-wrap: anywhere; }
.minis b { font-weight: 600; color: var(--ink); white-space: nowrap; }
.ends { font-size: 0.76rem; margin: 0.15rem 0 0; }
td.strip { min-width: 8rem; vertical-align: middle; }
td.strip span { display: block; position: relative; height: 0.7rem; }
td.strip i { position: absolute; top: 0.3rem; height: 2px; min-width: 2px; background: var(--soft); }
td.strip b { position: absolute; top: 0.05rem; width: 0.55rem; height: 0.55rem; margin-left: -0.275rem; border-radius: 50%; background: var(--accent); }
.notice .verdicts { margin-top: 0.4rem; }
.verdicts.note { max-width: none; }
svg.mini { display: block; width: 100%; height: auto; }
svg.mini rect { fill: var(--accent); }
svg.mini line { stroke: var(--rule); }
@media print { .utterances > li { break-inside: avoid; } audio { display: none; } }
`;
