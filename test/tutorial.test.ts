// The tutorial as it stands in docs/: its own commands and files, in a folder of their own, with fewer updates, and its page in Chromium.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { loadAudio } from "../src/audio/index.ts";
import { loadRecognizer } from "../src/index.ts";
import { bin, command, repository } from "./cli/run.ts";
import { temporaryFolder } from "./data/corpora.ts";
import { inChromium, launchChromium, serveFolders } from "./web/chromium.ts";

/** What makes a command short, by its verb; the tutorial's own words stay. */
const SHORTER: Readonly<Record<string, readonly string[]>> = {
  init: ["--threads", "1"],
  distill: ["--set", "run.steps=2", "--set", "data.batchSeconds=4", "--set", "run.validationUtterances=2"],
  superb: ["--steps", "2", "--set", "training.evaluateEvery=1", "--set", "data.most={train: 4, dev: 2, test: 2}"],
  finetune: ["--set", "run.steps=2", "--set", "run.evaluateEverySteps=2", "--set", "data.batchSeconds=8"],
  export: ["--force"],
  transcribe: [],
};

const text = readFileSync(join(repository, "docs/tutorial.md"), "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, block]) => block.trim());
const commands = blocks("bash").flatMap((block) => block.split("\n"));
const ours = commands.filter((line) => line.startsWith("npx stillwave "));
const cwd = temporaryFolder();

/** The packages that a stranger has installed. */
function installPackages() {
  mkdirSync(join(cwd, "node_modules"));
  const packages = { stillwave: ".", "stillwave-examples": "examples", vite: "node_modules/vite" };
  for (const [name, path] of Object.entries(packages))
    symlinkSync(join(repository, path), join(cwd, "node_modules", name));
}

function writeFiles() {
  const [recipe] = blocks("yaml");
  writeFileSync(join(cwd, "recogniser.yaml"), recipe);
  const [page] = blocks("html");
  mkdirSync(join(cwd, "page"));
  writeFileSync(join(cwd, "page/index.html"), page);
}

/** A line of the tutorial as a program and its arguments, shortened where it is one of ours. */
function shortened(line: string): readonly [string, ...string[]] {
  const [program, of, ...rest] = line.split(" ");
  if (program !== "npx") return ["bash", "-c", line];
  if (of === "vite") return [process.execPath, join(cwd, "node_modules/vite/bin/vite.js"), ...rest];
  return [process.execPath, bin, ...rest, ...SHORTER[rest[0]]];
}

test("every command of the tutorial is one of ours, and every verb is shortened on purpose", () => {
  expect(commands.length).toBeGreaterThan(5);
  for (const line of commands) expect(line).toMatch(/^(npx stillwave [a-z]+|npx vite build|mkdir|cp) /);
  expect(new Set(ours.map((line) => line.split(" ")[2]))).toEqual(new Set(Object.keys(SHORTER)));
});

beforeAll(async () => {
  installPackages();
  writeFiles();
  const env = { ...process.env, STILLWAVE_CACHE: join(cwd, "cache"), NO_COLOR: "1" };
  for (const line of commands) {
    const [program, ...args] = shortened(line);
    const { code, stderr, stdout } = await command(program, args, { cwd, env });
    expect(code, `${line}\n${stderr}\n${stdout}`).toBe(0);
  }
}, 600_000);

test("from a folder of audio to a folder for a web server", () => {
  for (const path of [
    "student.yaml",
    "runs/student/best",
    "runs/student-phones/report.html",
    "runs/recogniser/report.html",
    "page/dist/phones.onnx",
  ])
    expect(existsSync(join(cwd, path)), path).toBe(true);
});

inChromium("the tutorial's page", () => {
  test("writes down what a chosen recording says, as the recogniser does in Node", { timeout: 120_000 }, async () => {
    const dist = join(cwd, "page/dist");
    const folder = join(cwd, "speech/test/4992");
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".flac"));
    const recording = join(folder, paths.sort()[0]);
    const wave = await loadAudio(recording);
    const server = await serveFolders({ "/": dist }, { isolated: false });
    const browser = await launchChromium();
    try {
      // the tutorial's own, which says little after two updates, then one that has learnt
      for (const path of [join(dist, "phones.onnx"), join(repository, "web/models/phones/phones.onnx")]) {
        if (!path.startsWith(dist)) copyFileSync(path, join(dist, "phones.onnx"));
        const { text } = await (await loadRecognizer(path, { threads: 1 })).transcribe(wave);
        const page = await browser.newPage();
        await page.goto(server.url);
        const status = page.locator("[role=status]");
        await expect.poll(() => status.textContent(), { timeout: 30_000 }).toBe("Choose a recording.");
        await page.setInputFiles("input", recording);
        await expect.poll(() => status.textContent(), { timeout: 30_000 }).toBe(text);
        if (!path.startsWith(dist)) expect(text.split(" ").length).toBeGreaterThan(8);
        await page.close();
      }
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
