// stillwave compare on evaluations, and superb score: tables, JSON, the page, partial scores, misuse.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareVerb } from "../../../src/cli/compare/compare.ts";
import type { Output } from "../../../src/cli/output.ts";
import { scoreVerb } from "../../../src/cli/superb/score.ts";
import { madeRun, writeRun } from "../../report/runs.ts";
import { silentOutput } from "../silent-output.ts";

let root: string;
let folders: string[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "superb-verbs-"));
  folders = ["teacher", "student"].map((name) => join(root, name));
  await writeRun(folders[0], madeRun("pr", { upstream: "teacher", share: 0.06 }));
  await writeRun(folders[1], madeRun("pr", { upstream: "student", share: 0.2, seed: 2 }));
});
afterAll(() => rm(root, { recursive: true }));

async function superb(...args: string[]) {
  const printed: string[] = [];
  const documents: unknown[] = [];
  let code: number | undefined;
  const output: Output = {
    ...silentOutput,
    print: (text) => void printed.push(text),
    note: (text) => void printed.push(text),
    error: (text) => void printed.push(text),
    json: (value) => void documents.push(value),
    jsonLine: (value) => void documents.push(value),
  };
  const group = new Command("superb").exitOverride().configureOutput({ writeOut: output.print, writeErr: () => {} });
  for (const verb of [compareVerb, scoreVerb])
    verb(group, output, (given) => {
      code = given;
    });
  for (const command of group.commands) command.exitOverride().copyInheritedSettings(group);
  await group.parseAsync(args, { from: "user" }).catch((error: unknown) => {
    if (!(error instanceof CommanderError && error.code === "commander.helpDisplayed")) throw error;
  });
  return { code, text: printed.join("\n"), documents };
}

describe("compare", () => {
  test("compare prints a table a test set, verdicts and partial scores", async () => {
    const { code, text } = await superb("compare", ...folders, "--draws", "200");
    expect(code).toBe(0);
    expect(text).toMatch(
      /^Phoneme recognition on test-clean, 77 utterances \(PER in %, lower is better\)\n\nrun +PER +95 % interval/,
    );
    expect(text).toMatch(/\nteacher is better than student by \d+\.\d\d points of PER/);
    expect(text).toMatch(/teacher +94\.4 M +\d+\.\d\d +\d\d\.\d\d \(partial: 1 of 11\) +\d+ \(partial: 1 of 10\)/);
    for (const line of text.split("\n")) expect(line).toBe(line.trimEnd());
  });

  test("--json and --out", async () => {
    const page = join(root, "pages", "compare.html");
    const { text, documents } = await superb(
      "compare",
      ...folders,
      "--json",
      "--out",
      page,
      "--seed",
      "7",
      "--draws",
      "100",
    );
    expect(text).toBe("");
    expect(documents).toMatchObject([
      { page, bootstrap: { seed: 7, draws: 100 }, tasks: [{ task: "pr" }], scores: [{}, {}] },
    ]);
    expect(JSON.stringify(documents)).toContain('"isPartial":true');
    const html = await readFile(page, "utf8");
    expect(html).toContain("100 bootstrap draws of utterances, seed 7");
    expect((await superb("compare", ...folders, "--out", page, "--draws", "100")).text.endsWith(`\n\n${page}`)).toBe(
      true,
    );
  });

  test.each([
    [["compare"], /missing required argument 'run'/],
    [["compare", "x", "--draws", "0"], /whole number, 1 or more/],
    [["compare", "x", "--seed", "1.5"], /whole number, 0 or more/],
    [["compare", "nowhere"], /nowhere: no such folder/],
  ])("misuse: %j", async (args, message) => {
    await expect(superb(...args)).rejects.toThrow(message);
  });
});

describe("score", () => {
  test("score prints one row an upstream, published results too, partial ones marked", async () => {
    const file = join(root, "published.json");
    await writeFile(file, JSON.stringify({ name: "DPHuBERT", per: 9.67, ks: 96.36 }));
    const { code, text } = await superb("score", ...folders, "--result", file);
    expect(code).toBe(0);
    expect(text).toMatch(/^Scores over tasks\n\nupstream +parameters +per +ks +overall +superb_s\nteacher /);
    expect(text).toMatch(/\nDPHuBERT +— +9\.67 +96\.36 +\d\d\.\d\d \(partial: 2 of 11\)/);
    expect(text).toContain("student: partial scores, not comparable with published ones");
    const { documents } = await superb("score", folders[0], "--json");
    expect(documents).toMatchObject([{ upstreams: [{ name: "teacher", overall: { isPartial: true } }] }]);
  });

  test("score needs a run or a result", async () => {
    await expect(superb("score")).rejects.toThrow(/no runs/);
  });

  test.each([
    ["compare", "stillwave compare"],
    ["score", "stillwave superb score"],
  ])("%s has help with an example", async (verb, command) => {
    const { text } = await superb(verb, "--help");
    expect(text).toMatch(new RegExp(`Examples?:\\n  \\$ ${command} `));
  });
});
