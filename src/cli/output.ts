// Where a verb prints: results on stdout, messages on stderr; a reader that goes away (`| head`) is no error.
import { strictJson } from "../log/format.ts";

export interface Output {
  /** A line of the result. */
  print(text: string): void;
  /** A message to a person: progress, errors. */
  note(text: string): void;
  /** The result as JSON, one document. */
  json(value: unknown): void;
  /** One JSON document on one line: an event, an error. */
  jsonLine(value: unknown): void;
  /** Resolves once everything printed so far is written. */
  flush(): Promise<void>;
}

/** Output on the process's own streams. */
export function processOutput(): Output {
  const stdout = writer(process.stdout);
  const stderr = writer(process.stderr);
  return {
    print: (text) => stdout.write(`${text}\n`),
    note: (text) => stderr.write(`${text}\n`),
    json: (value) => stdout.write(`${strictJson(value, 2)}\n`),
    jsonLine: (value) => stdout.write(`${strictJson(value)}\n`),
    flush: async () => void (await Promise.all([stdout.flush(), stderr.flush()])),
  };
}

function writer(stream: NodeJS.WriteStream) {
  let closed = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
    closed = true;
  });
  return {
    write(text: string) {
      if (!closed) stream.write(text);
    },
    flush: () => new Promise<void>((done) => (closed ? done() : stream.write("", () => done()))),
  };
}
