// Runs the tiny pre-training in a process of its own, which its parent kills: prints a line for every event.

import { pretrainRun } from "../../src/pretrain/run.ts";
import { runStoppable } from "../../src/training/signals.ts";
import { tinyRecipe } from "./tiny-run.ts";

const [folder, resume] = process.argv.slice(2);
process.exitCode = await runStoppable(
  () => {},
  async (signal) => {
    for await (const event of pretrainRun({ recipe: tinyRecipe(folder), resume: resume === "--resume", signal })) {
      const place = "stage" in event ? event.stage : "step" in event ? event.step : "";
      process.stdout.write(`${event.kind} ${"iteration" in event ? event.iteration : ""} ${place}\n`);
      if (event.kind === "done") return true;
    }
    return false;
  },
);
