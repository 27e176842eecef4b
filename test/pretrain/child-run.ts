// Runs the tiny pre-training in a process of its own, which its parent kills: prints a line for every event, and after one that the
// parent waits for gives it time: child-run.ts <folder> <resume: true or false> [pattern of that line].

import { setTimeout as wait } from "node:timers/promises";
import { pretrainRun } from "../../src/pretrain/run.ts";
import { runStoppable } from "../../src/training/signals.ts";
import { tinyRecipe } from "./tiny-run.ts";

const [folder, resume, place] = process.argv.slice(2);
const awaited = place === undefined ? undefined : new RegExp(place);
let isMet = false;
process.exitCode = await runStoppable(
  () => {},
  async (signal) => {
    for await (const event of pretrainRun({ recipe: tinyRecipe(folder), resume: resume === "true", signal })) {
      const where = "stage" in event ? event.stage : "step" in event ? event.step : "";
      const line = `${event.kind} ${"iteration" in event ? event.iteration : ""} ${where}`;
      process.stdout.write(`${line}\n`);
      if (!isMet && awaited?.test(line)) {
        isMet = true;
        await wait(1000, undefined, { signal }).catch(() => {});
      }
      if (event.kind === "done") return true;
    }
    return false;
  },
);
