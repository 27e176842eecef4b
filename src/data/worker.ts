// Entry point of a decoding thread: answers one task at a time, and hands sample memory over without copying.
import { parentPort } from "node:worker_threads";
import { decodeBatch, probeFile } from "./decode-batch.ts";
import type { ThreadAnswer, ThreadTask } from "./threads.ts";

// third-party decoders complain on the console about files that are reported as bad anyway
console.error = () => {};
console.warn = () => {};

parentPort?.on("message", async (task: ThreadTask) => {
  let answer: ThreadAnswer;
  const transfer: ArrayBuffer[] = [];
  try {
    const result = task.kind === "batch" ? await decodeBatch(task.plan, task.keeping) : await probeFile(task.path);
    if ("batch" in result) transfer.push(result.batch.waves.buffer as ArrayBuffer);
    answer = { result };
  } catch (error) {
    answer = { error: (error as Error).stack ?? String(error) };
  }
  parentPort?.postMessage(answer, transfer);
});
