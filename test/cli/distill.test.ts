// How distill shows a run: from events to text and to JSON lines.
import { describe, expect, test, vi } from "vitest";
import { followRun } from "../../src/cli/distill/follow.ts";
import type { Output } from "../../src/cli/output.ts";
import type { DistillEvent } from "../../src/distill/events.ts";
import { silentOutput } from "./silent-output.ts";

const summary = {
  step: 20,
  seconds: 83,
  initialValidation: 1.25,
  finalValidation: 0.5,
  best: { step: 10, loss: 0.4 },
  diverged: false,
  models: { last: "last", best: "best" },
  weightsSha256: "00",
};

const begin: DistillEvent = {
  kind: "start",
  step: 0,
  totalSteps: 20,
  batchesPerEpoch: 10,
  epochs: 2,
  folder: "runs/x",
};
const validation = { kind: "validation", step: 10, loss: 0.4, best: true, diverged: false, row: {} } as DistillEvent;
const done: DistillEvent = { kind: "done", step: 20, folder: "runs/x", already: false, summary };

async function follow(events: DistillEvent[], json = false) {
  const printed: string[] = [];
  const noted: string[] = [];
  const lines: unknown[] = [];
  const output: Output = {
    ...silentOutput,
    print: (text) => printed.push(text),
    note: (text) => noted.push(text),
    error: (text) => noted.push(text),
    jsonLine: (value) => lines.push(value),
  };
  const source = (async function* () {
    yield* events;
  })();
  const ended = await followRun(source, output, json);
  return { ended, printed: printed.join("\n"), noted, lines };
}

describe("followRun", () => {
  test("followRun ends with losses, models and what to do next", async () => {
    const { ended, printed } = await follow([begin, validation, done]);
    expect(ended.kind).toBe("done");
    expect(printed).toContain("runs/x: done, 20 steps in 1:23");
    expect(printed).toContain("1.250 before, 0.5000 after; best 0.4000 at step 10");
    expect(printed).toMatch(/^model +runs.x.last \(best: runs.x.best\)$/m);
  });

  test("followRun says that a validation or a run has diverged, and does not call it the best", async () => {
    const { printed, noted } = await follow([
      { ...validation, best: false, diverged: true } as DistillEvent,
      { ...done, summary: { ...summary, diverged: true } },
    ]);
    expect(noted.join("\n")).toContain(
      "step 10: validation loss 0.4000; above 1.5 times the loss before the first update",
    );
    expect(noted.join("\n")).not.toContain("best so far");
    expect(printed).toContain("diverged; lower optimizer.peakLr");
  });

  test("followRun says when a run was done before, or has no validation", async () => {
    const { printed } = await follow([
      { ...done, already: true, summary: { ...summary, initialValidation: null, finalValidation: null, best: null } },
    ]);
    expect(printed).toContain("was done before");
    expect(printed).not.toContain("validation");
  });

  test("notes come out even before the start", async () => {
    const { noted } = await follow([{ kind: "note", text: "3 bad files" }, done]);
    expect(noted).toEqual(["3 bad files"]);
  });

  test("followRun tells interruption from completion", async () => {
    const interrupted: DistillEvent = { kind: "interrupted", step: 4, totalSteps: 20, remedy: "--resume" };
    expect((await follow([begin, interrupted])).ended.kind).toBe("interrupted");
  });

  test("units that are made before the run are progress, not notes, and then the training is", async () => {
    const units = (stage: "features" | "k-means" | "labels", done: number): DistillEvent =>
      ({ kind: "units", stage, done, total: 4, inertia: stage === "k-means" ? 2 : undefined }); // biome-ignore format: one line
    const written: string[] = [];
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const { noted } = await follow([
      units("features", 0),
      units("features", 4),
      units("k-means", 1),
      units("labels", 2),
      begin,
      done,
    ]);
    write.mockRestore();
    expect(noted).toEqual([]);
    const lines = written.join("");
    expect(lines).toMatch(
      /^features: utterance 4\/4 .*^k-means: iteration 1\/4 .*loss 2.*^labels: utterance 2\/4 .*^run runs.x: 20 steps/ms,
    );
  });

  test("--json gives every event, nothing else", async () => {
    const events = [begin, validation, done];
    const { lines, printed, noted } = await follow(events, true);
    expect(lines).toEqual(events);
    expect([printed, noted]).toEqual(["", []]);
  });
});
