// Messages between two processes over a socket: a name and bytes each, and signs of life in between.
import type { Socket } from "node:net";
import { StillwaveError } from "../errors.ts";

export interface Message {
  readonly name: string;
  readonly body: Uint8Array;
}

/** Lengths of name and body, 32 bits each. */
const HEADER_BYTES = 8;
const MAX_NAME_BYTES = 512;
const BEAT = "beat";
const BEAT_MS = 10_000;
const SILENT_AFTER_MS = 120_000;

/** Cuts a stream into messages. */
export class MessageReader {
  /** Of a body; strangers get less than those who have shown who they are. */
  maxBytes: number;
  private readonly header = Buffer.alloc(HEADER_BYTES);
  private content: Buffer | undefined;
  private filled = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** The messages that are whole now. @throws StillwaveError where the stream is none of messages */
  *push(chunk: Uint8Array): Iterable<Message> {
    for (let at = 0; at < chunk.length; ) {
      const target = this.content ?? this.header;
      const taken = chunk.subarray(at, at + target.length - this.filled);
      target.set(taken, this.filled);
      this.filled += taken.length;
      at += taken.length;
      if (this.filled === target.length) {
        const message = this.whole();
        if (message) yield message;
      }
    }
  }

  private whole(): Message | undefined {
    const { content, header } = this;
    const [nameBytes, bodyBytes] = [header.readUInt32LE(0), header.readUInt32LE(4)];
    this.filled = 0;
    if (!content) {
      if (nameBytes === 0 || nameBytes > MAX_NAME_BYTES || bodyBytes > this.maxBytes)
        throw new StillwaveError("not the words of a process of this run");
      this.content = Buffer.alloc(nameBytes + bodyBytes);
      return undefined;
    }
    this.content = undefined;
    return { name: content.toString("utf8", 0, nameBytes), body: content.subarray(nameBytes) };
  }
}

/** A message as bytes; the body follows uncopied. */
export function headerOf(name: string, bodyBytes: number): Buffer {
  const text = Buffer.from(name);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(text.length, 0);
  header.writeUInt32LE(bodyBytes, 4);
  return Buffer.concat([header, text]);
}

export class Wire {
  private readonly socket: Socket;
  private readonly reader: MessageReader;
  private readonly arrived: Message[] = [];
  private waiting: { resolve(message: Message): void; reject(error: Error): void } | undefined;
  private ended: StillwaveError | undefined;
  private heardAt = performance.now();
  private readonly beat: NodeJS.Timeout;

  /** @param maxBytes of a body, until `trust` */
  constructor(socket: Socket, maxBytes: number) {
    this.socket = socket;
    this.reader = new MessageReader(maxBytes);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("error", (error) => this.end(error.message));
    socket.on("close", () => this.end("its connection was closed"));
    this.beat = setInterval(() => {
      this.send(BEAT);
      if (performance.now() - this.heardAt > SILENT_AFTER_MS) this.end(`no sign for ${SILENT_AFTER_MS / 1000} s`);
    }, BEAT_MS).unref();
  }

  trust(maxBytes: number): void {
    this.reader.maxBytes = maxBytes;
  }

  /** The bytes must stay as they are until they are gone. */
  send(name: string, body: Uint8Array = new Uint8Array(0)): void {
    if (this.ended || this.socket.writableEnded) return;
    this.socket.write(headerOf(name, body.byteLength));
    if (body.byteLength > 0) this.socket.write(body);
  }

  /** The next message. @throws StillwaveError that says why none will come */
  receive(): Promise<Message> {
    const next = this.arrived.shift();
    if (next) return Promise.resolve(next);
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  /** Ends the connection when what was sent is gone, or soon after if the other does not take it. */
  async close(): Promise<void> {
    clearInterval(this.beat);
    const closed = new Promise<void>((resolve) => this.socket.once("close", () => resolve()));
    if (this.socket.destroyed) return;
    const late = setTimeout(() => this.socket.destroy(), 2000);
    this.socket.end();
    await closed;
    clearTimeout(late);
  }

  private read(chunk: Uint8Array): void {
    this.heardAt = performance.now();
    try {
      for (const message of this.reader.push(chunk)) if (message.name !== BEAT) this.hand(message);
    } catch (error) {
      this.end((error as Error).message);
    }
  }

  private hand(message: Message): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting) waiting.resolve(message);
    else this.arrived.push(message);
  }

  private end(reason: string): void {
    if (this.ended) return;
    clearInterval(this.beat);
    this.ended = new StillwaveError(reason);
    this.socket.destroy();
    this.waiting?.reject(this.ended);
    this.waiting = undefined;
  }
}
