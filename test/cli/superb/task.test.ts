// stillwave superb pr|asr|ks|sid|ic as processes: events, exit codes, what flags become, help, and real signals.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { main } from "../../../src/cli/main.ts";
import type { EvaluateEvent } from "../../../src/library/evaluate.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { answersOf, leftBehind, rateOf, resultOf } from "../../superb/run/evaluations.ts";
import { speechCorpus } from "../../superb/speech.ts";
import { bin, repository, stillwave } from "../run.ts";
import { silentOutput } from "../silent-output.ts";

const root = temporaryFolder();
const corpus = speechCorpus();
const common = ["--upstream", "fbank", "--data", corpus, "--cache", join(root, "cache"), "--threads", "1"];
const trained = ["--steps", "40", "--eval-every", "10", "--accumulate", "3", "--projection", "16"];
const whole = join(root, "whole");

const eventsOf = (stdout: string): EvaluateEvent[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as EvaluateEvent);

/** The same command within this process: loading it takes longer than what most of them do. */
async function within(...args: string[]) {
  const lines = { stdout: "", stderr: "" };
  const to = (name: "stdout" | "stderr") => (text: string) => {
    lines[name] += `${text}\n`;
  };
  const [print, note] = [to("stdout"), to("stderr")];
  const asText = (value: unknown) => print(JSON.stringify(value));
  const code = await main(args, { ...silentOutput, print, note, error: note, json: asText, jsonLine: asText });
  return { code, ...lines };
}

/** The same data, keys the other way round. */
const reversed = (value: unknown): unknown =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).reverse().map(([key, child]) => [key, reversed(child)])); // biome-ignore format: one line

test("--data alone says what is there before it asks for an upstream", async () => {
  const { code, stderr } = await within("superb", "pr", "--data", corpus);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /: splits of speech; found train.*\n(?:.*\n)*.*required option '--upstream <model>' not specified/,
  );
});

