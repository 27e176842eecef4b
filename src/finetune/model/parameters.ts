// The parameters of an upstream and a head that are trained together: one flat buffer, part after part.
import type { HostArray, Parameters } from "../../graph/array.ts";
import { sizeOf } from "../../graph/array.ts";
import type { ModelConfig } from "../../models/config.ts";
import { isOfConv, type ModelWeights, type ParameterSpec, parameterSpecs } from "../../models/parameters.ts";
import type { HeadConfig, HeadInput } from "../../superb/heads/config.ts";
import { headParameters } from "../../superb/heads/parameters.ts";

/** What has a learning rate of its own: the convolutions, everything of the upstream behind them, the head. */
export type Part = "frontEnd" | "upstream" | "head";
export const PARTS: readonly Part[] = ["frontEnd", "upstream", "head"];

/** Prefixes of names, so that upstream and head share a buffer and a checkpoint. */
export const PREFIXES = { upstream: "upstream", head: "head" } as const;

/** Running means of a BatchNorm are what it has seen, and are not learnt by gradients. */
const STATISTIC = /\.running_(mean|var)$/;

export interface JointModel {
  readonly config: ModelConfig;
  readonly head: HeadConfig;
  readonly input: HeadInput;
}

const partOf = (name: string): Part => (isOfConv(name) ? "frontEnd" : "upstream");

/** Every parameter: the front end's, those of the upstream behind it, the head's. */
export function jointSpecs({ config, head, input }: JointModel): (ParameterSpec & { readonly part: Part })[] {
  const upstream = parameterSpecs(config).map(({ name, shape }) => {
    return { name: `${PREFIXES.upstream}.${name}`, shape, part: partOf(name) };
  });
  const own = headParameters(head, input).map(({ name, shape }) => {
    return { name: `${PREFIXES.head}.${name}`, shape, part: "head" as const };
  });
  return PARTS.flatMap((part) => [...upstream, ...own].filter((spec) => spec.part === part));
}

/** Whether gradients may move a parameter at all. */
export const isLearnt = (name: string): boolean => !STATISTIC.test(name);

/** Weights of both under their common names. */
export const joined = ({ parameters }: ModelWeights, head: Parameters): Parameters =>
  new Map([
    ...[...parameters].map(([name, array]): [string, HostArray] => [`${PREFIXES.upstream}.${name}`, array]),
    ...[...head].map(([name, array]): [string, HostArray] => [`${PREFIXES.head}.${name}`, array]),
  ]);

/** The parameters of one of them under their own names, in the order of its specs. */
function own(parameters: Parameters, prefix: string, specs: readonly { readonly name: string }[]): Parameters {
  return new Map(specs.map(({ name }) => [name, parameters.get(`${prefix}.${name}`) as HostArray]));
}

export const upstreamOf = (parameters: Parameters, { config }: JointModel): Parameters =>
  own(parameters, PREFIXES.upstream, parameterSpecs(config));

export const headOf = (parameters: Parameters, { head, input }: JointModel): Parameters =>
  own(parameters, PREFIXES.head, headParameters(head, input));

/** Where parts begin and end in the flat buffer. */
export function partRanges(model: JointModel): Record<Part, { readonly start: number; readonly end: number }> {
  const ranges: Partial<Record<Part, { start: number; end: number }>> = {};
  let at = 0;
  for (const { part, shape } of jointSpecs(model)) {
    const range = ranges[part] ?? { start: at, end: at };
    at += sizeOf(shape);
    ranges[part] = { ...range, end: at };
  }
  return ranges as Record<Part, { start: number; end: number }>;
}
