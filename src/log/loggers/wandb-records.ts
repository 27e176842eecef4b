// The records of a .wandb file (wandb/proto/wandb_internal.proto of W&B) and the log that holds them (LevelDB's, checksums aside).
import { crc32 } from "node:zlib";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { LoggedRow } from "../logger.ts";

/** What the records of a run say about it. */
export interface WandbRun {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly jobType: string;
  readonly project: string;
  readonly entity: string;
  readonly tags: readonly string[];
  readonly host: string;
  readonly startMs: number;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of the version that writes. */
  readonly producer: string;
}

type Body = (writer: BinaryWriter) => void;

function message(writer: BinaryWriter, field: number, body: Body): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

/** Left out where it is empty, which is the default of proto3. */
function text(writer: BinaryWriter, field: number, value: string): void {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

const varint = (writer: BinaryWriter, field: number, value: number): void => {
  writer.tag(field, WireType.Varint).int64(value);
};

/** JSON as W&B has it: with NaN and infinities as bare words. */
function looseJson(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return JSON.stringify(value) ?? "null";
}

/** An item of config, history or summary: key 1 (or nested_key 2), value_json 16. */
const item = (writer: BinaryWriter, field: number, [key, value]: readonly [string, unknown], keyField: 1 | 2): void =>
  message(writer, field, (w) => {
    text(w, keyField, key);
    text(w, 16, looseJson(value));
  });

/** Makes the records of a run, numbered from 1. */
export function wandbRecords(run: WandbRun) {
  let count = 0;
  /** A Record: num 1, and one of history 2, summary 3, run 17, exit 18, header 21. */
  const record = (field: number, body: Body): Uint8Array => {
    const writer = new BinaryWriter();
    varint(writer, 1, ++count);
    message(writer, field, body);
    return writer.finish();
  };
  return {
    /** version_info 1: producer 1, min_consumer 2. */
    header: () =>
      record(21, (w) =>
        message(w, 1, (version) => {
          text(version, 1, `stillwave ${run.producer}`);
          text(version, 2, "0.0.1");
        }),
      ),
    run: () => record(17, (w) => writeRun(w, run)),
    /** item 1, step 2 {num 1}. A row's own scalars stand beside W&B's, whose names begin with `_`. */
    history: ({ step, seconds, epoch, values }: LoggedRow, unixSeconds: number) =>
      record(2, (w) => {
        const own = { _step: step, _runtime: seconds, _timestamp: unixSeconds, ...(epoch !== undefined && { epoch }) };
        for (const entry of Object.entries({ ...values, ...own })) item(w, 1, entry, 2);
        message(w, 2, (place) => varint(place, 1, step));
      }),
    /** update 1 */
    summary: (values: Readonly<Record<string, unknown>>) =>
      record(3, (w) => {
        for (const entry of Object.entries(values)) item(w, 1, entry, 2);
      }),
    /** exit_code 1 */
    exit: (code: number) =>
      record(18, (w) => {
        if (code !== 0) varint(w, 1, code);
      }),
  };
}

/**
 * run_id 1, entity 2, project 3, config 4 {update 1}, run_group 6, job_type 7, display_name 8, tags 10, host 13, start_time 17
 * {seconds 1, nanos 2}.
 */
function writeRun(w: BinaryWriter, run: WandbRun): void {
  text(w, 1, run.id);
  text(w, 2, run.entity);
  text(w, 3, run.project);
  message(w, 4, (config) => {
    for (const entry of Object.entries(run.settings)) item(config, 1, entry, 1);
  });
  text(w, 6, run.group);
  text(w, 7, run.jobType);
  text(w, 8, run.name);
  for (const tag of run.tags) text(w, 10, tag);
  text(w, 13, run.host);
  message(w, 17, (time) => {
    varint(time, 1, Math.floor(run.startMs / 1000));
    varint(time, 2, (run.startMs % 1000) * 1e6);
  });
}

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
/** Types of a piece of a record. */
const PIECE = { full: 1, first: 2, middle: 3, last: 4 } as const;

/**
 * Frames records one after another: blocks of 32 KiB of pieces, each a CRC-32 of type and data (uint32), a length (uint16) and a
 * type (uint8), little endian. No piece crosses the end of a block, whose last bytes are zero where no header fits. Before them
 * stand `:W&B`, 0xbee1 and version 0.
 */
export class RecordLog {
  private offset = 0;

  /** What the file begins with. */
  begin(): Uint8Array {
    const header = Buffer.from(":W&B\xe1\xbe\0", "latin1");
    this.offset = header.length;
    return header;
  }

  framed(record: Uint8Array): Uint8Array {
    const pieces: Uint8Array[] = [];
    let done = 0;
    for (let isWhole = false, isFirst = true; !isWhole; ) {
      const room = BLOCK_BYTES - (this.offset % BLOCK_BYTES);
      if (room < HEADER_BYTES) {
        pieces.push(new Uint8Array(room));
        this.offset += room;
        continue;
      }
      const data = record.subarray(done, done + room - HEADER_BYTES);
      done += data.length;
      isWhole = done === record.length;
      pieces.push(
        framedPiece(data, isFirst ? (isWhole ? PIECE.full : PIECE.first) : isWhole ? PIECE.last : PIECE.middle),
      );
      isFirst = false;
      this.offset += HEADER_BYTES + data.length;
    }
    return Buffer.concat(pieces);
  }
}

function framedPiece(data: Uint8Array, type: number): Uint8Array {
  const piece = Buffer.alloc(HEADER_BYTES + data.length);
  piece.writeUInt16LE(data.length, 4);
  piece[6] = type;
  piece.set(data, HEADER_BYTES);
  piece.writeUInt32LE(crc32(piece.subarray(6)), 0);
  return piece;
}