describe("an evaluation", () => {
  let events: EvaluateEvent[];
  beforeAll(async () => {
    const { code, stdout, stderr } = await stillwave(["superb", "pr", ...common, ...trained, "--out", whole, "--json"]);
    expect([code, stderr]).toEqual([0, ""]);
    events = eventsOf(stdout);
  });

  test("--json: one event a line, the last one with the result", () => {
    expect([...new Set(events.map(({ kind }) => kind))]).toEqual([
      "note",
      "cache-start",
      "cache-batch",
      "cache-done",
      "start",
      "training",
      "step",
      "evaluation",
      "testing",
      "done",
    ]);
    expect(events.flatMap((event) => (event.kind === "step" ? [event.step] : []))).toEqual(Array.from({ length: 40 }, (_, i) => i + 1)); // biome-ignore format: one line
    const last = events.at(-1)!;
    expect(last.kind === "done" && last.result).toEqual(JSON.parse(readFileSync(join(whole, "result.json"), "utf8")));
    for (const file of ["run.json", "report.html", "head/head.json", "predictions/test.jsonl"]) expect(existsSync(join(whole, file)), file).toBe(true); // biome-ignore format: one line
  });

  test("for people: the same folder, done before, and its numbers", async () => {
    const { code, stdout } = await within("superb", "pr", ...common, ...trained, "--out", whole, "--resume");
    expect(code).toBe(0);
    const rate = rateOf(answersOf(whole, "predictions/test.jsonl")).toFixed(2);
    expect(stdout).toMatch(new RegExp(`^${whole}: was done before\ntest +PER ${rate} % \\(\\d+\\.\\d\\d to \\d+\\.\\d\\d at 95 %\\)\n`)); // biome-ignore format: one line
    expect(stdout).toMatch(/\ndev +\d+\.\d\d %, step \d0 at learning rate 1e-2\nlayer weights +fbank 1\.000\n/);
    expect(stdout).toContain(`report           ${join(whole, "report.html")}`);
  });

  test("a recipe with its settings is the same run, and flags win over it", async () => {
    const recipe = join(root, "whole.yaml");
    const settings = {
      upstream: { model: "fbank" },
      data: { root: corpus },
      training: { steps: 40, evaluateEvery: 10, accumulate: 3 },
      head: { projection: 16 },
      features: { cache: join(root, "cache") },
      run: { outDir: whole, threads: 1 },
    };
    writeFileSync(recipe, JSON.stringify(settings));
    // what a run was begun with is compared by its values, in whatever order they stand
    const record = join(whole, "run.json");
    writeFileSync(record, JSON.stringify(reversed(JSON.parse(readFileSync(record, "utf8")))));
    const done = await within("superb", "pr", recipe, "--resume");
    expect([done.code, done.stdout.split("\n")[0]]).toEqual([0, `${whole}: was done before`]);
    const other = await within("superb", "pr", recipe, "--set", "training.seed=5", "--seed", "4", "--resume");
    expect(other.stderr).toMatch(/begun otherwise:\n {2}settings\.seed 0, now 4\n/);
  });

  test("a folder by default, named by task and upstream; flags are settings", async () => {
    const cwd = temporaryFolder();
    const flags = {
      lr: "1e-2,1e-3",
      protocol: "superb",
      steps: "4",
      "sweep-steps": "2",
      batch: "7",
      accumulate: "1",
      "eval-every": "2",
      patience: "3",
      schedule: "warmup",
      warmup: "1",
      clip: "0.5",
      seed: "11",
      projection: "9",
    };
    const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const { code, stdout, stderr } = await stillwave(["superb", "pr", ...common, ...given, "--normalize-states", "--beam", "2"], { cwd }); // biome-ignore format: one line
    expect([code, stderr.includes("stillwave:")]).toEqual([0, false]);
    expect(stdout).toMatch(/^runs\/superb-pr-fbank: done\n/);
    expect(stderr).toMatch(/learning rate 1e-2 is the best of 2 on dev|learning rate 1e-3 is the best of 2 on dev/);
    expect(stderr).toMatch(/lr 1e-3, step 2: dev \d+\.\d\d %, loss [\d.]+ train, [\d.]+ dev; the best so far/);
    const { identity } = JSON.parse(readFileSync(join(cwd, "runs/superb-pr-fbank/run.json"), "utf8"));
    expect(identity.settings).toEqual({
      protocol: "superb",
      learningRates: [1e-2, 1e-3],
      steps: 4,
      sweepSteps: 2,
      batchSize: 7,
      accumulate: 1,
      clip: 0.5,
      evaluateEvery: 2,
      patience: 3,
      schedule: "warmup",
      warmup: 1,
      specAugment: false,
      seed: 11,
    });
    expect(identity.head).toMatchObject({ kind: "frames", projection: 9, normalizeStates: true });
    expect(identity.decoding).toEqual({ beam: 2 });
  });

  test("of characters, with its own flags", async () => {
    const out = join(root, "asr");
    const flags = ["--hidden", "4", "--stack", "4", "--no-specaugment", "--steps", "2", "--projection", "8"];
    const { code, stdout } = await within("superb", "asr", ...common, ...flags, "--out", out, "--json");
    expect(code).toBe(0);
    expect(eventsOf(stdout).at(-1)).toMatchObject({ kind: "done", result: { task: "asr", metric: { name: "WER" } } });
    const { identity } = JSON.parse(readFileSync(join(out, "run.json"), "utf8"));
    expect(identity.settings.specAugment).toBe(false);
    expect(identity.head).toMatchObject({ kind: "bilstm", hidden: 4, stack: 4 });
  });
});

