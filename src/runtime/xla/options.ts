// Options of clients and compilations as the interface takes them.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { NAMED_VALUE, NAMED_VALUE_TYPE } from "./layout.ts";
import type { PjrtPlugin, Struct } from "./plugin.ts";

/** Of a client: bigint for int64, number for float. */
export type ClientOptions = Readonly<Record<string, bigint | number | boolean | string>>;

const message = (writer: BinaryWriter, field: number, write: (writer: BinaryWriter) => void): BinaryWriter => {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  return writer.join();
};
const integer = (writer: BinaryWriter, field: number, value: number): BinaryWriter =>
  writer.tag(field, WireType.Varint).int32(value);

/**
 * CompileOptionsProto of as many replicas as there are devices, one partition each; one replica runs where its arguments
 * are. Fields: executable_build_options 3 { num_replicas 4, num_partitions 5, device_assignment 9 { replica_count 1,
 * computation_count 2, computation_devices 3 { replica_device_ids 1 } } }.
 */
export function compileOptions(deviceIds: readonly number[]): Uint8Array {
  const assignment = (writer: BinaryWriter) => {
    integer(writer, 1, deviceIds.length);
    integer(writer, 2, 1);
    message(writer, 3, (devices) =>
      message(devices, 1, (ids) => {
        for (const id of deviceIds) ids.int64(id);
      }),
    );
  };
  return message(new BinaryWriter(), 3, (build) => {
    integer(build, 4, deviceIds.length);
    integer(build, 5, 1);
    if (deviceIds.length > 1) message(build, 9, assignment);
  }).finish();
}

/** Of one replica on whichever device a run names. compile_portable_executable 4 */
export const PORTABLE_OPTIONS: Uint8Array = new Uint8Array([...compileOptions([0]), 0x20, 0x01]);

/** An array of PJRT_NamedValue. */
export function namedValues(plugin: PjrtPlugin, options: ClientOptions): Struct {
  const structs = Object.entries(options).map(([key, value]) => namedValue(plugin, key, value));
  // One after the other: an array's structs are its elements.
  return {
    bytes: Buffer.concat(structs.map(({ bytes }) => bytes)),
    pointsTo: structs.flatMap(({ pointsTo }) => pointsTo),
  };
}

function namedValue(plugin: PjrtPlugin, key: string, value: ClientOptions[string]): Struct {
  const name = Buffer.from(key);
  const named = { name, name_size: name.length };
  const of = (type: keyof typeof NAMED_VALUE_TYPE, value: bigint | number | Buffer, valueSize = 1) =>
    plugin.struct(NAMED_VALUE, { ...named, type: { i32: NAMED_VALUE_TYPE[type] }, value, value_size: valueSize });
  if (typeof value === "boolean") return of("bool", value ? 1 : 0);
  if (typeof value === "bigint") return of("int64", BigInt.asUintN(64, value));
  if (typeof value === "string") return of("string", Buffer.from(value), Buffer.byteLength(value));
  const bits = Buffer.alloc(4);
  bits.writeFloatLE(value);
  return of("float", bits.readUInt32LE());
}
