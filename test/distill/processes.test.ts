// Several processes of one run on XLA's CPU devices: the weights of one process, whoever computes what; one that is killed ends
// all; Ctrl-C in one stops all at the same step; a resumed run ends with the bits of one that was not interrupted.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test, vi } from "vitest";
import { readAllSafetensors } from "../../src/checkpoint/formats/safetensors.ts";
import { writeModelFolder } from "../../src/checkpoint/index.ts";
import { readMetrics } from "../../src/log/index.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { wav16 } from "../audio/signals.ts";
import { typescriptOptions } from "../built/built.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { teacherConfig } from "./learner/tiny.ts";

const SCRIPT = fileURLToPath(new URL("./child-part.ts", import.meta.url));
const STEPS = 6;
/** Compilation takes most of the time, and nothing here asks for speed. */
const XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true";
const CONV = [
  [8, 10, 10],
  [8, 4, 4],
] as const;

let root: string;

/** Eight files in batches of four; three for validation, which two cannot share out. */
function writeSpeech(): void {
  for (const [split, count] of [
    ["train", 8],
    ["dev", 3],
  ] as const) {
    mkdirSync(join(root, "speech", split), { recursive: true });
    for (let i = 0; i < count; i++) {
      const random = new Random(i, split);
      const noise = Array.from({ length: 700 + 90 * ((i * 7) % 10) }, () => Math.round(3000 * random.normal()) / 32768);
      writeFileSync(join(root, "speech", split, `${split}${i}.wav`), wav16(noise));
    }
  }
}

async function writeTeacher(): Promise<void> {
  const config = teacherConfig({
    conv: CONV.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
    posConv: { kernel: 4, groups: 2 },
  });
  await writeModelFolder(join(root, "teacher"), {
    config,
    parameters: initParameters(config, { seed: 1 }),
    card: "",
    extra: {},
  });
}

function recipeFile(name: string, validation = true): string {
  const path = join(root, `${name}.yaml`);
  const speech = JSON.stringify(join(root, "speech"));
  const validationPath = validation ? `{ path: ${speech}, splits: [dev] }` : "null";
  writeFileSync(
    path,
    `
teacher: ${JSON.stringify(join(root, "teacher"))}
student: { layers: 2, dim: 12, ffnDim: 16, heads: 2, conv: ${JSON.stringify(CONV)}, attentionFrom: every 2, posConv: { kernel: 4, groups: 2 } }
data: { train: { path: ${speech}, splits: [train] }, validation: ${validationPath}, batchSize: 4, lengths: 1, workers: 1 }
optimizer: { peakLr: 0.01, clipNorm: 0.5 }
run: { device: "xla:cpu", steps: ${STEPS}, outDir: ${JSON.stringify(join(root, name))}, validateEverySteps: 3, checkpointEverySteps: 2, logEverySteps: 1, threads: 1 }
`,
  );
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

interface Start {
  readonly processes: number;
  readonly devices?: number;
  readonly resume?: boolean;
  /** Called with all processes when the first has done so many updates. */
  readonly after?: number;
  readonly act?: (children: readonly ChildProcess[]) => void;
}

/** The ends of all processes of a start. */
async function run(recipe: string, { processes, devices = 1, resume, after = STEPS, act }: Start): Promise<Ended[]> {
  const port = await freePort();
  const args = [
    "-n",
    "5",
    process.execPath,
    ...typescriptOptions(),
    SCRIPT,
    recipe,
    String(after),
    ...(resume ? ["--resume"] : []),
  ];
  const children = Array.from({ length: processes }, (_, rank) => {
    const place = { RANK: rank, WORLD_SIZE: processes, MASTER_ADDR: "127.0.0.1", MASTER_PORT: port };
    const env = {
      ...process.env,
      ...place,
      STILLWAVE_XLA_DEVICES: devices,
      STILLWAVE_CACHE: join(root, "cache"),
      XLA_FLAGS,
    };
    const texts = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
    return spawn("nice", args, { env: texts, stdio: ["ignore", "pipe", "pipe"] });
  });
  return Promise.all(
    children.map(
      (child, rank) =>
        new Promise<Ended>((resolve) => {
          let output = "";
          let isActed = false;
          const read = (chunk: Buffer) => {
            output += chunk;
            const updates = output.match(/^step /gm)?.length ?? 0;
            if (rank === 0 && act && !isActed && updates >= after) {
              isActed = true;
              act(children);
            }
          };
          child.stdout.on("data", read);
          child.stderr.on("data", read);
          child.on("close", (code, signal) => resolve({ code, signal, output }));
        }),
    ),
  );
}

const doneLine = ({ output }: Ended) => /^done .*$/m.exec(output)?.[0];
const lossesOf = ({ output }: Ended) => [...output.matchAll(/^step (\d+) (\S+)$/gm)].map(([, , loss]) => Number(loss));

async function weightsOf(name: string): Promise<Float32Array> {
  const tensors = await readAllSafetensors(
    join(root, name, "checkpoints", `step-0000000${STEPS}`, "weights.safetensors"),
  );
  return Float32Array.from([...tensors.values()].flatMap(({ data }) => [...data]));
}

function relativeL2(a: Float32Array, b: Float32Array): number {
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i])) / norm(b);
}

