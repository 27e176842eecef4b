// A recipe for one's own speech: what is found, what is chosen, what it will take, and that the recipe trains.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { askFor, shareOf } from "../../src/cli/init/ask.ts";
import { costOf, secondsOf } from "../../src/cli/init/estimate.ts";
import { chooseStudent } from "../../src/cli/init/student.ts";
import { loadRecipe } from "../../src/distill/recipe/read.ts";
import { studentConfig } from "../../src/distill/recipe/student.ts";
import { profile } from "../../src/models/profile.ts";
import { publishedArchitecture } from "../../src/models/published.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { repository, stillwave } from "./run.ts";

const teacher = join(repository, "examples/hubert-small-libri");
const base = publishedArchitecture("facebook/hubert-base-ls960")!;
const flags = ["--teacher", teacher, "--time", "10m", "--threads", "1"];

function folderWithSpeech(from = "examples/speech"): string {
  const folder = temporaryFolder();
  cpSync(join(repository, from), join(folder, "speech"), { recursive: true });
  return folder;
}

describe("stillwave init", () => {
  test("without a terminal: finds splits, writes a recipe that trains, overwrites nothing", async () => {
    const cwd = folderWithSpeech();
    const { code, stdout, stderr } = await stillwave(["init", "mine.yaml", "--data", "speech", ...flags], { cwd });
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("found speech: train: 4.94 minutes in 92 recordings\n"),
    ]);
    expect(stderr).toContain("found speech: dev: 73.4 seconds in 24 recordings");
    expect(stdout).toMatch(/^mine\.yaml: written\nstudent {3}6 layers, width 96: 0\.73 M parameters, 23 % /);
    expect(stdout).toMatch(/\d updates in 10 minutes: .* s of audio a second .* epochs, about \d+ [MG]B of memory/);
    const text = readFileSync(join(cwd, "mine.yaml"), "utf8");
    for (const word of ["Data", "Student", "Estimate", "Command"]) expect(text).toMatch(new RegExp(`^# ${word} `, "m"));
    const recipe = await loadRecipe(join(cwd, "mine.yaml"));
    expect(recipe.data.train).toEqual({ path: "speech", splits: ["train"] });
    expect(recipe.data.validation).toEqual({ path: "speech", splits: ["dev"] });
    const quick = [
      "--set",
      "run.steps=1",
      "--set",
      "data.batchSeconds=4",
      "--set",
      "run.validationUtterances=2",
      "--threads",
      "1",
    ];
    const run = await stillwave(["distill", "mine.yaml", ...quick, "--quiet"], { cwd });
    expect([run.code, run.stderr]).toEqual([0, ""]);
    expect(existsSync(join(cwd, "runs/mine/last/model.safetensors"))).toBe(true);
    const again = await stillwave(["init", "mine.yaml", "--data", "speech", ...flags], { cwd });
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/^stillwave: mine\.yaml: is there already/)]);
    expect(readFileSync(join(cwd, "mine.yaml"), "utf8")).toBe(text);
  });

  test("holds recordings out where the speech has no split for it", async () => {
    const cwd = folderWithSpeech("examples/speech/dev");
    const { code, stdout } = await stillwave(["init", "--data", "speech", ...flags, "--json"], { cwd });
    expect(code).toBe(0);
    const { found, train, validation, student, steps, estimate } = JSON.parse(stdout);
    expect(found.splits).toMatchObject([{ recordings: 24, badFiles: 0 }]);
    expect([train.recordings + validation.recordings, validation.recordings]).toEqual([24, 1]);
    const listed = (name: string) =>
      readFileSync(join(cwd, name), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).path);
    const both = [...listed("recipe-train.jsonl"), ...listed("recipe-dev.jsonl")];
    expect(new Set(both).size).toBe(24);
    expect(both.every((path) => existsSync(join(cwd, path)))).toBe(true);
    const recipe = await loadRecipe(join(cwd, "recipe.yaml"));
    expect(recipe.data.train.path).toBe("recipe-train.jsonl");
    const config = studentConfig(recipe, await inspected());
    expect(student.parameters).toBe(profile(config).parameters.withoutHeads);
    expect(steps).toBe(recipe.run.steps);
    expect(estimate.memoryBytes).toBeGreaterThan(3e8);
  });

  const inspected = async () =>
    (await (await import("../../src/cli/inspect/subject.ts")).inspectSubject(teacher)).architecture;

  test("mistakes are told before anything is written", async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "empty"));
    writeFileSync(join(cwd, "there.yaml"), "mine");
    for (const [args, message] of [
      [["init"], /^stillwave: init: say where the speech is, with --data/],
      [["init", "--data", "nowhere", ...flags], /nowhere/],
      [["init", "--data", "empty", ...flags], /empty/],
      [["init", "mine.txt", "--data", "empty"], /mine\.txt: a recipe is a \.yaml file/],
      [["init", "--data", "empty", "--time", "soon"], /expected a time such as 30m/],
      [["init", "--data", "empty", "--share", "2"], /expected a share such as 0\.25/],
      [
        ["init", "--data", join(repository, "examples/speech"), "--dev", "test", ...flags],
        /--dev test: .* has the splits dev, train/,
      ],
    ] as const) {
      const { code, stderr } = await stillwave(args, { cwd });
      expect(code).toBeGreaterThan(0);
      expect(stderr).toMatch(message);
    }
    expect(readdirSync(cwd).sort()).toEqual(["empty", "there.yaml"]);
  });
});

