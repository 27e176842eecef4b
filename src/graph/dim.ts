// Dimensions: a number, or a polynomial over symbols known only when the graph runs (batch, samples, frames).
import { InternalError } from "../errors.ts";

/**
 * A symbol: the size of an axis of a graph input, or floor(numerator / divisor) of another dimension.
 * Two symbols with one key are the same size.
 */
interface DimSymbol {
  readonly key: string;
  readonly quotient?: { readonly numerator: Dim; readonly divisor: number };
}

interface DimTerm {
  readonly coefficient: number;
  readonly symbols: readonly DimSymbol[];
}

/** Sum of coefficient * product of symbols; terms sorted by key, no zero coefficients, so that equal means identical keys. */
export class SymbolicDim {
  readonly terms: readonly DimTerm[];
  readonly key: string;

  constructor(terms: readonly DimTerm[]) {
    this.terms = terms;
    this.key = terms
      .map(({ coefficient, symbols }) => [coefficient, ...symbols.map((symbol) => symbol.key)].join("*"))
      .join("+");
  }

  toString(): string {
    return this.key.replaceAll("+-", "-").replace(/(^|[-+(])1\*/g, "$1");
  }
}

export type Dim = number | SymbolicDim;
export type Shape = readonly Dim[];

function simplify(terms: readonly DimTerm[]): Dim {
  const byKey = new Map<string, DimTerm>();
  for (const { coefficient, symbols } of terms) {
    const sorted = [...symbols].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const key = sorted.map((symbol) => symbol.key).join("*");
    byKey.set(key, { coefficient: coefficient + (byKey.get(key)?.coefficient ?? 0), symbols: sorted });
  }
  const kept = [...byKey.entries()]
    .filter(([, term]) => term.coefficient !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, term]) => term);
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0].symbols.length === 0) return kept[0].coefficient;
  return new SymbolicDim(kept);
}

const termsOf = (dim: Dim): readonly DimTerm[] =>
  typeof dim === "number" ? [{ coefficient: dim, symbols: [] }] : dim.terms;

/** A free symbol, the size of an input's axis: `symbol("batch")`. */
export function symbol(name: string): Dim {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new InternalError(`dimension symbol "${name}" is no identifier`);
  return new SymbolicDim([{ coefficient: 1, symbols: [{ key: name }] }]);
}

export function addDims(...dims: Dim[]): Dim {
  if (dims.every((dim) => typeof dim === "number")) return dims.reduce((sum, dim) => sum + dim, 0);
  return simplify(dims.flatMap(termsOf));
}

export function mulDims(...dims: Dim[]): Dim {
  const factor = dims.reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : product), 1);
  const [first, ...others] = dims.filter((dim) => typeof dim !== "number");
  if (!first) return factor;
  if (factor === 0) return 0;
  const scaled = first.terms.map((term) => ({ ...term, coefficient: factor * term.coefficient }));
  if (others.length === 0) return factor === 1 ? first : new SymbolicDim(scaled);
  const times = (terms: readonly DimTerm[], { terms: by }: SymbolicDim): DimTerm[] =>
    terms.flatMap((a) =>
      by.map((b) => ({ coefficient: a.coefficient * b.coefficient, symbols: [...a.symbols, ...b.symbols] })),
    );
  return simplify(others.reduce(times, scaled));
}

export const subDims = (a: Dim, b: Dim): Dim => addDims(a, mulDims(-1, b));

/**
 * floor(numerator / divisor). Multiples of the divisor are taken out of the floor, so that equal sizes have equal keys and
 * what stays inside is never negative (runtimes divide towards zero).
 */
export function floorDivDim(numerator: Dim, divisor: number): Dim {
  if (!Number.isInteger(divisor) || divisor < 1) throw new InternalError(`floorDivDim: divisor ${divisor}`);
  if (divisor === 1) return numerator;
  if (typeof numerator === "number") return Math.floor(numerator / divisor);
  const { terms } = numerator;
  const whole = simplify(terms.map((term) => ({ ...term, coefficient: Math.floor(term.coefficient / divisor) })));
  const rest = subDims(numerator, mulDims(divisor, whole));
  if (typeof rest === "number") return whole; // less than the divisor
  const atom: DimSymbol = { key: `[(${rest.key})/${divisor}]`, quotient: { numerator: rest, divisor } };
  return addDims(whole, new SymbolicDim([{ coefficient: 1, symbols: [atom] }]));
}

export function equalDims(a: Dim, b: Dim): boolean {
  return a === b || (a instanceof SymbolicDim && b instanceof SymbolicDim && a.key === b.key);
}

export const equalShapes = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((dim, i) => equalDims(dim, b[i]));

/** Number of elements. */
export const sizeOfShape = (shape: Shape): Dim => mulDims(...shape);

export const showShape = (shape: Shape): string => `[${shape.map(String).join(", ")}]`;

/** The number that a dimension is for every run. */
export function fixedDim(dim: Dim): number {
  if (typeof dim !== "number") throw new InternalError(`expected a fixed dimension, got ${dim}`);
  return dim;
}

/** The number that a dimension is once every free symbol has a size. */
export function evaluateDim(dim: Dim, sizes: ReadonlyMap<string, number>): number {
  if (typeof dim === "number") return dim;
  return dim.terms.reduce((sum, { coefficient, symbols }) => {
    let product = coefficient;
    for (const { key, quotient } of symbols) {
      if (quotient) product *= Math.floor(evaluateDim(quotient.numerator, sizes) / quotient.divisor);
      else {
        const size = sizes.get(key);
        if (size === undefined) throw new InternalError(`dimension symbol "${key}" has no size`);
        product *= size;
      }
    }
    return sum + product;
  }, 0);
}

/** The shape of a run, all numbers. */
export const evaluateShape = (shape: Shape, sizes: ReadonlyMap<string, number>): number[] =>
  shape.map((dim) => evaluateDim(dim, sizes));
