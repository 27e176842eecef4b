// The few ONNX protobuf messages we write, encoded with a wire-format library. Field numbers: onnx.proto, IR version 10.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Element types and their TensorProto.DataType numbers. */
export const DATA_TYPE = {
  float32: 1n,
  uint8: 2n,
  int8: 3n,
  int32: 6n,
  int64: 7n,
  bool: 9n,
  float16: 10n,
} as const;
export type OnnxType = keyof typeof DATA_TYPE;

/** Attribute value: bigint -> INT, number -> FLOAT, string -> STRING, bigint[] -> INTS, a Scan's body -> GRAPH. */
export type OnnxAttribute = bigint | number | string | readonly bigint[] | OnnxGraph;

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** The body of a Scan may also read names of the graph around it. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
}

export interface OnnxNode {
  readonly type: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: OnnxAttributes;
}

/** A constant. `bytes` is little-endian raw data, or its place in an external file. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array | { readonly file: string; readonly offset: number; readonly length: number };
}

/** An input or output: dimensions are sizes or symbol names. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel extends OnnxGraph {
  readonly initializers: readonly OnnxTensor[];
  readonly opset: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly producerVersion?: string;
}

type Body = (writer: BinaryWriter) => void;

function message(writer: BinaryWriter, field: number, body: Body): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

/** A StringStringEntryProto. */
function entry(writer: BinaryWriter, field: number, key: string, value: string): void {
  message(writer, field, (w) => {
    text(w, 1, key);
    text(w, 2, value);
  });
}

function varint(writer: BinaryWriter, field: number, value: number | bigint): void {
  writer.tag(field, WireType.Varint).int64(value);
}

/** Writes a value; returns its AttributeProto.AttributeType. */
function attributeValue(w: BinaryWriter, value: OnnxAttribute): number {
  if (typeof value === "number") {
    w.tag(2, WireType.Bit32).float(value);
    return 1;
  }
  if (typeof value === "bigint") {
    varint(w, 3, value);
    return 2;
  }
  if (typeof value === "string") {
    text(w, 4, value);
    return 3;
  }
  if ("nodes" in value) {
    message(w, 6, (graph) => {
      nodesOf(value)(graph);
      endsOf(value)(graph);
    });
    return 5;
  }
  for (const item of value) varint(w, 8, item);
  return 7;
}

function nodeBody(node: OnnxNode): Body {
  return (w) => {
    for (const input of node.inputs) text(w, 1, input);
    for (const output of node.outputs) text(w, 2, output);
    text(w, 3, node.name);
    text(w, 4, node.type);
    for (const [name, value] of Object.entries(node.attributes ?? {}))
      message(w, 5, (attribute) => {
        text(attribute, 1, name);
        varint(attribute, 20, attributeValue(attribute, value));
      });
    if (node.domain) text(w, 7, node.domain);
  };
}

function valueInfoBody(info: OnnxValueInfo): Body {
  return (w) => {
    text(w, 1, info.name);
    message(w, 2, (type) =>
      message(type, 1, (tensor) => {
        varint(tensor, 1, DATA_TYPE[info.type]);
        message(tensor, 2, (shape) => {
          for (const dim of info.shape)
            message(shape, 1, (d) => (typeof dim === "number" ? varint(d, 1, dim) : text(d, 2, dim)));
        });
      }),
    );
  };
}

const nodesOf =
  ({ nodes, name }: OnnxGraph): Body =>
  (w) => {
    for (const node of nodes) message(w, 1, nodeBody(node));
    text(w, 2, name);
  };

const endsOf =
  ({ inputs, outputs }: OnnxGraph): Body =>
  (w) => {
    for (const input of inputs) message(w, 11, valueInfoBody(input));
    for (const output of outputs) message(w, 12, valueInfoBody(output));
  };

/** The IR version that came with an opset, so that readers of that time accept the file; we need nothing newer than 10. */
const irVersion = (opset: number) => (opset <= 18 ? 8 : opset <= 20 ? 9 : 10);

const bytesOf = (body: Body): Uint8Array => {
  const writer = new BinaryWriter();
  body(writer);
  return writer.finish();
};

const lengthOf = (chunks: readonly Uint8Array[]) => chunks.reduce((total, chunk) => total + chunk.length, 0);

/** An initializer; raw data is a chunk of its own, not copied. */
function tensorChunks({ name, type, shape, bytes }: OnnxTensor): Uint8Array[] {
  const raw = bytes instanceof Uint8Array ? [bytes] : [];
  const head = bytesOf((w) => {
    for (const dim of shape) varint(w, 1, dim);
    varint(w, 2, DATA_TYPE[type]);
    text(w, 8, name);
    if (bytes instanceof Uint8Array) w.tag(9, WireType.LengthDelimited).uint32(bytes.byteLength);
    else {
      entry(w, 13, "location", bytes.file);
      entry(w, 13, "offset", String(bytes.offset));
      entry(w, 13, "length", String(bytes.length));
      varint(w, 14, 1);
    }
  });
  return [bytesOf((w) => w.tag(5, WireType.LengthDelimited).uint32(lengthOf([head, ...raw]))), head, ...raw];
}

/**
 * The ModelProto bytes of `model` as chunks to be written one after the other: the weights are those of the model, so a
 * large one is never in memory twice.
 */
export function encodeModelChunks(model: OnnxModel): Uint8Array[] {
  const graph = [bytesOf(nodesOf(model)), ...model.initializers.flatMap(tensorChunks), bytesOf(endsOf(model))];
  const head = bytesOf((w) => {
    varint(w, 1, irVersion(model.opset));
    text(w, 2, "stillwave");
    if (model.producerVersion) text(w, 3, model.producerVersion);
    w.tag(7, WireType.LengthDelimited).uint32(lengthOf(graph));
  });
  const tail = bytesOf((w) => {
    const domains = new Set(model.nodes.map((node) => node.domain ?? ""));
    domains.add("");
    for (const domain of domains)
      message(w, 8, (opset) => {
        text(opset, 1, domain);
        varint(opset, 2, domain === "" ? model.opset : 1);
      });
    for (const [key, value] of Object.entries(model.metadata ?? {})) entry(w, 14, key, value);
  });
  return [head, ...graph, tail];
}

/** The ModelProto bytes of `model`. */
export const encodeModel = (model: OnnxModel): Uint8Array =>
  bytesOf((w) => {
    for (const chunk of encodeModelChunks(model)) w.raw(chunk);
  });
