// The package as a stranger gets it: packed, installed from the registry into empty folders, imported, compiled against, run.
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"; // biome-ignore format: one line
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { inChromium, launchChromium, serveFolders } from "./web/chromium.ts";

const repository = fileURLToPath(new URL("..", import.meta.url));
const { version } = packageJson;
const onWindows = process.platform === "win32";
const ENTRIES = Object.keys(packageJson.exports).filter((entry) => entry !== "./package.json");
const specifierOf = (entry: string) => entry.replace(".", "stillwave");

/** What `npm test` adds to the environment would make an npm below it work on this repository. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle|command|config_local)|INIT_CWD|STILLWAVE_ENGINE)/.test(name)), // biome-ignore format: one line
);

/** @throws with what the program printed where it does not end with 0. */
function run(program: string, args: readonly string[], cwd: string, more: NodeJS.ProcessEnv = {}) {
  const options = { cwd, env: { ...environment, ...more }, maxBuffer: 2 ** 26, shell: onWindows && program === "npm" };
  return new Promise<{ readonly stdout: string; readonly stderr: string }>((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(" ")}: ${error.message}\n${stdout}${stderr}`));
      else resolve({ stdout, stderr });
    });
  });
}
const npm = (cwd: string, ...args: string[]) => run("npm", args, cwd);

const offline = await npm(tmpdir(), "ping", "--fetch-retries=0", "--fetch-timeout=10000").then(
  () => undefined,
  (error: Error) => `the npm registry cannot be reached (${error.message.split("\n")[0]})`,
);
if (offline) console.log(`the installed package: not tested, ${offline}`);

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
const megabytes = (files: readonly string[]) => files.reduce((total, file) => total + statSync(file).size, 0) / 1e6;
const show = (value: number) => `${value.toFixed(1)} MB`;

test("versions that must agree do", () => {
  const examples = JSON.parse(readFileSync(join(repository, "examples", "package.json"), "utf8"));
  expect(packageJson.optionalDependencies["stillwave-examples"]).toBe(examples.version);
  expect(readFileSync(join(repository, "CITATION.cff"), "utf8")).toContain(`\nversion: ${version}\n`);
});

test("each entry of package.json has its source in the paths of tsconfig.json", () => {
  const { compilerOptions } = JSON.parse(readFileSync(join(repository, "tsconfig.json"), "utf8"));
  const sources = Object.entries(packageJson.exports).flatMap(([entry, target]) =>
    typeof target === "string"
      ? []
      : [[specifierOf(entry), [target.types.replace("/dist/", "/src/").replace(".d.ts", ".ts")]]],
  );
  expect(compilerOptions.paths).toEqual(Object.fromEntries(sources));
});

test("the README, which npm shows too, has no relative link", () => {
  const links = [...readFileSync(join(repository, "README.md"), "utf8").matchAll(/\]\(([^)]+)\)/g)].map(
    (match) => match[1],
  );
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((link) => !/^(https:|#)/.test(link))).toEqual([]);
});

test("the lockfile marks no install script, so that npm ci runs none", () => {
  const { packages } = JSON.parse(readFileSync(join(repository, "package-lock.json"), "utf8"));
  const marked = Object.keys(packages).filter((path) => packages[path].hasInstallScript);
  expect(marked, 'delete the "hasInstallScript" of these (CONTRIBUTING.md, "Dependencies")').toEqual([]);
});

// Each step is seconds of work, and minutes where other tests keep the cores busy.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe.skipIf(offline)("the installed package", () => {
  const root = mkdtempSync(join(tmpdir(), "stillwave-package-"));
  const [app, page] = [join(root, "app"), join(root, "page")];
  const installed = join(app, "node_modules", "stillwave");
  const cli = join(installed, "bin", "stillwave.js");
  const tarballs = [`stillwave-${version}.tgz`, `stillwave-examples-${version}.tgz`];
  const stillwave = (args: readonly string[], engine?: "native" | "wasm") =>
    run(process.execPath, [cli, ...args], app, engine && { STILLWAVE_ENGINE: engine });

  beforeAll(async () => {
    // a tree without dist/, as a fresh clone has none; the dist/ of this checkout is in use by other tests
    const tree = join(root, "tree");
    const left = new Set(["node_modules", "dist", "runs", "shared", "coverage", "docs", "site"]);
    const isLeft = (name: string) => left.has(name) || (name.startsWith(".") && name !== ".npmrc");
    cpSync(repository, tree, { recursive: true, filter: (path) => path === repository || !isLeft(basename(path)) });
    symlinkSync(join(repository, "node_modules"), join(tree, "node_modules"), "junction");
    await npm(tree, "pack", "--pack-destination", "..");
    await npm(tree, "pack", "--pack-destination", "..", "--workspace", "stillwave-examples");
    for (const folder of [app, page]) {
      mkdirSync(folder);
      writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
    }
    await Promise.all([
      npm(app, "install", "--prefer-offline", ...tarballs.map((name) => `../${name}`)),
      npm(page, "install", "--prefer-offline", `../${tarballs[0]}`, "--omit=optional"),
    ]);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("the tarball is small, and holds what runs and nothing else", () => {
    const packed = tarballs.map((name) => megabytes([join(root, name)]));
    const all = filesBelow(join(app, "node_modules"));
    console.log(
      `packed ${show(packed[0])} (examples ${show(packed[1])}); installed ${show(megabytes(filesBelow(installed)))}, ` +
        `with all it needs ${show(megabytes(all))}`,
    );
    expect(packed[0]).toBeLessThan(8);
    const top = readdirSync(installed).sort();
    expect(top).toEqual([
      "CHANGELOG.md",
      "CITATION.cff",
      "LICENSE",
      "README.md",
      "bin",
      "dist",
      "package.json",
      "python",
      "recipes",
    ]);
    const sources = filesBelow(join(installed, "dist")).filter((file) => !/(\.js|\.d\.ts)$/.test(file));
    expect(sources).toEqual([]);
  });

  test("each entry can be imported and required, under this Node and Node 24", async () => {
    const specifiers = JSON.stringify(ENTRIES.map(specifierOf));
    const imported = `const names = {}; for (const name of ${specifiers}) names[name] = Object.keys(await import(name));`;
    const required = `const names = {}; for (const name of ${specifiers}) names[name] = Object.keys(require(name));`;
    writeFileSync(join(app, "imported.mjs"), `${imported}\nconsole.log(JSON.stringify(names));\n`);
    writeFileSync(join(app, "required.cjs"), `${required}\nconsole.log(JSON.stringify(names));\n`);
    for (const node of [process.execPath, await node24()]) {
      const names = JSON.parse((await run(node, ["imported.mjs"], app)).stdout);
      for (const entry of ENTRIES) expect(names[specifierOf(entry)].length, entry).toBeGreaterThan(0);
      expect(JSON.parse((await run(node, ["--no-warnings", "required.cjs"], app)).stdout)).toEqual(names);
    }
  });

  test.each([
    ["NodeNext, without a DOM", { module: "NodeNext", lib: ["ES2023"], types: ["node"] }, ["./web"]],
    [
      "Bundler, without Node's types",
      { module: "ESNext", moduleResolution: "Bundler", lib: ["ES2023", "DOM"], types: [] },
      [],
    ],
  ] as const)("a strict TypeScript program compiles: %s", async (_, settings, without: readonly string[]) => {
    const entries = ENTRIES.filter((entry) => !without.includes(entry));
    const imports = entries.map((entry, i) => `import * as entry${i} from "${specifierOf(entry)}";`);
    const program = [
      ...imports,
      'import { initStudent, loadUpstream, type Model } from "stillwave";',
      `export const all: object[] = [${entries.map((_, i) => `entry${i}`)}];`,
      "export const teacher: Promise<Model> = loadUpstream('x');",
      "// @ts-expect-error: a width is needed, which a compiler that found no types would not know",
      "export const student = initStudent({ layers: 2, ffnDim: 8 });",
    ];
    writeFileSync(join(app, "program.ts"), program.join("\n"));
    const typeRoots = [join(repository, "node_modules", "@types")];
    const compilerOptions = {
      target: "ES2023",
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      typeRoots,
      ...settings,
    };
    writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
    await run(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), "-p", "."], app);
  });

  test("the command is linked, and says its version", async () => {
    expect((await npm(app, "exec", "--", "stillwave", "--version")).stdout.trim()).toBe(version);
  });

  test("WebAssembly and the native engine distil alike, and one line tells how to add the latter", async () => {
    const isThere = () => existsSync(join(app, "node_modules", "onnxruntime-node"));
    const settings = ["run.steps=5", "run.validationUtterances=2", "data.batchSize=2", "data.maxSeconds=1"].flatMap(
      (set) => ["--set", set],
    );
    const distil = (out: string, engine?: "wasm") =>
      stillwave(["distill", "quickstart", "--out", out, ...settings, "--json"], engine);
    const first = await distil("wasm", isThere() ? "wasm" : undefined);
    if (!isThere()) {
      const line = /^stillwave: computing on WebAssembly.*: npm (install onnxruntime-node@[\d.]+ --ignore-scripts)$/gm;
      const told = [...first.stderr.matchAll(line)].map((match) => match[1]);
      expect(told.length).toBe(1);
      await npm(app, ...told[0].split(" "));
    }
    expect(readFileSync(join(app, "wasm", "recipe.resolved.yaml"), "utf8")).toContain(
      "teacher: package:examples/hubert-small-libri\n",
    );
    const second = await distil("native");
    expect(second.stderr).not.toContain("WebAssembly");
    const lossesOf = ({ stdout }: { readonly stdout: string }): number[] =>
      stdout.trim().split("\n").map((line) => JSON.parse(line)).filter(({ kind }) => kind === "step").map(({ loss }) => loss.total); // biome-ignore format: one line
    const [wasm, native] = [lossesOf(first), lossesOf(second)];
    expect(native.length).toBe(5);
    const difference = Math.max(...native.map((loss, i) => Math.abs(wasm[i] / loss - 1)));
    console.log(`losses of 5 steps: the engines differ by ${difference.toExponential(1)}`);
    expect(difference).toBeLessThan(1e-5);
  });

  test("without the optional packages the quickstart says what to install", async () => {
    for (const name of ["onnxruntime-node", "stillwave-examples"])
      expect(existsSync(join(page, "node_modules", name))).toBe(false);
    const command = join(page, "node_modules", "stillwave", "bin", "stillwave.js");
    await expect(run(process.execPath, [command, "distill", "quickstart"], page)).rejects.toThrow(
      `which is not installed: npm install stillwave-examples@${version}`,
    );
    const program = 'await (await import("stillwave/node")).createRuntime();';
    const native = run(process.execPath, ["--input-type=module", "-e", program], page, { STILLWAVE_ENGINE: "native" });
    await expect(native).rejects.toThrow("StillwaveError: the native engine is not installed; to add it: npm install");
  });

  inChromium("without the optional packages", () => {
    test("a page that Vite bundles runs an exported student, with the numbers of Node", async () => {
      await stillwave(["export", "native/best", "--out", "student.onnx"]);
      const feeds =
        "{ waveform: { shape: [1, 16000], data: Float32Array.from({ length: 16000 }, (_, i) => ((i * 7919) % 2001) / 1000 - 1) }, " +
        "lengths: { shape: [1], data: BigInt64Array.of(16000n) } }";
      const inNode = `import { openOnnxFile } from "stillwave/node";
        const results = await (await openOnnxFile("student.onnx")).run(${feeds});
        console.log(JSON.stringify([...results["hidden_states.2"].data]));`;
      const inPage = `import { createRuntime } from "stillwave/web";
        const model = await (await createRuntime()).open("/student/student.onnx");
        const results = await model.run(${feeds});
        globalThis.states = [...results["hidden_states.2"].data];`;
      writeFileSync(join(app, "infer.mjs"), inNode);
      writeFileSync(join(page, "main.js"), inPage);
      writeFileSync(join(page, "index.html"), '<script type="module" src="main.js"></script>\n');
      await build({ root: page, configFile: false, logLevel: "error", build: { target: "es2022" } });
      const server = await serveFolders({ "/": join(page, "dist"), "/student/": app }, { isolated: false });
      const browser = await launchChromium();
      try {
        const opened = await browser.newPage();
        await opened.goto(server.url);
        await opened.waitForFunction(() => "states" in globalThis);
        const actual = await opened.evaluate(() => (globalThis as unknown as { states: number[] }).states);
        const expected: number[] = JSON.parse((await run(process.execPath, ["infer.mjs"], app)).stdout);
        expect(expected.length).toBe(49 * 192);
        expect(actual.length).toBe(expected.length);
        const [difference, norm] = [Math.hypot(...actual.map((x, i) => x - expected[i])), Math.hypot(...expected)];
        console.log(
          `a student in Chromium: differs from Node's by ${(difference / norm).toExponential(1)} of the norm`,
        );
        expect(difference / norm).toBeLessThan(1e-5);
      } finally {
        await browser.close();
        await server.close();
      }
    });
  });
});

/** A binary of Node 24, which packages of the registry hold. Kept for the next run. */
async function node24(): Promise<string> {
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const name = [prefix, onWindows ? "win" : process.platform, process.arch].join("-");
  const folder = join(tmpdir(), "stillwave-node-24");
  const binary = join(folder, "node_modules", name, "bin", onWindows ? "node.exe" : "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    await npm(folder, "install", "--prefix", ".", `${name}@24`);
  }
  return binary;
}
