// Which hidden states of a model heads are trained on, and what each is called.
import { UsageError, unknownName } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import type { Extraction } from "./inference.ts";

/**
 * `all`: what layer 1 reads, then the output of every layer, the last one after the final norm of pre-LN models (as Hugging
 * Face and s3prl count). `layers`: outputs of the layers only, before any final norm. `heads`: outputs of a student's
 * heads. `auto`: heads where the model has them (as arXiv:2305.11685 evaluates students), else all.
 */
export type StateChoice = "auto" | "heads" | "layers" | "all";

const CHOICES: readonly StateChoice[] = ["auto", "heads", "layers", "all"];

/**
 * `auto` decided.
 * @throws UsageError for an unknown choice, and for heads where there are none
 */
export function resolveStates(choice: StateChoice, hasHeads: boolean, name: string): Exclude<StateChoice, "auto"> {
  if (!CHOICES.includes(choice)) throw unknownName("states", String(choice), CHOICES);
  if (choice === "auto") return hasHeads ? "heads" : "all";
  if (choice === "heads" && !hasHeads)
    throw new UsageError(`${name}: states "heads": it has none; valid: all, layers, auto`);
  return choice;
}

export const headName = (layer: number) => `head ${layer + 1}`;
export const layerName = (layer: number) => (layer === 0 ? "input" : `layer ${layer}`);

export const hasHeads = ({ headDim, headLayers }: ModelConfig) => headDim !== null && headLayers.length > 0;

/** Names of the chosen states, in order, and their width. */
export function describeStates(
  config: ModelConfig,
  states: Exclude<StateChoice, "auto">,
): { readonly layers: readonly string[]; readonly dim: number } {
  if (states === "heads") return { layers: config.headLayers.map(headName), dim: config.headDim! };
  const layers = Array.from({ length: config.layers + 1 }, (_, layer) => layerName(layer));
  return { layers: states === "all" ? layers : layers.slice(1), dim: config.dim };
}

/** The chosen states of a batch, each [items, time, dim], in the order of `describeStates`. */
export function chosenStates(out: Extraction, states: Exclude<StateChoice, "auto">): readonly HostArray[] {
  if (states === "heads") return out.heads;
  if (states === "layers") return out.layers;
  return [out.encoderInput, ...out.layers.slice(0, -1), out.last];
}
