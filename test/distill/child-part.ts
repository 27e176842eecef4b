// A process of a run, for tests that start several: child-part.ts <recipe file> <slowAfter> [--resume]. Who it is, it reads
// from its environment, as the command does. After `slowAfter` updates it goes slowly, so that a signal arrives while it works.
import { setTimeout as wait } from "node:timers/promises";
import { prepareRun } from "../../src/distill/prepare.ts";
import { aboutRun } from "../../src/distill/processes.ts";
import { loadRecipe } from "../../src/distill/recipe/read.ts";
import { distillRun } from "../../src/distill/run.ts";
import { together } from "../../src/processes/together.ts";
import { runStoppable } from "../../src/training/signals.ts";

const [path, slowAfter, flag] = process.argv.slice(2);
const recipe = await loadRecipe(path, []);
process.exitCode = await runStoppable(
  () => {},
  (signal) =>
    together(aboutRun(recipe), signal, async (group) => {
      let isDone = false;
      let updates = 0;
      for await (const event of distillRun({
        recipe,
        prepare: prepareRun,
        resume: flag === "--resume",
        signal,
        group,
      })) {
        if (event.kind === "step") {
          console.log(`step ${event.step} ${event.loss.total}`);
          if (++updates > Number(slowAfter)) await wait(100);
        } else if (event.kind === "interrupted") console.log(`stopped at ${event.step}`);
        else if (event.kind === "note") console.log(event.text);
        isDone = event.kind === "done";
        if (event.kind === "done") console.log(`done ${event.summary.weightsSha256} ${event.summary.finalValidation}`);
      }
      return isDone;
    }),
).catch((error: Error) => {
  console.log(`error: ${error.message}`);
  return 1;
});
