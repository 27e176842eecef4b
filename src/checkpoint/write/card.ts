// The model card (README.md) of a converted model: what it is, where it comes from, how large it is, whose licence applies.
import { layerShapesText, type ModelConfig, SAMPLE_RATE_HZ, samplesPerFrame } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";
import { publicName, publicText } from "../../public-names.ts";
import type { ModelInfo } from "../checkpoint.types.ts";
import { loadingCall } from "../read/config/huggingface.ts";
import { modelFrontMatter, modelName, splitCard } from "./front-matter.ts";
import { trainingRows } from "./training-rows.ts";

const FAMILIES: Record<ModelConfig["family"], string> = {
  hubert: "HuBERT (arXiv:2106.07447)",
  wav2vec2: "wav2vec 2.0 (arXiv:2006.11477)",
  wavlm: "WavLM (arXiv:2110.13900)",
  student: "student distilled by attention-map reuse and masking distillation (arXiv:2305.11685)",
};

const SEMANTICS = {
  exact: "exact: a reused map multiplies the values as it is, as in the paper",
  official: "official: as the released code computes it (softmax applied to a reused map again; maps mixed in batches)",
};

export interface CardSource {
  /** What the user named: a path is cut to its last parts. */
  readonly source: string;
  readonly info: ModelInfo;
  readonly dtype: string;
  /** Settings that a Lightning checkpoint of the released distillation code records. */
  readonly settings?: unknown;
  /** README.md of the source. */
  readonly card?: string;
  /** Of the source, where it states one. */
  readonly license?: string;
}

/**
 * Markdown for the folder of a converted model; a card of the source is kept below what the conversion says, its front
 * matter above.
 */
export function convertedCard(config: ModelConfig, from: CardSource): string {
  const { source, info, dtype, settings, card, license } = from;
  const { parameters, macs, seconds } = profile(config, { seconds: 10 });
  const reuses = config.attentionFrom.some((from, layer) => from !== layer);
  const conv = config.conv.map(({ channels, kernel, stride }) => `(${channels}, ${kernel}, ${stride})`).join(" ");
  const reused = reuses ? `layer i uses the map of layer [${config.attentionFrom.join(", ")}]` : "each layer its own";
  const heads = `${config.headLayers.join(", ")} (${config.dim} to ${config.headDim})`;
  const rows: Row[] = [
    ["architecture", FAMILIES[config.family]],
    ["layers, width, feed-forward, heads", `${config.layers}, ${config.dim}, ${config.ffnDim}, ${config.heads}`],
    ["layers after pruning (heads/feed-forward)", config.layerShapes && layerShapesText(config)],
    ["layer norm", config.normFirst ? "before each block (pre-LN)" : "after each block (post-LN)"],
    ["feature extractor (channels, kernel, stride)", conv],
    ["frame", `${((1000 * samplesPerFrame(config.conv)) / SAMPLE_RATE_HZ).toPrecision(3)} ms`],
    ["attention maps", reused],
    ["reuse semantics", reuses ? SEMANTICS[config.reuse] : undefined],
    ["heads of layers", config.headDim === null ? undefined : heads],
    ["parameters", `${whole(parameters.total)} (${whole(parameters.withoutHeads)} without heads)`],
    [`multiply-accumulates of ${seconds} s`, `${(macs.total / 1e9).toFixed(2)} G`],
    ["weights stored as", dtype],
  ];
  const origin: Row[] = [
    ["source", publicName(source)],
    ["format", `${info.format}${info.part ? `, its ${info.part}` : ""}, ${info.storedDtype}`],
    ["left out", info.ignored.length === 0 ? "nothing" : `${info.ignored.length} entries that the model does not use`],
  ];
  const notes = info.notes.map((note) => `- ${publicText(note)}\n`).join("");
  const training = trainingRows(settings);
  const [ownMatter, ownBody] = splitCard(publicText(card ?? ""));
  const kept = lowerHeadings(ownBody);
  const facts = { license, baseModels: [modelName(info)], tags: config.family === "student" ? ["distillation"] : [] };
  return `${ownMatter || modelFrontMatter(config, facts)}# ${config.family === "student" ? "Distilled student" : FAMILIES[config.family].replace(/ \(.*/, "")}, ${millions(parameters.total)} parameters

Input: 16 kHz mono waveforms${config.normalizeWaveform ? ", brought to zero mean and unit variance" : ""}. Output: hidden states.
\`${loadingCall(config)}\` of transformers reads this folder.

${table(rows)}

## Where it comes from
${table(origin)}
${notes && `\n${notes}`}${training.length > 0 ? `\n## How it was trained\nAs the checkpoint's settings say.\n\n${table(training)}\n` : ""}
## Licence
This is a conversion: the licence of the source, and of ${training.length > 0 ? "its teacher and of " : ""}the data it was trained on, applies. State it here before sharing the model.
${kept && `\n## Card of the source\nThe model was converted: weights are stored as ${dtype} here. What follows is the card that came with the source.\n\n${kept}\n`}`;
}

/** Markdown with its headings two levels down. */
function lowerHeadings(text: string): string {
  let fenced = false;
  const lines = text.trim().split("\n");
  const lowered = lines.map((line) => {
    if (/^ {0,3}(```|~~~)/.test(line)) fenced = !fenced;
    return fenced
      ? line
      : line.replace(/^(#{1,6}) /, (_, marks: string) => `${"#".repeat(Math.min(6, marks.length + 2))} `);
  });
  return lowered.join("\n");
}

const whole = (value: number) => value.toLocaleString("en-US");
const millions = (value: number) => `${(value / 1e6).toFixed(2)} M`;

/** What comes from a file must not break out of its cell. */
const cell = (text: string) => text.replace(/[\r\n]+/g, " ").replace(/\|/g, "\\|");

/** What is named, and its value; rows without one are left out. */
type Row = readonly [name: string, value: string | undefined];

function table(rows: readonly Row[]): string {
  const lines = rows.flatMap(([name, value]) => (value === undefined ? [] : `| ${cell(name)} | ${cell(value)} |`));
  return ["| | |", "|---|---|", ...lines].join("\n");
}
