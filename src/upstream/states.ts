// The numbering of hidden states, and which of them are meant: library, extraction, export and evaluation have it from here.
import { UsageError, unknownName } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";

/**
 * `hidden-states`: 0 is what layer 0 reads, k the output of the k-th layer, and the last one is after the final norm of
 * pre-LN models: the count of Hugging Face's `output_hidden_states`. `layers`: the k-th layer's output before any final
 * norm. `heads`: of students; head k reads state k, so there is no head 0.
 */
type StateKind = "hidden-states" | "layers" | "heads";

/** One state of a model. */
export interface State {
  readonly kind: StateKind;
  readonly number: number;
}

/** What a pass gives, as values of a graph or as arrays. */
export interface States<T> {
  /** 0 to `layers` of them, as counted above. */
  readonly hiddenStates: readonly T[];
  /** Output of every layer, before any final norm. */
  readonly layers: readonly T[];
  /** Head outputs, in `headLayers` order. */
  readonly heads: readonly T[];
}

/** The hidden states of an encoder's pass. */
export function hiddenStates<T>(encoded: {
  readonly encoderInput: T;
  readonly layers: readonly T[];
  /** The last layer's output after the final norm of pre-LN models. */
  readonly last: T;
}): T[] {
  return [encoded.encoderInput, ...encoded.layers.slice(0, -1), encoded.last];
}

export function stateOf<T>({ headLayers }: ModelConfig, states: States<T>, { kind, number }: State): T {
  if (kind === "heads") return states.heads[headLayers.indexOf(number - 1)];
  return kind === "layers" ? states.layers[number - 1] : states.hiddenStates[number];
}

export const hasHeads = ({ headDim, headLayers }: ModelConfig) => headDim !== null && headLayers.length > 0;

/** Every state of a kind. */
export function allStates(config: ModelConfig, kind: StateKind): State[] {
  const layers = Array.from({ length: config.layers }, (_, layer) => layer + 1);
  const numbers = { "hidden-states": [0, ...layers], layers, heads: config.headLayers.map((layer) => layer + 1) };
  return kind === "heads" && !hasHeads(config) ? [] : numbers[kind].map((number) => ({ kind, number }));
}

/** `all` or numbers. */
export type NumberChoice = "all" | readonly number[];

/**
 * The states of a kind with these numbers, in the order given.
 * @throws UsageError for one that the model has not, or that is named twice
 */
export function chooseStates(config: ModelConfig, kind: StateKind, choice: NumberChoice = "all"): State[] {
  const all = allStates(config, kind);
  if (all.length === 0) throw new UsageError("heads: the model has none; choose hidden states");
  if (choice === "all") return all;
  if (choice.length === 0) throw new UsageError("layers: name at least one");
  return choice.map((number, i) => {
    const found = all.find((state) => state.number === number);
    if (!found)
      throw new UsageError(
        `layers: no ${kind === "heads" ? "head" : "hidden state"} ${number}; valid: ${all.map((state) => state.number).join(", ")}`,
      );
    if (choice.indexOf(number) < i) throw new UsageError(`layers: ${number} is named twice in ${choice.join(",")}`);
    return found;
  });
}

/**
 * What evaluation reads. `all`: every hidden state. `layers`: outputs of the layers only, before any final norm. `heads`:
 * outputs of a student's heads. `last`: what the last layer gives, after any final norm. `auto`: heads where the model has them
 * (as arXiv:2305.11685 evaluates students), else all.
 */
export type StateChoice = "auto" | "heads" | "layers" | "all" | "last";

export const STATE_CHOICES = ["auto", "heads", "layers", "all", "last"] as const satisfies readonly StateChoice[];

/**
 * `auto` decided.
 * @throws UsageError for an unknown choice, and for heads where there are none
 */
export function resolveStates(choice: StateChoice, heads: boolean, name: string): Exclude<StateChoice, "auto"> {
  if (!STATE_CHOICES.includes(choice)) throw unknownName("states", String(choice), STATE_CHOICES);
  if (choice === "auto") return heads ? "heads" : "all";
  if (choice === "heads" && !heads)
    throw new UsageError(`${name}: states "heads": it has none; valid: all, layers, last, auto`);
  return choice;
}

/** The states of a model that a choice which is decided means. */
export function statesFor(config: ModelConfig, choice: Exclude<StateChoice, "auto">): State[] {
  if (choice === "last") return [{ kind: "hidden-states", number: config.layers }];
  return allStates(config, choice === "all" ? "hidden-states" : choice);
}

/** What evaluation calls a state: `input`, `layer 3`, `head 3`. */
export const stateLabel = ({ kind, number }: State) =>
  kind === "heads" ? `head ${number}` : number === 0 ? "input" : `layer ${number}`;

/** The output of an exported file that holds a state. Heads go by the index of their layer there. */
export const outputName = ({ kind, number }: State) =>
  kind === "heads" ? `heads.${number - 1}` : `hidden_states.${number}`;

/** The states that outputs of an exported file hold, by number. */
export function statesOfOutputs(names: readonly string[], kind: "hidden-states" | "heads"): State[] {
  const pattern = kind === "heads" ? /^heads\.(\d+)$/ : /^hidden_states\.(\d+)$/;
  return names
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map((index) => ({ kind, number: Number(index) + (kind === "heads" ? 1 : 0) }))
    .sort((a, b) => a.number - b.number);
}
