// `stillwave pretrain` and `stillwave report` on its folder, as people and as programs see them.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { main } from "../../src/cli/main.ts";
import type { Output } from "../../src/cli/output.ts";
import { tinyRecipe } from "../pretrain/tiny-run.ts";
import { silentOutput } from "./silent-output.ts";

let root: string;
let recipe: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-cli-pretrain-"));
  recipe = join(root, "tiny.yaml");
  const { iterations, ...rest } = tinyRecipe(root);
  writeFileSync(recipe, stringify({ ...rest, iterations: [{ ...iterations[0], steps: 3 }] }));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function call(...args: string[]) {
  const [printed, noted]: [string[], string[]] = [[], []];
  const output: Output = {
    ...silentOutput,
    print: (text) => void printed.push(text),
    note: (text) => void noted.push(text),
    error: (text) => void noted.push(text),
    json: (value) => void printed.push(JSON.stringify(value)),
    jsonLine: (value) => void printed.push(JSON.stringify(value)),
  };
  const code = await main(args, output);
  return { code, printed: printed.join("\n"), noted: noted.join("\n") };
}

test("a run in JSON lines, then its report, then the run again for people", async () => {
  const folder = join(root, "json");
  const run = await call("pretrain", recipe, "--out", folder, "--json", "--threads", "1");
  expect(run.code, run.noted).toBe(0);
  const events = run.printed.split("\n").map((line) => JSON.parse(line));
  expect([...new Set(events.map(({ kind }) => kind))].filter((kind) => kind !== "note" && kind !== "units")).toEqual(
    expect.arrayContaining([
      "iteration",
      "units-made",
      "start",
      "step",
      "validation",
      "checkpoint",
      "trained",
      "done",
      "report",
    ]),
  );
  const report = join(folder, "report.html");
  rmSync(report);
  const again = await call("report", folder);
  expect([again.code, again.printed, existsSync(report)]).toEqual([0, report, true]);
  const done = await call("pretrain", recipe, "--out", folder, "--resume");
  expect(done.code).toBe(0);
  expect(done.printed).toMatch(
    /was done before\niteration 1 +8 units of MFCC, 3 updates, validation loss [\d.]+\nmodel +.*iteration-1\/last/,
  );
}, 120_000);

test("mistakes have the exit codes of every command", async () => {
  expect(await call("pretrain", recipe, "--set", "model.dim=0")).toMatchObject({ code: 2 });
  expect(await call("pretrain", join(root, "none.yaml"))).toMatchObject({ code: 1 });
  expect(await call("pretrain", "quickstart")).toMatchObject({ code: 1 });
  expect(await call("pretrain", recipe, "--out", join(root, "new"), "--resume")).toMatchObject({ code: 1 });
});
