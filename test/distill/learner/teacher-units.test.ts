// Units of a teacher that several processes share: the first makes them, the others read them, or hear that it was stopped.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { loadModel } from "../../../src/checkpoint/index.ts";
import { type Corpus, openCorpus } from "../../../src/data/index.ts";
import { type TeacherUnits, teacherUnits } from "../../../src/distill/learner/teacher-units.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import type { UnitProgress } from "../../../src/units/making/settings.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { meet } from "../../processes/meet.ts";
import { writeParts } from "./tiny-run.ts";

let root: string;
let runtime: Runtime;
let units: TeacherUnits;
beforeAll(async () => {
  root = temporaryFolder();
  await writeParts(root);
  runtime = await createRuntime({ threads: 1, spin: false });
  const speech = (split: string): Promise<Corpus> =>
    openCorpus({ path: join(root, "speech"), splits: [split] }, { onBadFile: "stop" });
  units = {
    teacher: await loadModel(join(root, "teacher")),
    layer: 1,
    clusters: 5,
    share: 1,
    iterations: 10,
    seed: 0,
    train: await speech("train"),
    validation: await speech("dev"),
    onBadFile: "stop",
    workers: 0,
  };
});

test("the first process makes them and the second reads them", async () => {
  const told: string[][] = [[], []];
  const made = await Promise.all(
    (await meet(2)).map((group, rank) =>
      teacherUnits(units, {
        runtime,
        outDir: join(root, "shared"),
        group,
        work: { tell: ({ stage }: UnitProgress) => told[rank].push(stage), signal: new AbortController().signal },
      }),
    ),
  );
  expect(made.every((own) => typeof own === "function")).toBe(true);
  expect([...new Set(told[0])]).toEqual(["features", "seeding", "k-means", "labels"]);
  expect(told[1]).toEqual([]);
  expect(readFileSync(join(root, "shared", "units.json"), "utf8")).toContain('"clusters": 5');
});

test("the second does not wait for one that was stopped", async () => {
  const groups = await meet(2);
  const stop = new AbortController();
  const work = (signal: AbortSignal) => ({ tell: () => stop.abort(), signal });
  const outDir = join(root, "stopped");
  const first = teacherUnits(units, { runtime, outDir, group: groups[0], work: work(stop.signal) });
  const second = teacherUnits(units, {
    runtime,
    outDir,
    group: groups[1],
    work: work(new AbortController().signal),
  });
  await expect(first).rejects.toThrow(/abort/);
  expect(await second).toBeUndefined();
});
