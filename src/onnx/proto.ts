// The few ONNX protobuf messages we write, encoded with a wire-format library. Field numbers: onnx.proto, IR version 10.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Element types and their TensorProto.DataType numbers. */
export const DATA_TYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type OnnxType = keyof typeof DATA_TYPE;

/** Attribute value: bigint -> INT, number -> FLOAT, string -> STRING, bigint[] -> INTS, and messages. */
export type OnnxAttribute = bigint | number | string | readonly bigint[] | OnnxTensor | OnnxGraph;

/** The body of a Scan; it may also read names of the graph around it. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
}

export interface OnnxNode {
  readonly type: string;
  readonly domain?: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
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

function varint(writer: BinaryWriter, field: number, value: number | bigint): void {
  writer.tag(field, WireType.Varint).int64(value);
}

/** Everything of a tensor up to its raw bytes, their length included. */
function tensorHead(tensor: OnnxTensor): Body {
  return (w) => {
    for (const dim of tensor.shape) varint(w, 1, dim);
    varint(w, 2, DATA_TYPE[tensor.type]);
    text(w, 8, tensor.name);
    if (tensor.bytes instanceof Uint8Array) w.tag(9, WireType.LengthDelimited).uint32(tensor.bytes.byteLength);
  };
}

function tensorBody(tensor: OnnxTensor): Body {
  return (w) => {
    tensorHead(tensor)(w);
    const { bytes } = tensor;
    if (bytes instanceof Uint8Array) {
      w.raw(bytes);
      return;
    }
    for (const [key, value] of [
      ["location", bytes.file],
      ["offset", String(bytes.offset)],
      ["length", String(bytes.length)],
    ] as const)
      message(w, 13, (e) => {
        text(e, 1, key);
        text(e, 2, value);
      });
    varint(w, 14, 1);
  };
}

const ATTRIBUTE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, ints: 7 } as const;

function attributeKind(value: OnnxAttribute): keyof typeof ATTRIBUTE {
  if (typeof value === "number") return "float";
  if (typeof value === "bigint") return "int";
  if (typeof value === "string") return "string";
  if ("bytes" in value) return "tensor";
  return "nodes" in value ? "graph" : "ints";
}

function attributeBody(name: string, value: OnnxAttribute): Body {
  return (w) => {
    text(w, 1, name);
    if (typeof value === "number") w.tag(2, WireType.Bit32).float(value);
    else if (typeof value === "bigint") varint(w, 3, value);
    else if (typeof value === "string") text(w, 4, value);
    else if ("bytes" in value) message(w, 5, tensorBody(value));
    else if ("nodes" in value) message(w, 6, graphBody(value));
    else for (const item of value) varint(w, 8, item);
    varint(w, 20, ATTRIBUTE[attributeKind(value)]);
  };
}

function nodeBody(node: OnnxNode): Body {
  return (w) => {
    for (const input of node.inputs) text(w, 1, input);
    for (const output of node.outputs) text(w, 2, output);
    text(w, 3, node.name);
    text(w, 4, node.type);
    for (const [name, value] of Object.entries(node.attributes ?? {})) message(w, 5, attributeBody(name, value));
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

function graphBody({ nodes, name, initializers, inputs, outputs }: OnnxGraph): Body {
  return (w) => {
    for (const node of nodes) message(w, 1, nodeBody(node));
    text(w, 2, name);
    for (const tensor of initializers) message(w, 5, tensorBody(tensor));
    for (const input of inputs) message(w, 11, valueInfoBody(input));
    for (const output of outputs) message(w, 12, valueInfoBody(output));
  };
}

/** The IR version that came with an opset, so that readers of that time accept the file; we need nothing newer than 10. */
const irVersion = (opset: number) => (opset <= 18 ? 8 : opset <= 20 ? 9 : 10);

const bytesOf = (body: Body): Uint8Array => {
  const writer = new BinaryWriter();
  body(writer);
  return writer.finish();
};

/** A repeated tensor field; raw data is a chunk of its own, not copied. */
function tensorChunks(field: number, tensor: OnnxTensor): Uint8Array[] {
  const { bytes } = tensor;
  if (!(bytes instanceof Uint8Array)) return [bytesOf((w) => message(w, field, tensorBody(tensor)))];
  const head = bytesOf(tensorHead(tensor));
  return [bytesOf((w) => w.tag(field, WireType.LengthDelimited).uint32(head.length + bytes.byteLength)), head, bytes];
}

/**
 * The ModelProto bytes of `model` as chunks to be written one after the other: the weights are those of the model, so a
 * large one is never in memory twice.
 */
export function encodeModelChunks(model: OnnxModel): Uint8Array[] {
  const graph = [
    bytesOf((w) => {
      for (const node of model.nodes) message(w, 1, nodeBody(node));
      text(w, 2, model.name);
    }),
    ...model.initializers.flatMap((tensor) => tensorChunks(5, tensor)),
    bytesOf((w) => {
      for (const input of model.inputs) message(w, 11, valueInfoBody(input));
      for (const output of model.outputs) message(w, 12, valueInfoBody(output));
    }),
  ];
  const head = bytesOf((w) => {
    varint(w, 1, irVersion(model.opset));
    text(w, 2, "stillwave");
    if (model.producerVersion) text(w, 3, model.producerVersion);
    w.tag(7, WireType.LengthDelimited).uint32(graph.reduce((total, chunk) => total + chunk.length, 0));
  });
  const tail = bytesOf((w) => {
    const domains = new Set(model.nodes.map((node) => node.domain ?? ""));
    domains.add("");
    for (const domain of domains)
      message(w, 8, (opset) => {
        text(opset, 1, domain);
        varint(opset, 2, domain === "" ? model.opset : 1);
      });
    for (const [key, value] of Object.entries(model.metadata ?? {}))
      message(w, 14, (entry) => {
        text(entry, 1, key);
        text(entry, 2, value);
      });
  });
  return [head, ...graph, tail];
}

/** The ModelProto bytes of `model`. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const chunks = encodeModelChunks(model);
  const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
