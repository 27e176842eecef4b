// StableHLO operations as lines of text in generic form. Every size is a number: XLA compiles for fixed shapes.
import { InternalError } from "../errors.ts";
import type { DType } from "../graph/array.ts";

export const ELEMENT_TYPE = {
  float32: "f32",
  float16: "f16",
  int64: "i64",
  uint8: "ui8",
  bool: "i1",
} as const satisfies Record<DType, string>;

export type ElementType = (typeof ELEMENT_TYPE)[DType] | "bf16" | "i16" | "i32" | "ui16" | "ui32" | "ui64";

/** Types whose literals are the bit patterns of float32; the two halves are reached by conversion. */
const isFloat = (type: ElementType): boolean => type === "f32" || type === "f16" || type === "bf16";

/** A value of the program. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/** What an operation gives. */
type Result = Pick<Tensor, "shape" | "type">;

export const showResult = ({ shape, type }: Result): string => `tensor<${[...shape, type].join("x")}>`;
const showResults = (results: readonly Result[]) => results.map(showResult).join(", ");

/** `array<i64: 1, 2>`; an empty one has no colon. */
export const array = (list: readonly number[]): string =>
  list.length > 0 ? `array<i64: ${list.join(", ")}>` : "array<i64>";

/** The number of float32 in hexadecimal, exact also for infinities. */
function floatLiteral(value: number): string {
  const bits = Buffer.alloc(4);
  bits.writeFloatBE(value);
  return `0x${bits.toString("hex").toUpperCase()}`;
}

/** Shape of two broadcast operands, as numpy has it. */
function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    return x === 1 ? y : x;
  });
}

export type Binary = "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum" | "and";
export type Comparison = "LT" | "GT" | "EQ";

/** Writes operations one after the other, each result under a new name. */
export class Emitter {
  readonly lines: string[] = [];
  private constants = new Map<string, Tensor>();
  private next = 0;

  /** One operation with one result. */
  op(
    type: string,
    inputs: readonly Tensor[],
    result: Result,
    attributes = "",
    regions: readonly string[] = [],
  ): Tensor {
    return this.ops(type, inputs, [result], attributes, regions)[0];
  }

  /** One operation with several results. */
  ops(
    type: string,
    inputs: readonly Tensor[],
    results: readonly Result[],
    attributes = "",
    regions: readonly string[] = [],
  ): Tensor[] {
    const name = `%${this.next++}`;
    const operation = type.includes(".") ? type : `stablehlo.${type}`;
    const nested = regions.length > 0 ? ` (${regions.map((region) => `{ ${region} }`).join(", ")})` : "";
    const types = `(${showResults(inputs)}) -> (${showResults(results)})`;
    const many = results.length > 1 ? `:${results.length}` : "";
    const operands = inputs.map((input) => input.name).join(", ");
    this.lines.push(
      `${name}${many} = "${operation}"(${operands})${nested}${attributes && ` {${attributes}}`} : ${types}`,
    );
    return results.map(({ shape, type: own }, i) => ({ name: many ? `${name}#${i}` : name, shape, type: own }));
  }

  /** The operations that `build` writes, as the region of another operation with these arguments. */
  region(argumentTypes: readonly Result[], build: (args: readonly Tensor[]) => readonly Tensor[]): string {
    const args = argumentTypes.map(({ shape, type }) => ({ name: `%${this.next++}`, shape, type }));
    const [from, outer] = [this.lines.length, this.constants];
    // a loop's region may not read what lies around it, and what it makes is not there outside of it
    this.constants = new Map();
    const results = build(args);
    const body = this.lines.splice(from);
    this.constants = outer;
    const header = args.map((arg) => `${arg.name}: ${showResult(arg)}`).join(", ");
    const names = results.map(({ name }) => name).join(", ");
    return `^bb0(${header}): ${body.join(" ")} "stablehlo.return"(${names}) : (${showResults(results)}) -> ()`;
  }

  /** A rank 0 constant. */
  scalar(value: number | bigint, type: ElementType = "f32"): Tensor {
    if (isFloat(type) && type !== "f32") return this.convert(this.scalar(value), type);
    const literal = type === "f32" ? floatLiteral(Number(value)) : String(value);
    const key = `${type} ${literal}`;
    const known = this.constants.get(key);
    if (known) return known;
    const made = this.op("constant", [], { shape: [], type }, `value = dense<${literal}> : tensor<${type}>`);
    this.constants.set(key, made);
    return made;
  }

  constant({
    shape,
    data,
  }: {
    readonly shape: readonly number[];
    readonly data: Float32Array | BigInt64Array;
  }): Tensor {
    const type = data instanceof Float32Array ? "f32" : "i64";
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const one = data instanceof Float32Array ? floatLiteral(data[0]) : String(data[0]);
    const literal = data.length === 1 ? one : data.length === 0 ? "" : `"0x${bytes.toString("hex").toUpperCase()}"`;
    return this.op("constant", [], { shape, type }, `value = dense<${literal}> : ${showResult({ shape, type })}`);
  }

  /** `x` with the leading axes and the repetitions that `shape` has, as numpy broadcasts. */
  broadcast(x: Tensor, shape: readonly number[]): Tensor {
    if (x.shape.join() === shape.join()) return x;
    const offset = shape.length - x.shape.length;
    const axes = array(x.shape.map((_, i) => i + offset));
    return this.op("broadcast_in_dim", [x], { shape, type: x.type }, `broadcast_dimensions = ${axes}`);
  }

