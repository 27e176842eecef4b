// A process of an evaluation, for tests that start several: child-part.ts <options as JSON>. Prints a line for every event but steps.
import { evaluate } from "../../../src/library/evaluate.ts";
import { digestOf, together } from "../../../src/processes/together.ts";
import { runStoppable } from "../../../src/training/signals.ts";

const options = JSON.parse(process.argv[2]);
process.exitCode = await runStoppable(
  () => {},
  (signal) =>
    together(digestOf(options), signal, async (group) => {
      let last = "";
      for await (const event of evaluate({ ...options, signal }, group)) {
        last = event.kind;
        if (event.kind === "helped") console.log(`helped with ${event.files}`);
        else if (event.kind !== "step") console.log(event.kind === "note" ? event.text : event.kind);
      }
      return last === "done" || last === "helped";
    }),
).catch((error: Error) => {
  console.log(`error: ${error.message}`);
  return 1;
});
