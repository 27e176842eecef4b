// Where a verb prints: results on stdout, messages on stderr; a reader that goes away (`| head`) is no error.
import { diskError } from "../files.ts";
import { printableLines, strictJson } from "../log/format.ts";

export interface Output {
  /** A line of the result. */
  print(text: string): void;
  /** A message to a person: progress, errors. */
  note(text: string): void;
  /** The result as JSON, one document. */
  json(value: unknown): void;
  /** One JSON document on one line: an event, an error. */
  jsonLine(value: unknown): void;
  /** Resolves once everything printed so far is written. @throws StillwaveError once where it was not: a full disk */
  flush(): Promise<void>;
}

/** Output on the process's own streams. */
export function processOutput(): Output {
  const stdout = writer(process.stdout, "standard output");
  const stderr = writer(process.stderr, "standard error");
  return {
    print: (text) => stdout.write(`${printableLines(text)}\n`),
    note: (text) => stderr.write(`${printableLines(text)}\n`),
    json: (value) => stdout.write(`${strictJson(value, 2)}\n`),
    jsonLine: (value) => stdout.write(`${strictJson(value)}\n`),
    flush: async () => void (await Promise.all([stdout.flush(), stderr.flush()])),
  };
}

function writer(stream: NodeJS.WriteStream, name: string) {
  let closed = false;
  let failure: unknown;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    closed = true;
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") failure ??= diskError(error, name);
  });
  return {
    write(text: string) {
      if (!closed) stream.write(text);
    },
    async flush() {
      if (!closed) await new Promise<void>((done) => stream.write("", () => done()));
      const lost = failure;
      failure = undefined;
      if (lost) throw lost;
    },
  };
}
