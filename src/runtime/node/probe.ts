// Whether a device starts, tried in a process of its own: drivers print warnings of theirs there, and may even crash.
import { execFile } from "node:child_process";
import { encodeModel } from "../../onnx/proto.ts";
import { toOnnx } from "../../onnx/serialize.ts";
import type { Device } from "../device.ts";
import { nativeEnginePath } from "./engine.ts";

const TIMEOUT_MS = 60_000;

/** Opens a session on a device; prints what is wrong, if anything, between the marks. */
const PROGRAM = `
const [engine, device, model] = process.argv.slice(1);
const ort = require(engine);
ort.env.logLevel = "fatal";
ort.InferenceSession.create(Buffer.from(model, "base64"), { executionProviders: [device], logSeverityLevel: 4 }).then(
  (session) => session.release().then(() => process.exit(0)),
  (error) => process.stdout.write("<problem>" + error.message + "</problem>", () => process.exit(1)),
);
`;

/** What keeps a device of the native engine from starting here, in a line; undefined where it starts. */
export async function problemStarting(device: Device): Promise<string | undefined> {
  const { scalar } = await import("../../graph/value.ts");
  const model = encodeModel(toOnnx({ name: "probe", outputs: new Map([["one", scalar(1)]]) }));
  const args = ["-e", PROGRAM, nativeEnginePath(), device, Buffer.from(model).toString("base64")];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: TIMEOUT_MS }, (error, stdout) => {
      if (!error) return resolve(undefined);
      const said = /<problem>([\s\S]*)<\/problem>/.exec(stdout)?.[1];
      if (said !== undefined) return resolve(inWords(said));
      const { killed, signal, code } = error;
      resolve(killed ? "its driver does not answer" : `its driver ended the process that tried it (${signal ?? code})`);
    });
  });
}

/** The first line of ONNX Runtime's message, without the place in its source and the condition that failed there. */
export function inWords(message: string): string {
  return message
    .split("\n")[0]
    .replace(/^\S*\/onnxruntime\/\S+:\d+ .*? (?:was|returned) false\.? /, "")
    .replace(/^\S*\/onnxruntime\/\S+:\d+ (?:.*?\) )?/, "");
}
