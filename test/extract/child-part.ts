// A process of an extraction, for tests that start several: child-part.ts <speech> <output folder> <ms a batch> [own weights].
import { setTimeout as wait } from "node:timers/promises";
import { extractFiles } from "../../src/extract/run.ts";
import { initParameters } from "../../src/models/init.ts";
import { digestOf, together } from "../../src/processes/together.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { runStoppable } from "../../src/training/signals.ts";
import { smallStudent } from "../checkpoint/students.ts";

const [speech, outDir, slowness, ownWeights] = process.argv.slice(2);
const conv = [
  { channels: 8, kernel: 10, stride: 5 },
  { channels: 12, kernel: 8, stride: 8 },
  { channels: 12, kernel: 4, stride: 8 },
];
const config = smallStudent({ conv });
const model = { config, parameters: initParameters(config, { seed: ownWeights ? Number(process.env.RANK) : 4 }) };
const cpu = await createRuntime({ threads: 1 });
/** Slow, so that the processes are at work when one of them is stopped. */
const runtime: Runtime = {
  ...cpu,
  async compile(graph) {
    const { run, dispose } = await cpu.compile(graph);
    return {
      dispose,
      async run(feeds, into) {
        await wait(Number(slowness));
        return run(feeds, into);
      },
    };
  },
};
const options = { inputs: [speech], outDir, window: 20, batchSeconds: 4, onBadFile: "skip" } as const;
process.exitCode = await runStoppable(
  () => {},
  (signal) =>
    together(digestOf(options), signal, async (group) => {
      let isDone = false;
      for await (const event of extractFiles({ ...options, model, runtime, signal }, group)) {
        isDone = event.kind === "done";
        if (event.kind === "file") console.log(`file ${event.record.id} ${event.done} of ${event.total}`);
        if (event.kind === "note") console.log(event.text);
        if (event.kind === "done" || event.kind === "interrupted")
          console.log(
            `${event.kind}: ${event.written} written, ${event.skipped} skipped, ${event.badFiles.length} bad`,
          );
      }
      return isDone;
    }),
).catch((error: Error) => {
  console.log(`error: ${error.message}`);
  return 1;
});
