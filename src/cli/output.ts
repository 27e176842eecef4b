// Where a verb prints: results on stdout, messages on stderr; a reader that goes away (`| head`) is no error.
import { diskError } from "../files.ts";
import { colorsOf, wantsColors } from "../log/colors.ts";
import { printableLines, strictJson } from "../log/format.ts";

export interface Output {
  /** A line of the result. */
  print(text: string): void;
  /** A message to a person that --quiet leaves out: what happens, what was found. */
  note(text: string): void;
  /** What went wrong, said to a person. */
  error(text: string): void;
  /** From now on notes go nowhere. */
  quieten(): void;
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
  const { yellow, red, bold } = colorsOf(process.stderr);
  let quiet = false;
  return {
    print: (text) => stdout.write(`${shown(text, process.stdout)}\n`),
    note: (text) => {
      if (!quiet) stderr.write(`${shown(text, process.stderr).replace(WARNING, yellow)}\n`);
    },
    error: (text) => stderr.write(`${shown(text, process.stderr).replace(BLAME, (name) => bold(red(name)))}\n`),
    quieten: () => {
      quiet = true;
    },
    json: (value) => stdout.write(`${strictJson(value, 2)}\n`),
    jsonLine: (value) => stdout.write(`${strictJson(value)}\n`),
    flush: async () => void (await Promise.all([stdout.flush(), stderr.flush()])),
  };
}

const WARNING = /^(?:warning|note):/gm;
const BLAME = /^stillwave:/m;
const ESCAPE = String.fromCharCode(27);
/** What `colorsOf` gives. */
const COLOR = new RegExp(`(${ESCAPE}\\[\\d{1,2}m)`);

/** Text in which nothing may move the cursor; colors pass where the stream gets them. */
function shown(text: string, stream: NodeJS.WriteStream): string {
  if (!wantsColors(stream)) return printableLines(text);
  return text
    .split(COLOR)
    .map((part, i) => (i % 2 === 1 ? part : printableLines(part)))
    .join("");
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
