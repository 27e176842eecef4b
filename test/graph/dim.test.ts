// Dimension algebra: whatever is built symbolically evaluates to the same arithmetic on numbers, and equal sizes are equal keys.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dim } from "../../src/graph/dim.ts";
import {
  addDims,
  equalDims,
  equalShapes,
  evaluateDim,
  evaluateShape,
  floorDivDim,
  mulDims,
  SymbolicDim,
  showShape,
  sizeOfShape,
  subDims,
  symbol,
} from "../../src/graph/dim.ts";

const NAMES = ["batch", "time", "b"] as const;
const [B, T] = [symbol("batch"), symbol("time")];

type Sizes = ReadonlyMap<string, number>;
interface Expression {
  readonly dim: Dim;
  readonly at: (sizes: Sizes) => number;
}

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map((n) => ({ dim: n, at: () => n })),
  fc.constantFrom(...NAMES).map((name) => ({ dim: symbol(name), at: (s: Sizes) => s.get(name)! })),
);
/** Random arithmetic, floors of negative numerators included. */
const { expression } = fc.letrec<{ expression: Expression }>((tie) => {
  const pair = fc.tuple(tie("expression"), tie("expression"));
  return {
    expression: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      pair.map(([a, b]) => ({ dim: addDims(a.dim, b.dim), at: (s: Sizes) => a.at(s) + b.at(s) })),
      pair.map(([a, b]) => ({ dim: subDims(a.dim, b.dim), at: (s: Sizes) => a.at(s) - b.at(s) })),
      pair.map(([a, b]) => ({ dim: mulDims(a.dim, b.dim), at: (s: Sizes) => a.at(s) * b.at(s) })),
      fc
        .tuple(tie("expression"), fc.integer({ min: 1, max: 6 }))
        .map(([a, by]) => ({ dim: floorDivDim(a.dim, by), at: (s: Sizes) => Math.floor(a.at(s) / by) })),
    ),
  };
});
const sizes = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }))
  .map((numbers) => new Map(NAMES.map((name, i) => [name as string, numbers[i]])));

describe("identities", () => {
  test("a symbolic expression evaluates as the numbers do", () => {
    fc.assert(
      fc.property(expression, sizes, ({ dim, at }, s) => {
        fc.pre(Math.abs(at(s)) < 2 ** 40);
        expect(evaluateDim(dim, s) + 0).toBe(at(s) + 0);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });

  test("sums and products commute, associate and distribute; differences cancel", () => {
    fc.assert(
      fc.property(expression, expression, expression, ({ dim: x }, { dim: y }, { dim: z }) => {
        expect(equalDims(addDims(x, y), addDims(y, x))).toBe(true);
        expect(equalDims(mulDims(x, y), mulDims(y, x))).toBe(true);
        expect(equalDims(addDims(addDims(x, y), z), addDims(x, y, z))).toBe(true);
        expect(equalDims(mulDims(x, addDims(y, z)), addDims(mulDims(x, y), mulDims(x, z)))).toBe(true);
        expect(equalDims(subDims(addDims(x, y), y), x)).toBe(true);
        expect(subDims(x, x)).toBe(0);
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  test("equal keys are equal sizes, and different polynomials have different keys", () => {
    expect(equalDims(mulDims(addDims(B, T), subDims(B, T)), subDims(mulDims(B, B), mulDims(T, T)))).toBe(true);
    expect(equalDims(B, T)).toBe(false);
    expect(equalDims(B, 1)).toBe(false);
    expect(equalDims(mulDims(2, B), addDims(B, T))).toBe(false);
    expect(equalDims(addDims(B, 1), addDims(B, 2))).toBe(false);
    expect(equalDims(floorDivDim(T, 2), floorDivDim(T, 3))).toBe(false);
  });

  test("every coefficient is an integer and no term is zero", () => {
    fc.assert(
      fc.property(expression, ({ dim }) => {
        const coefficients = dim instanceof SymbolicDim ? dim.terms.map((term) => term.coefficient) : [];
        expect(coefficients.every((n) => Number.isInteger(n) && n !== 0)).toBe(true);
        expect(dim instanceof SymbolicDim || Number.isInteger(dim)).toBe(true);
      }),
      { numRuns: 200, seed: 3 },
    );
  });
});

describe("floor division", () => {
  test("multiples of the divisor leave the floor", () => {
    fc.assert(
      fc.property(expression, expression, fc.integer({ min: 1, max: 7 }), ({ dim: x }, { dim: y }, by) => {
        expect(equalDims(floorDivDim(mulDims(by, x), by), x)).toBe(true);
        expect(equalDims(floorDivDim(addDims(mulDims(by, x), y), by), addDims(x, floorDivDim(y, by)))).toBe(true);
      }),
      { numRuns: 200, seed: 4 },
    );
    expect(equalDims(floorDivDim(addDims(mulDims(2, T), 1), 2), T)).toBe(true);
    expect(equalDims(addDims(floorDivDim(addDims(T, -1), 2), 1), floorDivDim(addDims(T, 1), 2))).toBe(true);
  });

  test("a convolution too long for its input has the size that arithmetic says, not that of truncation", () => {
    const frames = addDims(floorDivDim(addDims(T, -10), 5), 1);
    expect(evaluateDim(frames, new Map([["time", 4]]))).toBe(-1);
  });

  test("a divisor that is no positive integer is a bug", () => {
    for (const divisor of [0, -2, 1.5, Number.NaN])
      expect(() => floorDivDim(T, divisor)).toThrow("internal: floorDivDim");
  });
});

describe("shapes", () => {
  test("sizes, equality and evaluation", () => {
    expect(sizeOfShape([])).toBe(1);
    expect(sizeOfShape([2, 3])).toBe(6);
    expect(equalDims(sizeOfShape([B, 2, T]), mulDims(T, 2, B))).toBe(true);
    expect(equalShapes([B, 2], [B, 2])).toBe(true);
    expect(equalShapes([B, 2], [B, 2, 1])).toBe(false);
    expect(evaluateShape([B, mulDims(B, T), 3], new Map([["batch", 2], ["time", 5]]))).toEqual([2, 10, 3]); // biome-ignore format: one line
  });

  test("a symbol without a size is named", () => {
    expect(() => evaluateDim(addDims(T, 1), new Map())).toThrow('internal: dimension symbol "time" has no size');
  });

  test("a symbol's name is an identifier", () => {
    for (const name of ["", "a*b", "a+b", "2x", "[x]"]) expect(() => symbol(name)).toThrow("is no identifier");
  });

  test("printing", () => {
    expect(showShape([B, 2, T])).toBe("[batch, 2, time]");
    expect(String(addDims(mulDims(B, T), 3))).toBe("3+batch*time");
    expect(String(subDims(mulDims(11, T), B))).toBe("-batch+11*time");
    expect(String(subDims(5, T))).toBe("5-time");
    expect(String(floorDivDim(addDims(T, 1), 2))).toBe("[(1+time)/2]");
  });
});
