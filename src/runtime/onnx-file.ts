// An ONNX file that runs, on any build of ONNX Runtime: fed by name, with errors that name the input.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { StillwaveError, UsageError, unknownName } from "../errors.ts";
import { type DType, sizeOf } from "../graph/array.ts";
import { feedTensor, HOST_TYPE } from "./executable.ts";
import type { OnnxFile, OnnxOutput, OnnxPort } from "./onnx-file.types.ts";
import type { Feed } from "./runtime.ts";

function portsOf(metadata: readonly InferenceSession.ValueMetadata[]): OnnxPort[] {
  return metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, shape: value.shape }
      : { name: value.name, type: "other", shape: [] },
  );
}

function checkFeed(port: OnnxPort, feed: Feed | undefined): Feed {
  const shown = `${port.type}[${port.shape.join(", ")}]`;
  if (!feed) throw new UsageError(`input "${port.name}" (${shown}) was not fed`);
  const fits = (size: number, axis: number) => typeof port.shape[axis] === "string" || port.shape[axis] === size;
  if (feed.shape.length !== port.shape.length || !feed.shape.every(fits) || feed.data.length !== sizeOf(feed.shape))
    throw new UsageError(`input "${port.name}" is ${shown}, fed [${feed.shape}] with ${feed.data.length} values`);
  if (!Object.hasOwn(HOST_TYPE, port.type))
    throw new StillwaveError(`input "${port.name}" is ${shown}, a type that cannot be fed from here`);
  if (!(feed.data instanceof HOST_TYPE[port.type as DType]))
    throw new UsageError(`input "${port.name}" is ${shown}, fed a ${feed.data.constructor.name}`);
  return feed;
}

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split("\n")[0];

/**
 * Wraps the session that `create` makes; `where` is what errors call the file. `TensorClass` is the Tensor of the same ONNX
 * Runtime package, `device` where it runs.
 * @throws StillwaveError where it is no model
 */
export async function openSession(
  where: string,
  create: () => Promise<InferenceSession>,
  TensorClass: TensorConstructor,
  device: string,
): Promise<OnnxFile> {
  const session = await create().catch((error: unknown) => {
    if (error instanceof StillwaveError) throw error;
    throw new StillwaveError(`${where}: ONNX Runtime cannot open it: ${firstLine(error)}`);
  });
  const inputs = portsOf(session.inputMetadata);
  return {
    device,
    inputs,
    outputs: portsOf(session.outputMetadata),
    async run(feeds, wanted = session.outputNames) {
      for (const name of Object.keys(feeds))
        if (!session.inputNames.includes(name)) throw unknownName(`input of ${where}`, name, session.inputNames);
      for (const name of wanted)
        if (!session.outputNames.includes(name)) throw unknownName(`output of ${where}`, name, session.outputNames);
      const fed: Record<string, Tensor> = {};
      for (const port of inputs)
        fed[port.name] = feedTensor(TensorClass, port.type as DType, checkFeed(port, feeds[port.name]));
      const results = await session.run(fed, wanted).catch((error: unknown) => {
        throw new StillwaveError(`${where}: ${firstLine(error)}`);
      });
      return Object.fromEntries(
        wanted.map((name) => [name, { shape: results[name].dims, data: results[name].data as OnnxOutput["data"] }]),
      );
    },
    dispose: () => session.release(),
  };
}
