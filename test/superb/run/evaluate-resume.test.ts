// Evaluations interrupted anywhere end as they would have; what may be resumed, what is refused, whose folders are taken.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { examplePhones, speechCorpus } from "../speech.ts";
import { doneOf, evaluate, evaluationsIn, kindsOf, leftBehind, notesOf, resultOf } from "./evaluations.ts";

const root = temporaryFolder();
const corpus = speechCorpus();
const { folder, optionsFor } = evaluationsIn(root, corpus);

describe("interrupted", () => {
  const training = { learningRates: [1e-6, 1e-2], steps: 7, sweepSteps: 3, seed: 5 };
  const whole = folder();
  let expected: Record<string, string>;
  let count = 0;
  beforeAll(async () => {
    // a cache of its own, so that the first events are of the extraction
    const events = await evaluate(
      optionsFor(whole, { training, features: { cache: join(root, "cache of the whole") } }),
    );
    count = events.length;
    expected = leftBehind(whole);
  });

  test("at random events, extraction included, it ends as it would have", async () => {
    let caches = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: count - 1 }), { minLength: 1, maxLength: 3 }),
        async (stops) => {
          const out = folder();
          const own = { training, features: { cache: join(root, `cache ${caches++}`) } };
          let resume = false;
          for (const stop of stops) {
            const controller = new AbortController();
            const events = await evaluate(
              { ...optionsFor(out, own), resume, signal: controller.signal },
              (_, number) => {
                if (number === stop) controller.abort();
              },
            );
            const last = events.at(-1)!;
            if (last.kind !== "done") expect(last).toMatchObject({ kind: "interrupted", folder: out, remedy: expect.stringContaining("--resume") }); // biome-ignore format: one line
            expect(existsSync(join(out, "run.lock"))).toBe(false);
            resume = true;
          }
          doneOf(await evaluate({ ...optionsFor(out, own), resume: true }));
          expect(leftBehind(out)).toEqual(expected);
          expect(resultOf(out)).toEqual(resultOf(whole));
        },
      ),
      { numRuns: 5 },
    );
  });

  test("by leaving the loop, it goes on from the last checkpoint", async () => {
    const out = folder();
    for await (const event of (await import("../../../src/superb/run/evaluate-run.ts")).evaluateRun(optionsFor(out, { training }))) // biome-ignore format: one line
      if (event.kind === "step" && event.learningRate === 1e-2 && event.step === 5) break;
    expect(existsSync(join(out, "run.lock"))).toBe(false);
    const events = await evaluate({ ...optionsFor(out, { training }), resume: true });
    const begun = events.flatMap((event) => (event.kind === "training" ? [[event.learningRate, event.step]] : []));
    expect(begun).toEqual([
      [1e-6, 3],
      [1e-2, 3],
      [1e-2, 3],
    ]);
    expect(leftBehind(out)).toEqual(expected);
  });

  test("after it was done, it is done", async () => {
    const controller = new AbortController();
    const options = { ...optionsFor(folder(), { training: { steps: 1 } }), signal: controller.signal };
    const events = await evaluate(options, ({ kind }) => {
      if (kind === "done") controller.abort();
    });
    expect(kindsOf(events).has("interrupted")).toBe(false);
  });
});