  /** `value` in the shape and type of `x`. */
  like(value: number, x: Tensor): Tensor {
    return this.broadcast(this.scalar(value, x.type), x.shape);
  }

  unary(type: string, x: Tensor): Tensor {
    return this.op(type, [x], x);
  }

  binary(type: Binary, a: Tensor, b: Tensor): Tensor {
    const shape = broadcastShape(a.shape, b.shape);
    return this.op(type, [this.broadcast(a, shape), this.broadcast(b, shape)], { shape, type: a.type });
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.binary("add", a, b);
  }

  subtract(a: Tensor, b: Tensor): Tensor {
    return this.binary("subtract", a, b);
  }

  /** The product of several factors, from the left. */
  multiply(...factors: readonly Tensor[]): Tensor {
    return factors.reduce((a, b) => this.binary("multiply", a, b));
  }

  scale(x: Tensor, factor: number): Tensor {
    return factor === 1 ? x : this.multiply(x, this.like(factor, x));
  }

  compare(a: Tensor, direction: Comparison, b: Tensor): Tensor {
    const shape = broadcastShape(a.shape, b.shape);
    const operands = [this.broadcast(a, shape), this.broadcast(b, shape)];
    const attribute = `comparison_direction = #stablehlo<comparison_direction ${direction}>`;
    return this.op("compare", operands, { shape, type: "i1" }, attribute);
  }

  /** Elements of `yes` where `condition` (i1, of their shape or rank 0), else of `no`. */
  select(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
    return this.op("select", [condition, yes, no], yes);
  }

  convert(x: Tensor, type: ElementType): Tensor {
    return x.type === type ? x : this.op("convert", [x], { shape: x.shape, type });
  }

  reshape(x: Tensor, shape: readonly number[]): Tensor {
    return x.shape.join() === shape.join() ? x : this.op("reshape", [x], { shape, type: x.type });
  }

  transpose(x: Tensor, permutation: readonly number[]): Tensor {
    const shape = permutation.map((axis) => x.shape[axis]);
    return this.op("transpose", [x], { shape, type: x.type }, `permutation = ${array(permutation)}`);
  }

  /** Entries [start, end) of one axis. */
  slice(x: Tensor, axis: number, start: number, end: number): Tensor {
    const at = (value: number, other: (size: number) => number) =>
      array(x.shape.map((size, i) => (i === axis ? value : other(size))));
    const shape = x.shape.map((size, i) => (i === axis ? end - start : size));
    const range = `start_indices = ${at(start, () => 0)}, limit_indices = ${at(end, (size) => size)}`;
    return this.op("slice", [x], { shape, type: x.type }, `${range}, strides = ${array(x.shape.map(() => 1))}`);
  }

  /** Zeros before and after along one axis; negative crops. */
  pad(x: Tensor, axis: number, before: number, after: number): Tensor {
    if (before === 0 && after === 0) return x;
    const at = (count: number) => array(x.shape.map((_, i) => (i === axis ? count : 0)));
    const shape = x.shape.map((size, i) => (i === axis ? size + before + after : size));
    const edges = `edge_padding_low = ${at(before)}, edge_padding_high = ${at(after)}, interior_padding = ${at(0)}`;
    return this.op("pad", [x, this.scalar(0, x.type)], { shape, type: x.type }, edges);
  }

  concatenate(parts: readonly Tensor[], axis: number): Tensor {
    const size = parts.reduce((sum, { shape }) => sum + shape[axis], 0);
    const shape = parts[0].shape.map((own, i) => (i === axis ? size : own));
    return this.op("concatenate", parts, { shape, type: parts[0].type }, `dimension = ${axis} : i64`);
  }

  /** The sum over the replicas that run the program together. */
  allReduce(x: Tensor, replicas: number): Tensor {
    if (replicas === 1) return x;
    const group = Array.from({ length: replicas }, (_, i) => i).join(", ");
    const attributes =
      `replica_groups = dense<[[${group}]]> : tensor<1x${replicas}xi64>, ` +
      "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>";
    // flat: XLA joins sums of several arrays into one, and does not keep the layouts of other ranks apart
    const flat = this.reshape(x, [x.shape.reduce((product, size) => product * size, 1)]);
    return this.reshape(this.op("all_reduce", [flat], flat, attributes, [this.combiner("add", x.type)]), x.shape);
  }

  /** A region that combines two scalars: what reductions and scatters take. */
  combiner(kind: "add" | "maximum", type: ElementType): string {
    const result = { shape: [], type };
    return this.region([result, result], ([a, b]) => [this.binary(kind, a, b)]);
  }

  reduce(kind: "add" | "maximum", x: Tensor, axes: readonly number[], keepDims = false): Tensor {
    const shape = x.shape.filter((_, i) => !axes.includes(i));
    const reduced = this.op(
      "reduce",
      [x, this.neutral(kind, x.type)],
      { shape, type: x.type },
      `dimensions = ${array(axes)}`,
      [this.combiner(kind, x.type)],
    );
    return keepDims
      ? this.reshape(
          reduced,
          x.shape.map((size, i) => (axes.includes(i) ? 1 : size)),
        )
      : reduced;
  }

  private neutral(kind: "add" | "maximum", type: ElementType): Tensor {
    if (kind === "add") return this.scalar(0, type);
    if (isFloat(type)) return this.scalar(Number.NEGATIVE_INFINITY, type);
    throw new InternalError(`the maximum of ${type} is not lowered`);
  }
}