describe("exit code 1, and what to do", () => {
  const out = join(root, "failed");

  test.each<[string[], RegExp]>([
    [["pr", "--data", "nowhere"], /^stillwave: nowhere: no such folder or manifest/],
    [["ks"], /^stillwave: .*: keyword has labels that occur in dev or test only: 121, 1284, 1320, 4992, 5639$/m],
    [["pr", "--upstream", "nowhere"], /^stillwave: nowhere: .*no such file or folder/m],
    [["pr", "--phones", "nowhere.txt"], /^stillwave: nowhere\.txt: no such phones file/m],
    [["pr", "--test", "nothing"], /no split "nothing"; present: dev, test, train/],
    [["asr", "--lm", "nowhere.arpa"], /^stillwave: nowhere\.arpa: no such language model file/m],
    [["pr", "--out", repository], /not empty and no evaluation \(no run\.json\); give another --out/],
    [["pr", "--out", whole], /holds an evaluation already; go on with it by --resume/],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await within("superb", args[0], ...common, "--out", out, ...args.slice(1));
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([1, ""]);
  });

  test("--json says it as JSON", async () => {
    const { code, stdout, stderr } = await stillwave(["superb", "pr", ...common, "--data", "nowhere", "--out", out, "--json"]); // biome-ignore format: one line
    expect(code).toBe(1);
    const message = "nowhere: no such folder or manifest; --data is a corpus in LibriSpeech's layout, a manifest, or a folder of manifests (train.csv, dev.csv, test.csv) or of Kaldi folders"; // biome-ignore format: one line
    expect(JSON.parse(stdout)).toEqual({ error: { kind: "failed", message } });
    expect(stderr).toBe(`stillwave: ${message}\n`);
  });

  test("a resume with another option lists it", async () => {
    const { code, stderr } = await within("superb", "pr", ...common, ...trained, "--seed", "4", "--out", whole, "--resume"); // biome-ignore format: one line
    expect(code).toBe(1);
    expect(stderr).toMatch(/begun otherwise:\n {2}settings\.seed 0, now 4\nresume it as it was begun/);
  });
});