describe("a resume", () => {
  test("with other options is refused with all changes, or forced", async () => {
    const out = folder();
    const controller = new AbortController();
    await evaluate({ ...optionsFor(out), signal: controller.signal }, ({ kind }) => {
      if (kind === "step") controller.abort();
    });
    const phones = join(root, "other phones.txt");
    writeFileSync(phones, [...examplePhones].map(([id, list]) => `${id} ${list.join(" ").replaceAll("ZH", "Z")}`).join("\n")); // biome-ignore format: one line
    const changed = optionsFor(out, {
      training: { seed: 1, steps: 8, learningRates: [1e-2, 1e-3] },
      head: { projection: 13 },
      data: { phones },
      decoding: { beam: 3 },
      features: { dtype: "float16" },
      upstream: "mfcc",
    });
    const error = await evaluate({ ...changed, resume: true }).catch((e: Error) => e);
    const { message } = error as Error;
    for (const line of [
      /^.*: this evaluation was begun otherwise:$/m,
      /^ {2}upstream\.fingerprint "\w+", now "\w+"$/m,
      /^ {2}upstream\.dim 240, now 39$/m,
      /^ {2}data\.fingerprint "\w+", now "\w+"$/m,
      /^ {2}settings\.seed 0, now 1$/m,
      /^ {2}settings\.steps 6, now 8$/m,
      /^ {2}settings\.learningRates\.1 absent, now 0\.001$/m,
      /^ {2}head\.projection 12, now 13$/m,
      /^ {2}features "float32", now "float16"$/m,
      /^ {2}decoding null, now \{"beam":3\}$/m,
      /^resume it as it was begun, or give another --out: weights of one head cannot go on as another's$/m,
    ])
      expect(message).toMatch(line);
    await expect(evaluate({ ...optionsFor(out), task: "asr", resume: true })).rejects.toThrow("task pr, now asr");
    // what can be forced goes on, and says so
    const forced = optionsFor(out, { training: { steps: 8 } });
    const events = await evaluate({ ...forced, resume: true, force: true });
    expect(notesOf(events).join("\n")).toMatch(/settings\.steps 6, now 8\n.*\nresumed by force/);
    expect(doneOf(events).result.options.steps).toBe(8);
    const manifest = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
    expect(manifest.identity.settings.steps).toBe(8);
    expect(manifest.resumes.length).toBe(1);
  });

  test("of a finished run by force goes on with what is new", async () => {
    const out = folder();
    const first = doneOf(await evaluate(optionsFor(out, { training: { steps: 2 } })));
    const longer = optionsFor(out, { training: { steps: 4 }, decoding: { beam: 2 } });
    const events = await evaluate({ ...longer, resume: true, force: true });
    const { already, result } = doneOf(events);
    expect(already).toBe(false);
    expect(events.find(({ kind }) => kind === "training")).toMatchObject({ step: 2, untilStep: 4 });
    expect(result.options.steps).toBe(4);
    expect(result.learningRates[0].curve[0]).toEqual(first.result.learningRates[0].curve[0]);
    expect(result.decodings.map(({ name }) => name)).toEqual(["greedy", "prefix beam 2"]);
    expect(doneOf(await evaluate({ ...longer, resume: true })).already).toBe(true);
  });

  test("of a finished run by force, with a head of another shape, changes nothing", async () => {
    const out = folder();
    await evaluate(optionsFor(out, { training: { steps: 2 } }));
    const files = () => ["run.json", "result.json"].map((name) => readFileSync(join(out, name), "utf8"));
    const before = files();
    for (const changed of [{ upstream: "mfcc" }, { training: { steps: 2 }, head: { projection: 13 } }])
      await expect(evaluate({ ...optionsFor(out, changed), resume: true, force: true })).rejects.toThrow(
        /or give another --out: weights of one head cannot go on/,
      );
    expect(files()).toEqual(before);
    const other = optionsFor(out, { training: { steps: 2, seed: 9 } });
    await expect(evaluate({ ...other, resume: true })).rejects.toThrow(/or force it \(--force\)$/);
  });

  test("of nothing is an error, and makes no folder", async () => {
    const out = folder();
    await expect(evaluate({ ...optionsFor(out), resume: true })).rejects.toThrow(`${out}: no run there to resume`);
    expect(existsSync(out)).toBe(false);
  });
});

describe("folders", () => {
  test("that hold something else, or are in use, are left alone", async () => {
    const out = folder();
    mkdirSync(out);
    writeFileSync(join(out, "thesis.tex"), "");
    await expect(evaluate(optionsFor(out))).rejects.toThrow(`${out}: not empty and no evaluation (no run.json); give another --out`); // biome-ignore format: one line
    writeFileSync(join(out, "run.json"), '{"kind": "something"}');
    for (const resume of [true, false]) await expect(evaluate({ ...optionsFor(out), resume })).rejects.toThrow("run.json: not the record of an evaluation"); // biome-ignore format: one line
    writeFileSync(join(out, "run.json"), "{");
    await expect(evaluate({ ...optionsFor(out), resume: true })).rejects.toThrow("not the record of an evaluation");
    const busy = folder();
    await evaluate(optionsFor(busy, { training: { steps: 1 } }), ({ kind }) => {
      if (kind !== "start") return;
      second = evaluate({ ...optionsFor(busy), resume: true }).catch((error: Error) => error);
    });
    expect(await second).toMatchObject({ message: expect.stringContaining(`process ${process.pid}`) });
    await expect(evaluate(optionsFor(join(out, "thesis.tex", "x")))).rejects.toThrow(
      "a file stands where a folder is needed (ENOTDIR)",
    );
  });
  let second: Promise<unknown> | undefined;

  test("that stay empty after a mistake take the corrected command", async () => {
    const out = folder();
    await expect(evaluate(optionsFor(out, { training: { steps: 0 } }))).rejects.toThrow(UsageError);
    await expect(evaluate(optionsFor(out, { upstream: join(root, "nowhere") }))).rejects.toThrow("no such file or folder"); // biome-ignore format: one line
    await expect(evaluate({ ...optionsFor(out), task: "mt" })).rejects.toThrow('unknown task "mt"');
    expect(doneOf(await evaluate(optionsFor(out, { training: { steps: 1 } }))).already).toBe(false);
  });
});
