// The run as a whole on a fake model: what it writes, how it resumes, what it refuses.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readAllSafetensors } from "../../src/checkpoint/formats/safetensors.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import type { DistillStep } from "../../src/distill/step.ts";
import { readMetrics } from "../../src/log/index.ts";
import {
  acting,
  doneOf,
  events,
  type FakeOptions,
  fakeBatch,
  fakeRecipe,
  notesOf,
  start,
  steps,
  timeless,
} from "./fake-run.ts";

let root: string;
let counter = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-run-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fresh = () => join(root, `run-${counter++}`);

describe("an uninterrupted run", () => {
  test("an uninterrupted run writes everything that is needed to repeat and to use it", async () => {
    const outDir = fresh();
    const models: string[] = [];
    const all = await events(
      start(outDir, { fake: { written: (folder, _, facts) => models.push(`${folder} ${facts.role} ${facts.step}`) } }),
    );
    const done = doneOf(all);
    expect(done).toMatchObject({ step: 9, already: false });
    const kinds = new Set(all.map((event) => event.kind));
    expect(kinds).toEqual(new Set(["start", "step", "validation", "checkpoint", "done"]));
    const manifest = JSON.parse(readFileSync(join(outDir, "run.json"), "utf8"));
    expect(manifest).toMatchObject({ totalSteps: 9, batchesPerEpoch: 7, seeds: { run: 0, data: 0, initialise: 0 } });
    expect(manifest.environment.node).toBe(process.versions.node);
    expect(manifest.environment.computing).toBe("cpu, fake");
    expect(manifest.environment.onnxruntime).toMatch(/^\d+\.\d+/);
    const yaml = readFileSync(join(outDir, "recipe.resolved.yaml"), "utf8");
    expect(parseRecipe(yaml, "resolved")).toEqual(fakeRecipe(outDir));
    expect(readdirSync(join(outDir, "tensorboard"))).toHaveLength(1);
    const { best, initialValidation, finalValidation } = done.summary;
    expect(models).toEqual([`${join(outDir, "last")} last 9`, `${join(outDir, "best")} best ${best!.step}`]);
    const validations = all.flatMap((event) => (event.kind === "validation" ? [event] : []));
    expect(validations.map(({ step }) => step)).toEqual([0, 3, 6, 9]);
    expect(initialValidation).toBe(validations[0].loss);
    expect(finalValidation).toBe(validations[3].loss);
    expect(finalValidation!).toBeLessThan(initialValidation! * 0.85);
    expect(best!.loss).toBe(Math.min(...validations.slice(1).map(({ loss }) => loss)));
    expect(existsSync(join(outDir, "run.lock"))).toBe(false);
  });

  test("rows tell the schedule, the mask and the rate", async () => {
    const outDir = fresh();
    await events(start(outDir));
    const rows = (await readMetrics(join(outDir, "metrics.jsonl"))).filter((row) => row.kind === "train");
    expect(rows.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(rows[8].learningRate).toBe(0);
    expect(rows[4].learningRate).toBeCloseTo((0.05 * (1 - 5 / 9)) / 0.95, 12);
    for (const row of rows) {
      expect(row.maskedFraction).toBeGreaterThan(0.2);
      expect(row.maskedFraction).toBeLessThan(0.9);
      expect(row.epoch).toBeCloseTo((row.step * 3) / 7, 12);
      expect(row.audioSecondsPerSecond).toBeGreaterThan(0);
    }
  });

  test("equal recipes give equal weights, other seeds others", async () => {
    const hash = async (set: string[] = []) => doneOf(await events(start(fresh(), { set }))).summary.weightsSha256;
    const first = await hash();
    expect(await hash()).toBe(first);
    expect(await hash(["run.seed=1"])).not.toBe(first);
  });

  test("an uninterrupted run keeps best, last and every k-th checkpoint", async () => {
    const outDir = fresh();
    const done = doneOf(await events(start(outDir, { set: ["run.keepEvery=2"] })));
    const wanted = new Set([4, 8, 9, done.summary.best!.step]);
    const names = [...wanted].sort((a, b) => a - b).map((step) => `step-${String(step).padStart(8, "0")}`);
    expect(steps(outDir)).toEqual(names);
  });

  test("without a validation set there is a last model and no best", async () => {
    const outDir = fresh();
    const roles: string[] = [];
    const fake: FakeOptions = { validation: null, written: (_, __, { role }) => roles.push(role) };
    const { summary } = doneOf(await events(start(outDir, { fake })));
    expect(summary).toMatchObject({ best: null, initialValidation: null, models: { last: "last", best: null } });
    expect(roles).toEqual(["last"]);
    expect(steps(outDir)).toEqual(["step-00000009"]);
  });

  test("the best model holds the weights of the best step", async () => {
    // A rate that explodes late: the best validation is not the last.
    const outDir = fresh();
    let best: number[] = [];
    let last: number[] = [];
    const fake: FakeOptions = {
      written: (_, parameters, { role }) => {
        const values = [...parameters.values()].flatMap(({ data }) => [...data]);
        if (role === "best") best = values;
        else last = values;
      },
      batch: (epoch, index) => {
        const batch = fakeBatch(`${epoch} ${index}`, [9600, 6400]);
        return epoch < 2 ? batch : { ...batch, wave: batch.wave.map((x) => -3 * x + 2) };
      },
    };
    const set = ["optimizer.peakLr=0.5", "run.keepEvery=1", "run.checkpointEverySteps=1"];
    const { summary } = doneOf(await events(start(outDir, { fake, set })));
    const stored = await readAllSafetensors(
      join(outDir, "checkpoints", `step-${String(summary.best!.step).padStart(8, "0")}`, "weights.safetensors"),
    );
    expect(best).toEqual([...stored.values()].flatMap(({ data }) => [...data]));
    if (summary.best!.step !== 9) expect(best).not.toEqual(last);
  });
});

describe("resuming", () => {
  test("a run cut off anywhere ends with the same weights and the same metrics", async () => {
    const whole = fresh();
    const { summary } = doneOf(await events(start(whole)));
    // 27 micro-batches in all, 3 an update; cut at all three places of an update, then once more soon after.
    for (let call = 1; call <= 27; call += 4) {
      const outDir = fresh();
      const cut = acting((n) => {
        if (n === call) throw new Error("cut off");
      });
      await expect(events(start(outDir, { fake: { wrap: cut } }))).rejects.toThrow("cut off");
      const again = acting((n) => {
        if (n === 3) throw new Error("cut off again");
      });
      await events(start(outDir, { resume: true, fake: { wrap: again } })).catch(() => {});
      const done = doneOf(await events(start(outDir, { resume: true })));
      expect(done.summary.weightsSha256).toBe(summary.weightsSha256);
      expect(await timeless(outDir)).toEqual(await timeless(whole));
      expect({ ...done.summary, seconds: 0 }).toEqual({ ...summary, seconds: 0 });
    }
  });

  test("an abort signal stops with a checkpoint of that very step, mid-accumulation and in validation too", async () => {
    const whole = fresh();
    const { summary } = doneOf(await events(start(whole)));
    for (const call of [1, 2, 3, 4, 9, 10, 20, 27]) {
      const outDir = fresh();
      const stop = new AbortController();
      const wrap = acting((n) => {
        if (n === call) stop.abort();
      });
      const all = await events(start(outDir, { signal: stop.signal, fake: { wrap } }));
      const last = all[all.length - 1];
      expect(last).toMatchObject({ kind: "interrupted", step: Math.floor(call / 3) });
      expect(last.kind === "interrupted" && last.remedy).toMatch(/--resume/);
      expect(steps(outDir)).toContain(`step-0000000${Math.floor(call / 3)}`);
      const done = doneOf(await events(start(outDir, { resume: true })));
      expect(done.summary.weightsSha256).toBe(summary.weightsSha256);
      expect(await timeless(outDir)).toEqual(await timeless(whole));
    }
  });

  test("a signal during validation: the validation is done after resuming", async () => {
    const whole = fresh();
    await events(start(whole));
    const outDir = fresh();
    const stop = new AbortController();
    const wrap = (step: DistillStep): DistillStep => {
      let validations = 0;
      return {
        ...step,
        validate: (batch) => {
          if (++validations === 3) stop.abort();
          return step.validate(batch);
        },
      };
    };
    const all = await events(start(outDir, { signal: stop.signal, fake: { wrap } }));
    expect(all[all.length - 1]).toMatchObject({ kind: "interrupted", step: 3 });
    await events(start(outDir, { resume: true }));
    expect(await timeless(outDir)).toEqual(await timeless(whole));
  });

  test("leaving the loop early writes a checkpoint and frees the folder", async () => {
    const whole = fresh();
    const { summary } = doneOf(await events(start(whole)));
    const outDir = fresh();
    for await (const { step, loss } of start(outDir).steps()) {
      expect(loss.total).toBeGreaterThan(0);
      if (step === 5) break;
    }
    expect(steps(outDir)).toContain("step-00000005");
    const all = await events(start(outDir, { resume: true }));
    expect(all.find((event) => event.kind === "start")).toMatchObject({ step: 5 });
    expect(doneOf(all).summary.weightsSha256).toBe(summary.weightsSha256);
  });

  test("a torn newest checkpoint is set aside with a note", async () => {
    const whole = fresh();
    const { summary } = doneOf(await events(start(whole)));
    for (const damage of ["truncate", "flip", "remove"]) {
      const outDir = fresh();
      const set = ["run.keepEvery=1"];
      for await (const { step } of start(outDir, { set }).steps()) if (step === 6) break;
      const file = join(outDir, "checkpoints", "step-00000006", "optimizer.safetensors");
      if (damage === "truncate") truncateSync(file, 100);
      else if (damage === "remove") rmSync(file);
      else {
        const bytes = readFileSync(file);
        bytes[bytes.length - 1] ^= 1;
        writeFileSync(file, bytes);
      }
      const all = await events(start(outDir, { resume: true, set }));
      expect(notesOf(all).join("\n")).toMatch(/step-00000006: ignored, not a whole checkpoint/);
      expect(all.find((event) => event.kind === "start")).toMatchObject({ step: 4 });
      expect(doneOf(all).summary.weightsSha256).toBe(summary.weightsSha256);
    }
  });

  test("checkpoints kept for good stay when the cadence changes", async () => {
    const outDir = fresh();
    const dense = ["run.checkpointEverySteps=1", "run.keepEvery=2", "run.validateEverySteps=100"];
    for await (const { step } of start(outDir, { set: dense }).steps()) if (step === 5) break;
    expect(steps(outDir)).toEqual(["step-00000002", "step-00000004", "step-00000005"]);
    const sparse = ["run.checkpointEverySteps=3", "run.keepEvery=null", "run.validateEverySteps=100"];
    await events(start(outDir, { resume: true, set: sparse }));
    expect(steps(outDir)).toEqual(["step-00000002", "step-00000004", "step-00000009"]);
  });

  test("a checkpoint that a kill kept from being removed is removed later", async () => {
    const outDir = fresh();
    const set = ["run.validateEverySteps=100"];
    for await (const { step } of start(outDir, { set }).steps()) if (step === 2) break;
    cpSync(join(outDir, "checkpoints", "step-00000002"), join(root, "copy"), { recursive: true });
    for await (const { step } of start(outDir, { set, resume: true }).steps()) if (step === 4) break;
    cpSync(join(root, "copy"), join(outDir, "checkpoints", "step-00000002"), { recursive: true });
    await events(start(outDir, { set, resume: true }));
    expect(steps(outDir)).toEqual(["step-00000009"]);
  });

  test("a finished run says so and changes nothing", async () => {
    const outDir = fresh();
    const { summary } = doneOf(await events(start(outDir)));
    const before = readFileSync(join(outDir, "run.json"), "utf8");
    const all = await events(
      start(outDir, {
        resume: true,
        fake: {
          wrap: () => {
            throw new Error("must not be prepared");
          },
        },
      }),
    );
    expect(all).toEqual([expect.objectContaining({ kind: "done", already: true, summary })]);
    expect(readFileSync(join(outDir, "run.json"), "utf8")).toBe(before);
  });

  test("killed while the models were written: they are written again", async () => {
    const outDir = fresh();
    const written = () => {
      throw new Error("killed");
    };
    await expect(events(start(outDir, { fake: { written } }))).rejects.toThrow("killed");
    const folders: string[] = [];
    const all = await events(start(outDir, { resume: true, fake: { written: (folder) => folders.push(folder) } }));
    expect(all.some((event) => event.kind === "step")).toBe(false);
    expect(folders).toEqual([join(outDir, "last"), join(outDir, "best")]);
    expect(doneOf(all).summary.finalValidation).not.toBeNull();
  });

  test("resuming where there is no run is an error, and makes no folder", async () => {
    const outDir = fresh();
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(`${outDir}: no run there to resume`);
    expect(existsSync(outDir)).toBe(false);
  });
});
