// TensorBoard event files: TFRecord framing around Event protobufs; scalars, and what plugins keep as tensors.
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { StillwaveError } from "../errors.ts";
import { diskError } from "../files.ts";
import type { MetricsRow } from "./metrics.types.ts";
import { loggedRow } from "./rows.ts";

/** Of tensorflow/core/framework/types.proto. */
const DT_FLOAT = 1;
const DT_STRING = 7;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

/** CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** TFRecord stores checksums rotated and offset, so that a checksum over data with checksums in it stays useful. */
function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record: length (uint64), masked CRC of the length, data, masked CRC of the data; little endian. */
function frameRecord(data: Uint8Array): Buffer {
  const record = Buffer.alloc(data.length + 16);
  record.writeUInt32LE(data.length, 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc(data), 12 + data.length);
  return record;
}

/**
 * A record with one Event of tensorflow/core/util/event.proto: wall_time 1, step 2, and one of file_version 3, summary 5,
 * session_log 7.
 */
function event(wallTime: number, step: number, field: 3 | 5 | 7, payload: (message: BinaryWriter) => void): Buffer {
  const message = new BinaryWriter();
  message.tag(1, WireType.Bit64).double(wallTime).tag(2, WireType.Varint).int64(step);
  message.tag(field, WireType.LengthDelimited).fork();
  payload(message);
  return frameRecord(message.join().finish());
}

export interface EventWriter {
  readonly path: string;
  /**
   * Appends the row's scalars as one event, with one write.
   * @throws StillwaveError where the disk refuses
   */
  write(row: MetricsRow): void;
  /** Appends scalars of one step as one event. */
  scalars(step: number, values: Iterable<readonly [tag: string, value: number]>): void;
  /** Appends what a plugin of TensorBoard keeps under a tag: its message, or a text (Markdown). */
  data(tag: string, plugin: string, content: Uint8Array | string): void;
  close(): void;
}

export interface EventWriterOptions {
  /** On resume: TensorBoard drops what earlier files of the folder say about this step and later ones (checkpoint's step + 1). */
  readonly purgeStep?: number;
  /** Unix seconds; for tests. */
  readonly now?: () => number;
  readonly host?: string;
}

/** Starts a new event file `events.out.tfevents.<unix seconds>.<host>` in `folder`: one for each (re)start of a run. */
export function openEventWriter(folder: string, options: EventWriterOptions = {}): EventWriter {
  const now = options.now ?? (() => Date.now() / 1000);
  const host = (options.host ?? hostname()).replace(/[^\w.-]/g, "_") || "localhost";
  const name = `events.out.tfevents.${String(Math.floor(now())).padStart(10, "0")}.${host}`;
  const { file, path } = createNew(folder, name);
  let open = true;
  const append = (bytes: Uint8Array) => {
    if (!open) throw new StillwaveError(`${path}: event file is already closed`);
    try {
      writeFileSync(file, bytes);
    } catch (error) {
      throw diskError(error, path);
    }
  };
  const scalars: EventWriter["scalars"] = (step, values) =>
    append(
      event(now(), step, 5, (summary) => {
        for (const [tag, value] of values) {
          summary.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(tag);
          // what float32 cannot hold becomes an infinity; the library would refuse it
          summary.tag(2, WireType.Bit32).float(Math.fround(value)).join();
        }
      }),
    );
  append(event(now(), options.purgeStep ?? 0, 3, (version) => version.raw(Buffer.from("brain.Event:2"))));
  if (options.purgeStep !== undefined)
    append(event(now(), options.purgeStep, 7, (start) => start.tag(1, WireType.Varint).int32(1)));
  return {
    path,
    scalars,
    data: (tag, plugin, content) => append(event(now(), 0, 5, (summary) => pluginValue(summary, tag, plugin, content))),
    write: (row) => scalars(row.step, Object.entries(loggedRow(row).values)),
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

/** A Summary.Value: tag 1, tensor 8, metadata 9 with the plugin's name and message. A message has an empty tensor beside it. */
function pluginValue(summary: BinaryWriter, tag: string, plugin: string, content: Uint8Array | string): void {
  const isText = typeof content === "string";
  const message = (field: number, body: () => void) => {
    summary.tag(field, WireType.LengthDelimited).fork();
    body();
    summary.join();
  };
  message(1, () => {
    summary.tag(1, WireType.LengthDelimited).string(tag);
    message(8, () => {
      summary.tag(1, WireType.Varint).int32(isText ? DT_STRING : DT_FLOAT);
      message(2, () => message(2, () => summary.tag(1, WireType.Varint).int64(isText ? 1 : 0)));
      if (isText) summary.tag(8, WireType.LengthDelimited).string(content);
    });
    message(9, () =>
      message(1, () => {
        summary.tag(1, WireType.LengthDelimited).string(plugin);
        if (!isText) summary.tag(2, WireType.LengthDelimited).bytes(content);
      }),
    );
  });
}

/** A restart within the same second gets `.1`, `.2`, ... appended, which TensorBoard reads after the first. */
function createNew(folder: string, name: string): { file: number; path: string } {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw diskError(error, folder);
  }
  for (let attempt = 0; ; attempt++) {
    const path = join(folder, attempt ? `${name}.${attempt}` : name);
    try {
      return { file: openSync(path, "wx"), path };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST" && attempt < 1000) continue;
      throw diskError(error, path);
    }
  }
}
