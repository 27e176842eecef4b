// What a run refuses: used folders, other recipes, other data, locks that are held.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { doneOf, events, fakeBatch, notesOf, start } from "./fake-run.ts";

let root: string;
let counter = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-run-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fresh = () => join(root, `run-${counter++}`);

describe("refusals", () => {
  test("a used folder without resume: says how to go on; a foreign folder: never", async () => {
    const outDir = fresh();
    for await (const _ of start(outDir).steps()) break;
    await expect(events(start(outDir))).rejects.toThrow(/holds a run already.*--resume/s);
    writeFileSync(join(root, "thesis.txt"), "precious");
    for (const resume of [true, false])
      await expect(events(start(root, { resume }))).rejects.toThrow(/not empty and not a run folder/);
    expect(readdirSync(root)).not.toContain("run.lock");
  });

  test("a changed recipe lists what differs; what leaves the weights alone may change", async () => {
    const outDir = fresh();
    for await (const { step } of start(outDir).steps()) if (step === 2) break;
    const changed = { resume: true, set: ["optimizer.peakLr=0.01", "masking.length=5", "run.logEverySteps=3"] };
    const failure = await events(start(outDir, changed)).catch((error: Error) => error.message);
    expect(failure).toMatch(/optimizer\.peakLr: 0\.05 -> 0\.01/);
    expect(failure).toMatch(/masking\.length: 10 -> 5/);
    expect(failure).not.toMatch(/logEverySteps/);
    expect(failure).toMatch(/force/);
    const harmless = ["run.threads=1", "data.workers=3", "run.logEverySteps=3", "run.checkpointEverySteps=5"];
    const all = await events(start(outDir, { resume: true, set: [...harmless, "run.device=auto"] }));
    expect(notesOf(all).join()).toMatch(/run\.device changes from cpu to auto/);
    expect(doneOf(all).step).toBe(9);
  });

  test("a run keeps the precision it was begun in; another one is another run", async () => {
    const outDir = fresh();
    const [on, off] = [{ best: "bf16" }, { best: "float32" }] as const;
    for await (const { step } of start(outDir, { fake: on }).steps()) if (step === 2) break;
    const recorded = () => JSON.parse(readFileSync(join(outDir, "run.json"), "utf8"));
    expect(recorded()).toMatchObject({ precision: "bf16", recipe: { run: { precision: "auto" } } });
    const other = { resume: true, set: ["run.precision=float32"] };
    await expect(events(start(outDir, other))).rejects.toThrow(/run\.precision: "bf16" -> "float32"/);
    const same = { resume: true, set: ["run.precision=bf16"] };
    for await (const { step } of start(outDir, same).steps()) if (step === 3) break;
    // a machine on which auto is another one now
    for await (const { step } of start(outDir, { resume: true, fake: off }).steps()) if (step === 4) break;
    expect(recorded().precision).toBe("bf16");
    expect(doneOf(await events(start(outDir, { ...other, force: true }))).step).toBe(9);
    expect(recorded().precision).toBe("float32");
  });

  test("a run of a version that had no setting of precision goes on in float32", async () => {
    const outDir = fresh();
    for await (const { step } of start(outDir).steps()) if (step === 2) break;
    const path = join(outDir, "run.json");
    const { precision: _, recipe, ...record } = JSON.parse(readFileSync(path, "utf8"));
    const { precision: __, ...run } = recipe.run;
    writeFileSync(path, JSON.stringify({ ...record, recipe: { ...recipe, run } }));
    expect(doneOf(await events(start(outDir, { resume: true, fake: { best: "bf16" } }))).step).toBe(9);
    expect(JSON.parse(readFileSync(path, "utf8")).precision).toBe("float32");
  });

  test("a run whose only checkpoint is damaged does not begin again unasked", async () => {
    const outDir = fresh();
    for await (const { step } of start(outDir).steps()) if (step === 2) break;
    const [name] = readdirSync(join(outDir, "checkpoints"));
    truncateSync(join(outDir, "checkpoints", name!, "weights.safetensors"), 10);
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(/not a whole checkpoint.*--force/s);
    const all = await events(start(outDir, { resume: true, force: true }));
    expect(notesOf(all).join()).toMatch(/beginning from step 0/);
    expect(doneOf(all).step).toBe(9);
  });

  test("a validation set without a usable file is an error", async () => {
    const validation = [fakeBatch("v", [])];
    await expect(events(start(fresh(), { fake: { validation } }))).rejects.toThrow(
      /data\.validation: none of its files/,
    );
  });

  test("force goes on with another recipe, and a finished run grows longer", async () => {
    const outDir = fresh();
    await events(start(outDir));
    const longer = { resume: true, set: ["run.epochs=6"] };
    await expect(events(start(outDir, longer))).rejects.toThrow(/run\.epochs: 4 -> 6/);
    const all = await events(start(outDir, { ...longer, force: true }));
    expect(doneOf(all)).toMatchObject({ step: 14, already: false });
    expect(notesOf(all).join()).toMatch(/by force/);
    await expect(events(start(outDir, { resume: true, set: ["run.epochs=2"], force: true }))).rejects.toThrow(
      /14 steps are done, but the recipe now ends at 4/,
    );
  });

  test("other data or another teacher", async () => {
    const outDir = fresh();
    for await (const _ of start(outDir).steps()) break;
    await expect(events(start(outDir, { resume: true, fake: { fingerprint: "other" } }))).rejects.toThrow(
      /training data differ/,
    );
    await expect(events(start(outDir, { resume: true, fake: { teacher: "other" } }))).rejects.toThrow(/teacher differ/);
    await expect(events(start(outDir, { resume: true, fake: { validation: null } }))).rejects.toThrow(
      /validation data/,
    );
  });

  test("two runs in one folder at a time", async () => {
    const outDir = fresh();
    const first = start(outDir)[Symbol.asyncIterator]();
    await first.next();
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(/process \d+ is working in this folder/);
    await first.return!();
    expect(doneOf(await events(start(outDir, { resume: true }))).step).toBe(9);
  });

  test("a lock of a dead process or of another machine", async () => {
    const outDir = fresh();
    for await (const _ of start(outDir).steps()) break;
    const lock = join(outDir, "run.lock");
    writeFileSync(lock, JSON.stringify({ pid: 1, host: "elsewhere.example", born: "" }));
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(/process 1 on elsewhere\.example/);
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 30, host: (await import("node:os")).hostname(), born: "" }));
    const all = await events(start(outDir, { resume: true }));
    expect(notesOf(all).join()).toMatch(/took over the lock of process 1073741824/);
    expect(existsSync(lock)).toBe(false);
  });

  test("corrupt run files are named", async () => {
    const outDir = fresh();
    await events(start(outDir));
    writeFileSync(join(outDir, "summary.json"), "{");
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(/summary\.json: corrupt/);
    writeFileSync(join(outDir, "run.json"), "{");
    await expect(events(start(outDir, { resume: true }))).rejects.toThrow(/run\.json: not JSON/);
  });

  test("too little data for one update, and an out folder that cannot be made", async () => {
    const outDir = fresh();
    const failing = start(outDir, { fake: { batches: 1 }, set: ["run.epochs=2"] });
    await expect(events(failing)).rejects.toThrow(/2 epochs of 1 batches are less than one update of 3/);
    expect(existsSync(outDir)).toBe(false);
    writeFileSync(join(root, "file"), "");
    await expect(events(start(join(root, "file", "run")))).rejects.toThrow(
      /a file stands where a folder is needed \(ENOTDIR\)/,
    );
  });
});
