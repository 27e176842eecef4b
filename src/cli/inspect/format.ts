// An inspection as text for a terminal.
import { printable } from "../../log/format.ts";
import { layerShapesText, type ModelConfig } from "../../models/config.ts";
import type { BlockProfile } from "../../models/profile.ts";
import { formatTable } from "../table.ts";
import type { Inspection } from "./subject.ts";

const KINDS: Record<Inspection["kind"], string> = {
  recipe: "student of a recipe",
  checkpoint: "checkpoint",
  published: "published model",
};

export function formatInspection(inspection: Inspection): string {
  const { profile, reference, architecture } = inspection;
  const { parameters, macs, seconds, frames } = profile;
  const lines = [
    `${printable(inspection.subject)}: ${KINDS[inspection.kind]}${inspection.format ? `, ${inspection.format}` : ""}`,
    ...describeArchitecture(architecture).map((line) => `  ${line}`),
    ...describeRest(inspection).map((line) => `  ${line}`),
    "",
    blockTable(parameters.byBlock, architecture),
    "",
    `parameters  ${whole(parameters.total)} in total, ${whole(parameters.withoutHeads)} without heads (heads ${whole(parameters.heads)})`,
    `MACs        ${giga(macs.total)} in total, ${giga(macs.withoutHeads)} without heads, for ${seconds} s (${whole(frames)} frames)`,
    "            (convolutions, linear layers, the two products of attention, heads; no norms or activations)",
  ];
  if (reference)
    lines.push(
      `share       ${percent(reference.share.parameters)} of the parameters and ${percent(reference.share.macs)} of the MACs of ` +
        `${reference.name} (${whole(reference.parameters)}; ${giga(reference.macs)})`,
    );
  return lines.join("\n");
}

function describeArchitecture(config: ModelConfig): string[] {
  const { layers, dim, ffnDim, heads, posConv, attentionFrom } = config;
  const conv = config.conv.map(({ channels, kernel, stride }) => `(${channels},${kernel},${stride})`).join(" ");
  const reuses = attentionFrom.some((source, layer) => source !== layer);
  const position = config.relativePosition
    ? `, gated relative position bias (${config.relativePosition.buckets} buckets, up to ${config.relativePosition.maxDistance} frames)`
    : "";
  return [
    `family      ${config.family}: ${layers} layers, width ${dim}, FFN ${ffnDim}, ${heads} heads, ${config.normFirst ? "pre-LN" : "post-LN"}`,
    ...(config.layerShapes ? [`pruned      heads/FFN by layer: ${layerShapesText(config)}`] : []),
    `conv        ${conv}, ${config.convNorm === "group" ? "GroupNorm after the first" : "LayerNorm after each"}${config.convBias ? ", with bias" : ""}${config.channelScale ? ", channels scaled" : ""}${config.featureProjection ? ", then a projection" : ""}`,
    `position    convolution of ${posConv.kernel} frames in ${posConv.groups} groups${posConv.batchNorm ? ", behind a BatchNorm" : ""}${position}`,
    `attention   ${reuses ? `map of layer i from layer [${attentionFrom.join(", ")}]` : "every layer computes its own map"}`,
    ...(config.normalizeWaveform ? ["input       waveform brought to zero mean and unit variance"] : []),
    ...(config.headDim === null ? [] : [`heads       ${config.headLayers.length}, ${dim} -> ${config.headDim}`]),
  ];
}

function describeRest({ semantics, tensors, dtype, ignored, notes }: Inspection): string[] {
  const lines: string[] = [];
  if (semantics.reuse) lines.push(`semantics   ${semantics.reuse} reuse`);
  if (semantics.countPaddedFrames !== undefined)
    lines.push(
      `training    padded frames ${semantics.countPaddedFrames ? "in" : "not in"} the loss, weight decay ${semantics.weightDecay}`,
    );
  if (tensors) lines.push(`tensors     ${tensors.stored} in the file, ${tensors.used} used`);
  if (dtype) lines.push(`dtype       ${dtype}`);
  if (ignored.length) lines.push(`ignored     ${printable(ignored.slice(0, 8).join(", "))}${more(ignored.length - 8)}`);
  for (const note of notes) lines.push(`note        ${printable(note)}`);
  return lines;
}

function blockTable(blocks: readonly BlockProfile[], config: ModelConfig): string {
  const rows = blocks.map(({ name, parameters, macs, shape, attentionFrom }) => {
    const own = !/^layer \d+$/.test(name) ? "" : shape?.heads === 0 ? "none" : "own";
    const map = attentionFrom === undefined ? own : `of layer ${attentionFrom} (${config.reuse})`;
    return [name, whole(parameters), macs ? giga(macs) : "", map];
  });
  return formatTable(["block", "parameters", "MACs", "attention map"], rows);
}

const whole = (value: number) => value.toLocaleString("en-US");
const giga = (value: number) => (value >= 1e9 ? `${(value / 1e9).toFixed(2)} G` : `${(value / 1e6).toFixed(2)} M`);
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
const more = (count: number) => (count > 0 ? `, and ${count} more` : "");
