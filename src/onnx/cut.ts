// A part of an ONNX model as a model of its own: what leads from some of its tensors to others. Nothing of it is computed anew.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { StillwaveError } from "../errors.ts";

/** A float32 tensor inside a model, with the number of its axes. */
export interface CutPoint {
  readonly name: string;
  readonly rank: number;
}

/** From where to where a model is cut. */
export interface Cut {
  /** Tensors that are fed; what comes before them is left out. */
  readonly from: readonly CutPoint[];
  readonly to: readonly CutPoint[];
}

/** Fields of onnx.proto that are read. */
const MODEL = { graph: 7 } as const;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, attribute: 5 } as const;
const ATTRIBUTE_GRAPHS: readonly number[] = [6, 11];
const TENSOR = { name: 8, external: 13 } as const;
const VALUE = { name: 1 } as const;
const FLOAT = 1;
/** Graphs within graphs, at most. */
const DEEPEST = 16;

/** A message's fields that have a length; `whole`: with number and length. */
interface Field {
  readonly number: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

function* fieldsOf(bytes: Uint8Array): Generator<Field, void, undefined> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wire] = reader.tag();
    let content = bytes.subarray(0, 0);
    if (wire === WireType.LengthDelimited) content = reader.bytes();
    else reader.skip(wire, number);
    yield { number, content, whole: bytes.subarray(start, reader.pos) };
  }
}

const decoder = new TextDecoder();

const textsOf = (bytes: Uint8Array, wanted: number): string[] =>
  [...fieldsOf(bytes)].filter(({ number }) => number === wanted).map(({ content }) => decoder.decode(content));

interface Node {
  readonly whole: Uint8Array;
  /** Names that it reads, those of graphs inside it among them. */
  readonly reads: readonly string[];
  readonly makes: readonly string[];
}

function readsOf(node: Uint8Array, depth: number): string[] {
  if (depth > DEEPEST) throw new Error("graphs within graphs without end");
  const reads: string[] = [];
  for (const { number, content } of fieldsOf(node)) {
    if (number === NODE.input) reads.push(decoder.decode(content));
    if (number !== NODE.attribute) continue;
    for (const value of fieldsOf(content))
      if (ATTRIBUTE_GRAPHS.includes(value.number))
        for (const inner of fieldsOf(value.content))
          if (inner.number === GRAPH.node) reads.push(...readsOf(inner.content, depth + 1));
  }
  return reads;
}

interface Parts {
  /** Fields of the model around its graph. */
  readonly around: readonly Uint8Array[];
  readonly name: readonly Uint8Array[];
  readonly nodes: readonly Node[];
  /** By name, whole. */
  readonly initializers: ReadonlyMap<string, Field>;
  readonly inputs: ReadonlyMap<string, Field>;
}

function partsOf(bytes: Uint8Array): Parts {
  const around: Uint8Array[] = [];
  let graph: Uint8Array | undefined;
  for (const { number, content, whole } of fieldsOf(bytes))
    if (number === MODEL.graph) graph = content;
    else around.push(whole);
  if (!graph) throw new Error("no graph in it");
  const name: Uint8Array[] = [];
  const nodes: Node[] = [];
  const [initializers, inputs] = [new Map<string, Field>(), new Map<string, Field>()];
  for (const field of fieldsOf(graph)) {
    const { number, content, whole } = field;
    if (number === GRAPH.node) nodes.push({ whole, reads: readsOf(content, 0), makes: textsOf(content, NODE.output) });
    else if (number === GRAPH.name) name.push(whole);
    else if (number === GRAPH.initializer) initializers.set(textsOf(content, TENSOR.name)[0] ?? "", field);
    else if (number === GRAPH.input) inputs.set(textsOf(content, VALUE.name)[0] ?? "", field);
  }
  return { around, name, nodes, initializers, inputs };
}

/** The nodes that lead from `from` to `to`, in their order, and all that they read. */
function between(
  nodes: readonly Node[],
  { from, to }: Cut,
): { readonly kept: readonly Node[]; readonly read: ReadonlySet<string> } {
  const makers = new Map(nodes.flatMap((node) => node.makes.map((name): [string, Node] => [name, node])));
  const fed = new Set(from.map(({ name }) => name));
  const kept = new Set<Node>();
  const read = new Set<string>();
  const wanted = to.map(({ name }) => name);
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    read.add(name);
    const maker = fed.has(name) ? undefined : makers.get(name);
    if (!maker || kept.has(maker)) continue;
    kept.add(maker);
    wanted.push(...maker.reads);
  }
  return { kept: nodes.filter((node) => kept.has(node)), read };
}

function writeMessage(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
}

/** A ValueInfoProto of float32 with free sizes. */
function writePoint(writer: BinaryWriter, field: number, { name, rank }: CutPoint): void {
  writeMessage(writer, field, () => {
    writer.tag(1, WireType.LengthDelimited).string(name);
    writeMessage(writer, 2, () =>
      writeMessage(writer, 1, () => {
        writer.tag(1, WireType.Varint).int64(FLOAT);
        writeMessage(writer, 2, () => {
          for (let axis = 0; axis < rank; axis++)
            writeMessage(writer, 1, () => writer.tag(2, WireType.LengthDelimited).string(`${name}.${axis}`));
        });
      }),
    );
  });
}

/**
 * The model between `from` and `to`. Inputs of the whole stay inputs where what is left reads them.
 * @param where names the file in errors
 * @throws StillwaveError for bytes that are no ONNX model, one without these tensors, and one whose weights lie in other files
 */
export function cutOnnx(bytes: Uint8Array, cut: Cut, where: string): Uint8Array {
  let parts: Parts;
  try {
    parts = partsOf(bytes);
  } catch (error) {
    throw new StillwaveError(`${where}: not an ONNX file, or not all of it (${(error as Error).message})`);
  }
  const there = new Set(parts.nodes.flatMap(({ makes }) => makes));
  for (const { name } of [...cut.from, ...cut.to])
    if (!there.has(name) && !parts.inputs.has(name)) throw new StillwaveError(`${where}: no tensor "${name}" in it`);
  const { kept, read } = between(parts.nodes, cut);
  const initializers = [...parts.initializers].filter(([name]) => read.has(name));
  for (const [name, { content }] of initializers)
    for (const { number } of fieldsOf(content))
      if (number === TENSOR.external)
        throw new StillwaveError(`${where}: its weights ("${name}") lie in another file; export it as one file`);
  const fed = new Set(cut.from.map(({ name }) => name));
  const inputs = [...parts.inputs].filter(([name]) => read.has(name) && !fed.has(name));
  const writer = new BinaryWriter();
  for (const field of parts.around) writer.raw(field);
  writeMessage(writer, MODEL.graph, () => {
    for (const field of parts.name) writer.raw(field);
    for (const { whole } of kept) writer.raw(whole);
    for (const [, { whole }] of initializers) writer.raw(whole);
    for (const [, { whole }] of inputs) writer.raw(whole);
    for (const point of cut.from) writePoint(writer, GRAPH.input, point);
    for (const point of cut.to) writePoint(writer, GRAPH.output, point);
  });
  return writer.finish();
}
