// Entry point of a decoding thread: answers one task at a time, and hands sample memory over without copying.
import { parentPort } from "node:worker_threads";
import { decodeBatch, probeRecording } from "./decode-batch.ts";
import type { DecodingResult, DecodingTask } from "./pool.ts";
import { answerOf } from "./threads.ts";

// third-party decoders complain on the console about files that are reported as bad anyway
console.error = () => {};
console.warn = () => {};

parentPort?.on("message", async (task: DecodingTask) => {
  const answer = await answerOf<DecodingResult>(() =>
    task.kind === "batch" ? decodeBatch(task.plan, task.keeping) : probeRecording(task.recording),
  );
  const transfer =
    "result" in answer && "batch" in answer.result ? [answer.result.batch.waves.buffer as ArrayBuffer] : [];
  parentPort?.postMessage(answer, transfer);
});
