// The model card (README.md) of a converted model: what it is, where it comes from, how large it is, whose licence applies.
import { layerShapesText, type ModelConfig, samplesPerFrame } from "../models/config.ts";
import { profile } from "../models/profile.ts";
import type { ModelInfo } from "./checkpoint.types.ts";

const families: Record<ModelConfig["family"], string> = {
  hubert: "HuBERT (arXiv:2106.07447)",
  wav2vec2: "wav2vec 2.0 (arXiv:2006.11477)",
  wavlm: "WavLM (arXiv:2110.13900)",
  student: "student distilled by attention-map reuse and masking distillation (arXiv:2305.11685)",
};

const semantics = {
  exact: "exact: a reused map multiplies the values as it is, as in the paper",
  official: "official: as the released code computes it (softmax applied to a reused map again; maps mixed in batches)",
};

/** Markdown for the folder of a converted model. `source` is what the user named: a path is cut to its last part. */
export function convertedCard(
  config: ModelConfig,
  { source, info, dtype }: { readonly source: string; readonly info: ModelInfo; readonly dtype: string },
): string {
  const { parameters, macs, seconds } = profile(config, { seconds: 10 });
  const reuses = config.attentionFrom.some((from, layer) => from !== layer);
  const conv = config.conv.map(({ channels, kernel, stride }) => `(${channels}, ${kernel}, ${stride})`).join(" ");
  const rows: [string, string][] = [
    ["architecture", families[config.family]],
    ["layers, width, feed-forward, heads", `${config.layers}, ${config.dim}, ${config.ffnDim}, ${config.heads}`],
    ...(config.layerShapes
      ? [["layers after pruning (heads/feed-forward)", layerShapesText(config)] as [string, string]]
      : []),
    ["layer norm", config.normFirst ? "before each block (pre-LN)" : "after each block (post-LN)"],
    ["feature extractor (channels, kernel, stride)", conv],
    ["frame", `${((1000 * samplesPerFrame(config.conv)) / 16000).toPrecision(3)} ms`],
    [
      "attention maps",
      reuses ? `layer i uses the map of layer [${config.attentionFrom.join(", ")}]` : "each layer its own",
    ],
    ...(reuses ? [["reuse semantics", semantics[config.reuse]] as [string, string]] : []),
    ...(config.headDim === null
      ? []
      : [
          ["heads of layers", `${config.headLayers.join(", ")} (${config.dim} to ${config.headDim})`] as [
            string,
            string,
          ],
        ]),
    ["parameters", `${whole(parameters.total)} (${whole(parameters.withoutHeads)} without heads)`],
    [`multiply-accumulates of ${seconds} s`, `${(macs.total / 1e9).toFixed(2)} G`],
    ["weights stored as", dtype],
  ];
  const origin: [string, string][] = [
    ["source", source.replace(/\/+$/, "").split(/[\\/]/).slice(-2).join("/")],
    ["format", `${info.format}${info.part ? `, its ${info.part}` : ""}, ${info.storedDtype}`],
    ["left out", info.ignored.length === 0 ? "nothing" : `${info.ignored.length} entries that the model does not use`],
  ];
  const notes = info.notes.map((note) => `- ${note}\n`).join("");
  return `# ${config.family === "student" ? "Distilled student" : families[config.family].replace(/ \(.*/, "")}, ${millions(parameters.total)} parameters

Input: 16 kHz mono waveforms${config.normalizeWaveform ? ", brought to zero mean and unit variance" : ""}. Output: hidden states.

${table(rows)}

## Where it comes from
${table(origin)}
${notes && `\n${notes}`}
## Licence
This is a conversion: the licence of the source, and of the data it was trained on, applies. State it here before sharing the model.
`;
}

const whole = (value: number) => value.toLocaleString("en-US");
const millions = (value: number) => `${(value / 1e6).toFixed(2)} M`;

/** What comes from a file must not break out of its cell. */
const cell = (text: string) => text.replace(/[\r\n]+/g, " ").replace(/\|/g, "\\|");

function table(rows: readonly (readonly [string, string])[]): string {
  return ["| | |", "|---|---|", ...rows.map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`)].join("\n");
}
