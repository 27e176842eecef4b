// A traced function, and where a run reads what it is fed: its inputs by name and the sizes of its dimension symbols.
import { InternalError } from "../errors.ts";
import { SymbolicDim } from "./dim.ts";
import { reachableNodes, type Value } from "./value.ts";

/** Named inputs are the `input` nodes reached from the outputs. */
export interface Graph {
  readonly name: string;
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Where a free dimension symbol can be read when the graph runs: axis `axis` of graph input `input` is `multiple` of it. */
export interface SymbolSource {
  readonly input: string;
  readonly axis: number;
  readonly multiple: number;
}

/**
 * The graph's inputs by name, in order of creation.
 * @throws InternalError where two inputs have one name
 */
export function graphInputs(graph: Graph): Map<string, Value> {
  const inputs = new Map<string, Value>();
  for (const node of reachableNodes([...graph.outputs.values()])) {
    if (node.op !== "input") continue;
    const { name } = node.attributes;
    if (inputs.has(name)) throw new InternalError(`two graph inputs are named "${name}"`);
    inputs.set(name, node.outputs[0]);
  }
  return inputs;
}

/** Where each free dimension symbol can be read: the first input axis that is exactly that symbol, or else a multiple of it. */
export function symbolSources(inputs: ReadonlyMap<string, Value>): Map<string, SymbolSource> {
  const exact = new Map<string, SymbolSource>();
  const multiples = new Map<string, SymbolSource>();
  for (const [input, value] of inputs)
    value.shape.forEach((dim, axis) => {
      if (!(dim instanceof SymbolicDim) || dim.terms.length !== 1) return;
      const { coefficient, symbols } = dim.terms[0];
      const [only] = symbols;
      if (symbols.length !== 1 || only.quotient || coefficient < 1) return;
      const found = coefficient === 1 ? exact : multiples;
      if (!found.has(only.key)) found.set(only.key, { input, axis, multiple: coefficient });
    });
  return new Map([...multiples, ...exact]);
}