// seconds on a quiet machine; compilers of both processes share its cores
vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 });

describeWithPlugin("several processes", () => {
  let one: Ended;
  let two: Ended[];
  beforeAll(async () => {
    root = temporaryFolder();
    writeSpeech();
    await writeTeacher();
    [one] = await run(recipeFile("one"), { processes: 1 });
    two = await run(recipeFile("two"), { processes: 2 });
  });

  test("two end with the weights, losses and metrics of one", async () => {
    expect([one, ...two].map(({ code, output }) => (code === 0 ? 0 : output))).toEqual([0, 0, 0]);
    expect(doneLine(two[1])).toBe(doneLine(two[0]));
    expect(lossesOf(two[1])).toEqual(lossesOf(two[0]));
    for (const [i, loss] of lossesOf(one).entries())
      expect(Math.abs(lossesOf(two[0])[i] / loss - 1)).toBeLessThan(1e-6);
    expect(relativeL2(await weightsOf("two"), await weightsOf("one"))).toBeLessThan(1e-6);
    const [ours, theirs] = await Promise.all(
      ["two", "one"].map((name) => readMetrics(join(root, name, "metrics.jsonl"))),
    );
    expect(ours.map(({ kind, step }) => [kind, step])).toEqual(theirs.map(({ kind, step }) => [kind, step]));
    for (const [i, row] of ours.entries()) {
      const other = theirs[i];
      expect(Math.abs(row.loss / other.loss - 1)).toBeLessThan(1e-6);
      if (row.kind === "train" && other.kind === "train")
        expect([row.maskedFraction, row.paddedFraction]).toEqual([other.maskedFraction, other.paddedFraction]);
    }
  });

  test("two processes of two devices do too", async () => {
    const ends = await run(recipeFile("four", false), { processes: 2, devices: 2 });
    expect(ends.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual([0, 0]);
    expect(relativeL2(await weightsOf("four"), await weightsOf("one"))).toBeLessThan(1e-6);
  });

  test("a signal in one stops all at one step, one killed ends all, and resumed they end with the bits of two", async () => {
    const recipe = recipeFile("stopped");
    const stopped = await run(recipe, { processes: 2, after: 2, act: ([, child]) => child.kill("SIGINT") });
    const [said] = stopped[0].output.match(/^stopped at \d$/m) ?? [];
    expect(said).toMatch(/[23]$/);
    expect(stopped[1].output).toContain(said);
    expect(stopped.map(({ code }) => code)).toEqual([130, 130]);
    const options = { processes: 2, resume: true };
    const [first, second] = await run(recipe, { ...options, after: 1, act: ([, child]) => child.kill("SIGKILL") });
    expect(first.output).toContain(`resumed from`);
    expect([second.signal, first.code]).toEqual(["SIGKILL", 1]);
    // how the system tells of a killed process's connection is chance
    expect(first.output).toMatch(
      /^error: process 1 of 2 is gone \((its connection was closed|read ECONNRESET)\); look at what it printed$/m,
    );
    expect((await run(recipe, options)).map(doneLine)).toEqual(two.map(doneLine));
  });

  test("a run that was done is done in all, and a folder that holds one an error in all", async () => {
    const recipe = recipeFile("two");
    expect((await run(recipe, { processes: 2, resume: true })).map(doneLine)).toEqual(two.map(doneLine));
    const ends = await run(recipe, { processes: 2 });
    expect(ends.map(({ code }) => code)).toEqual([1, 1]);
    for (const { output } of ends) expect(output).toContain("holds a run already");
  });
});