describe("what is chosen", () => {
  test("a quarter of HuBERT Base is as wide as the published student, 432 to 480", () => {
    const { dim, layers, heads, config } = chooseStudent(base, 0.25);
    expect([dim, layers, heads]).toEqual([480, 12, 12]);
    const { withoutHeads } = profile(config).parameters;
    expect(withoutHeads / profile(base).parameters.withoutHeads).toBeLessThanOrEqual(0.25);
    expect(config.attentionFrom.slice(0, 4)).toEqual([0, 0, 2, 2]);
  });

  test("memory agrees with what was measured of ARMHuBERT: 1.7 GB for the student's graph at 2 x 15 s", async () => {
    const student = studentConfig(await loadRecipe("armhubert-960"), base);
    const { memory } = costOf({ student, teacher: base }, { batchSeconds: 30, utteranceSeconds: 15 });
    const [own, its] = [profile(student).parameters.total, profile(base).parameters.total];
    const graph = memory - 300e6 - 4 * its - 16 * own;
    expect(graph / 1.7e9).toBeGreaterThan(0.7);
    expect(graph / 1.7e9).toBeLessThan(1.4);
  });

  test("durations and shares", () => {
    expect(["30m", "2h", "1.5d", "2 h"].map(secondsOf)).toEqual([1800, 7200, 129_600, 7200]);
    expect(["", "2", "0h", "h", "-1h"].map(secondsOf)).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(["0.25", "25%", "1", ".5", "0", "1.1", "x"].map(shareOf)).toEqual([
      0.25,
      0.25,
      1,
      0.5,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test("on a terminal it asks for what no flag says, again where an answer makes no sense", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = "";
  output.on("data", (chunk) => {
    shown += chunk;
  });
  input.end("mine\n\nmuch\n30%\n2h\n");
  const defaults = { data: "speech", teacher: "usual", share: 0.25, budgetSeconds: 3600 };
  expect(await askFor({}, defaults, { input, output })).toEqual({
    data: "mine",
    teacher: "usual",
    share: 0.3,
    budgetSeconds: 7200,
  });
  expect(shown.match(/Share of its parameters/g)).toHaveLength(2);
  const none = { input: new PassThrough(), output: new PassThrough() };
  none.input.end();
  expect(await askFor({ data: "a" }, defaults, none)).toEqual({ ...defaults, data: "a" });
});
