// Names, constants and dimension arithmetic while a graph becomes ONNX nodes.
import { InternalError } from "../errors.ts";
import { type Dim, type Shape, SymbolicDim } from "../graph/dim.ts";
import type { SymbolSource } from "../graph/graph.ts";
import type { NodeOf, Value } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";
import type { OnnxAttributes, OnnxNode, OnnxTensor } from "./proto.ts";

/** What the ONNX is written for. */
export interface OnnxTarget {
  /** Version of the standard operators, 17 or later. */
  readonly opset: number;
  /** Standard operators only; false: also com.microsoft's, which only ONNX Runtime has. */
  readonly standard: boolean;
  /** Names for constants; the others are numbered. */
  readonly constantNames?: ReadonlyMap<Value, string>;
}

/** Names that the emitter gives; inputs and outputs may not have such names. */
export const INTERNAL_NAME = /^_[vtc]\d/;

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly target: OnnxTarget;
  private readonly valueNames = new Map<Value, string>();
  private readonly constants = new Map<string, string>();
  private readonly dimNames = new Map<string, string>();
  private readonly symbols: ReadonlyMap<string, SymbolSource>;
  /** The values that some node or the caller reads; the others need not be computed. */
  readonly read: ReadonlySet<Value>;
  private count = 0;

  constructor(symbols: ReadonlyMap<string, SymbolSource>, target: OnnxTarget, read: ReadonlySet<Value>) {
    this.symbols = symbols;
    this.target = target;
    this.read = read;
  }

  /** Gives a value its name before or after it was produced. */
  bind(value: Value, name: string): void {
    this.valueNames.set(value, name);
  }

  isBound(value: Value): boolean {
    return this.valueNames.has(value);
  }

  name(value: Value): string {
    const name = this.valueNames.get(value);
    if (name === undefined) throw new InternalError(`${value.node.op} was used before it was lowered`);
    return name;
  }

  names(values: readonly Value[]): string[] {
    return values.map((value) => this.name(value));
  }

  /** One ONNX node whose outputs are the outputs of `node`. */
  to(
    { outputs }: NodeOf<OpName>,
    type: string,
    inputs: readonly string[],
    attributes: OnnxAttributes = {},
    domain = "",
  ): void {
    const names = this.outputNames(outputs);
    this.nodes.push({ type, domain, name: `${type}_${this.count++}`, inputs, outputs: names, attributes });
  }

  /** The names of outputs of one node, given now where they have none. */
  outputNames(outputs: readonly Value[]): string[] {
    return outputs.map((value) => {
      const name = this.valueNames.get(value) ?? `_v${this.count}${outputs.length > 1 ? `_${value.index}` : ""}`;
      this.bind(value, name);
      return name;
    });
  }

  /** A number that no other call got, for the names of a Scan and inside its body. */
  unique(): number {
    return this.count++;
  }

  /** An intermediate ONNX node with one output; returns its name. */
  op(type: string, inputs: readonly string[], attributes: OnnxAttributes = {}): string {
    const output = `_t${this.count}`;
    this.nodes.push({ type, name: `${type}_${this.count++}`, inputs, outputs: [output], attributes });
    return output;
  }

  private initializer(key: string, tensor: Omit<OnnxTensor, "name">, given?: string): string {
    let name = this.constants.get(key);
    if (name === undefined) {
      name = given ?? `_c${this.constants.size}`;
      this.constants.set(key, name);
      this.initializers.push({ ...tensor, name });
    }
    return name;
  }

  /** A float32 constant of rank 0. */
  float(value: number): string {
    const bytes = new Uint8Array(Float32Array.of(value).buffer);
    return this.initializer(`f${value}`, { type: "float32", shape: [], bytes });
  }

  int64(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.initializer(`i[${values}]`, { type: "int64", shape: [values.length], bytes });
  }

  int64Scalar(value: number): string {
    const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    return this.initializer(`i${value}`, { type: "int64", shape: [], bytes });
  }

  constant({ id, attributes, outputs: [value] }: NodeOf<"constant">): void {
    const { data } = attributes;
    const { shape, dtype: type } = attributes.type;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const given = this.target.constantNames?.get(value);
    const key = data.length === 1 && !given ? `${type}[${shape}]${data[0]}` : `v${id}`;
    this.bind(value, this.initializer(key, { type, shape, bytes }, given));
  }

  /** A shape as an int64 tensor [rank]: a constant, or computed from the sizes of the inputs. */
  dims(shape: Shape): string {
    if (shape.every((dim) => typeof dim === "number")) return this.int64(shape);
    if (shape.length === 1) return this.dim(shape[0]);
    const concat = () => this.op("Concat", shape.map((dim) => this.dim(dim)), { axis: 0n }); // biome-ignore format: one line
    return this.once(`d[${shape.join(",")}]`, concat);
  }

  /** The name of what `make` makes of the sizes of the inputs, which is made once. */
  private once(key: string, make: () => string): string {
    const name = this.dimNames.get(key) ?? make();
    this.dimNames.set(key, name);
    return name;
  }

  /** The target of a Reshape: -1 stands for the only symbolic size. */
  reshapeTarget(shape: Shape): string {
    const symbolic = shape.filter((dim) => typeof dim !== "number").length;
    if (symbolic === 1 && !shape.includes(0))
      return this.int64(shape.map((dim) => (typeof dim === "number" ? dim : -1)));
    return this.dims(shape);
  }

  /** One dimension as an int64 tensor [1]. */
  private dim(dim: Dim): string {
    if (!(dim instanceof SymbolicDim)) return this.int64([dim]);
    return this.once(dim.key, () => {
      const terms = dim.terms.map(({ coefficient, symbols }) => {
        const factors = symbols.map(({ key, quotient }) =>
          quotient
            ? this.op("Div", [this.dim(quotient.numerator), this.int64([quotient.divisor])])
            : this.once(`s:${key}`, () => this.symbol(key)),
        );
        if (coefficient !== 1 || factors.length === 0) factors.push(this.int64([coefficient]));
        return factors.reduce((a, b) => this.op("Mul", [a, b]));
      });
      return terms.reduce((a, b) => this.op("Add", [a, b]));
    });
  }

  private symbol(key: string): string {
    const source = this.symbols.get(key);
    if (!source) throw new InternalError(`no graph input has an axis of size "${key}"`);
    const start = BigInt(source.axis);
    const size = this.op("Shape", [source.input], { start, end: start + 1n });
    return source.multiple === 1 ? size : this.op("Div", [size, this.int64([source.multiple])]);
  }
}
