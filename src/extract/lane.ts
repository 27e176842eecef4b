// Entry point of a thread that computes batches with its share of the cores, one at a time.
import { parentPort, workerData } from "node:worker_threads";
import { answerOf } from "../data/threads.ts";
import type { PaddedWaveforms } from "../models/waveform.ts";
import { createRuntime } from "../runtime/node/index.ts";
import { hasGrown } from "../upstream/batches.ts";
import { createModel } from "../upstream/model.ts";
import { batchStates } from "./batch-states.ts";
import type { LaneData } from "./lanes.ts";

const { model: weights, wanted, threads } = workerData as LaneData;
const runtime = createRuntime({ threads });
const model = createModel(weights, () => runtime, hasGrown);

parentPort?.on("message", async (batch: PaddedWaveforms) => {
  parentPort?.postMessage(await answerOf(() => batchStates(model, batch, wanted)));
});
