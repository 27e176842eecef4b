// A run in a process of its own, for tests that kill it: child-run.ts <outDir> <steps> <slowAfter> [--resume]. After
// `slowAfter` updates of this process it goes slowly, so that a signal arrives while it works.
import { setTimeout as wait } from "node:timers/promises";
import { distillRun } from "../../src/distill/run.ts";
import { runStoppable } from "../../src/training/signals.ts";
import { fakePrepare, fakeRecipe } from "./fake-run.ts";

const [outDir, steps, slowAfter, flag] = process.argv.slice(2);
let updates = 0;
const recipe = fakeRecipe(outDir!, ["run.epochs=null", `run.steps=${steps}`, "run.checkpointEverySteps=1"]);
const prepare = fakePrepare({
  wrap: (step) => ({
    ...step,
    accumulate: async (...args) => {
      await wait(updates < Number(slowAfter) ? 0 : 25);
      return step.accumulate(...args);
    },
  }),
});
process.exitCode = await runStoppable(
  () => {},
  async (signal) => {
    let isDone = false;
    for await (const event of distillRun({ recipe, prepare, resume: flag === "--resume", signal })) {
      if (event.kind === "step") {
        updates++;
        console.log(`step ${event.step}`);
      }
      if (event.kind === "interrupted") console.log(event.remedy);
      isDone = event.kind === "done";
    }
    return isDone;
  },
);