describe("exit code 2", () => {
  test("of the process", async () => {
    const { code, stdout, stderr } = await stillwave(["superb", "pr", ...common, "--upstrm", "fbank"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/unknown option '--upstrm'\n\(Did you mean --upstream\?\)/);
  });

  test.each<[string[], RegExp]>([
    [["pr", "--data", "x"], /required option '--upstream <model>' not specified/],
    [["pr", "--upstream", "fbank"], /required option '--data <dir>' not specified/],
    [["pr", ...common, "--lr", "fast"], /expected sweep or numbers such as 1e-2,1e-3/],
    [["pr", ...common, "--lr", "1e-2,"], /expected sweep or numbers/],
    [["pr", ...common, "--steps", "0"], /option '--steps <n>' argument '0' is invalid/],
    [["pr", ...common, "--clip", "-1"], /option '--clip <norm>' argument '-1' is invalid/],
    [["pr", ...common, "--protocol", "free"], /Allowed choices are fixed, superb/],
    [["pr", ...common, "--force"], /--force goes with --resume/],
    [["pr", ...common, "--warmup", "3"], /warmup: a constant rate has none; add --schedule warmup/],
    [["pr", ...common, "--lr", "1e-2,1e-2"], /lr: 0\.01 is there twice/],
    [["pr", ...common, "--hidden", "3"], /unknown option '--hidden'/],
    [["pr", ...common, "--dev", "dev", "--test", "dev"], /split "dev" is to be both dev and test/],
    [["ks", ...common, "--lexicon", "x"], /unknown option '--lexicon'/],
    [["asr", ...common, "--lm-weight", "2"], /--lm-weight means nothing without a language model/],
    [["pr", ...common, "--part", "student"], /fbank/],
    [["pr", ...common.filter((word) => word !== "--cache" && !word.endsWith("cache")), "--no-cache", "--dtype", "float16"], /without a cache they are float32/], // biome-ignore format: one line
    [["mt", ...common], /unknown command 'mt'/],
  ])("%j", async (args, message) => {
    const out = args.includes("--upstream") ? ["--out", join(root, "misused")] : [];
    const { code, stdout, stderr } = await within("superb", ...args, ...(args[0] === "mt" ? [] : out));
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});

describe("help", () => {
  test.each([
    ["pr", ["--lexicon", "--phones", "--stress", "--beam", "--train"], ["--hidden", "--labels", "--lm "]],
    ["asr", ["--hidden", "--stack", "--no-specaugment", "--lm ", "--lm-weight", "--word-score", "--spellings"], ["--labels", "--stress"]], // biome-ignore format: one line
    ["ks", ["--labels", "--test-data"], ["--lexicon", "--split-file", "--beam", "--hidden"]],
    ["sid", ["--labels", "--split-file"], ["--lexicon", "--test-data", "--beam"]],
    ["ic", ["--labels"], ["--lexicon", "--test-data", "--split-file"]],
  ])("of %s: its flags, an example", async (name, own, others) => {
    const { code, stdout: text } = await within("superb", name, "--help");
    expect(code).toBe(0);
    for (const flag of ["--upstream", "--data", "--out", "--lr", "--resume", "--force", "--json", "--no-cache", ...own]) expect(text).toContain(`  ${flag}`); // biome-ignore format: one line
    for (const flag of others) expect(text).not.toContain(`  ${flag}`);
    expect(text).toMatch(new RegExp(`Example:\n  \\$ stillwave superb ${name} --upstream \\S+ --data \\S+`));
    expect(text).toContain("Ctrl-C keeps a checkpoint; --resume goes on.");
  });
});

describe("real signals", () => {
  interface Ended {
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly events: EvaluateEvent[];
    readonly stderr: string;
  }

  /** Runs the evaluation of the beginning; `act` gets the process once it has told its `after`-th event of this kind. */
  function run(
    out: string,
    resume: boolean,
    kind: string,
    after: number,
    act: (child: ChildProcess) => void,
  ): Promise<Ended> {
    const args = [bin, "superb", "pr", ...common, ...trained, "--out", out, "--json", ...(resume ? ["--resume"] : [])];
    const child = spawn(process.execPath, args, { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr, seen] = ["", "", 0];
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk;
      const count = stdout.split(`{"kind":"${kind}"`).length - 1;
      if (seen < after && count >= after) act(child);
      seen = count;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk;
    });
    return new Promise((resolve) => {
      // a killed process may leave half a line
      child.on("close", (code, signal) => resolve({ code, signal, stderr, events: eventsOf(stdout.slice(0, stdout.lastIndexOf("\n") + 1)) })); // biome-ignore format: one line
    });
  }

  test("SIGKILL while it trains, twice, then --resume: byte for byte what it would have been", async () => {
    const out = join(root, "killed");
    for (const [after, resume] of [
      [4, false],
      [11, true],
    ] as const) {
      const ended = await run(out, resume, "step", after, (child) => child.kill("SIGKILL"));
      expect(ended.signal, ended.stderr).toBe("SIGKILL");
      expect(existsSync(join(out, "run.lock"))).toBe(true);
    }
    const { code, events } = await run(out, true, "none", 1, () => {});
    expect(code).toBe(0);
    // from an evaluation, as there was no time for anything
    expect(events.find(({ kind }) => kind === "training")).toMatchObject({ step: expect.toSatisfy((n) => n >= 10 && n % 10 === 0) }); // biome-ignore format: one line
    expect(events.some((event) => event.kind === "note" && event.text.includes("took over"))).toBe(true);
    expect(leftBehind(out)).toEqual(leftBehind(whole));
    expect(resultOf(out)).toEqual(resultOf(whole));
  });

  test("SIGINT keeps a checkpoint and ends with 130", async () => {
    const out = join(root, "stopped");
    const ended = await run(out, false, "step", 5, (child) => child.kill("SIGINT"));
    expect(ended).toMatchObject({ code: 130, signal: null });
    expect(ended.events.at(-1)).toMatchObject({ kind: "interrupted", folder: out, remedy: expect.stringContaining("--resume") }); // biome-ignore format: one line
    expect(ended.stderr).toContain("stopping with a checkpoint; press again to stop at once");
    const steps = ended.events.flatMap((event) => (event.kind === "step" ? [event.step] : []));
    const { code, events } = await run(out, true, "none", 1, () => {});
    expect(code).toBe(0);
    expect(events.find(({ kind }) => kind === "training")).toMatchObject({ step: steps.at(-1) });
    expect(leftBehind(out)).toEqual(leftBehind(whole));
  });
});
