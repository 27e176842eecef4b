// Models pushed to a hub that runs in this process: what arrives, what the card says, and what every refusal is told as.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import { readFrontMatter } from "../../src/checkpoint/write/front-matter.ts";
import { StillwaveError } from "../../src/errors.ts";
import { type PushOptions, pushModel } from "../../src/publish/push.ts";
import { modelFingerprints } from "../../src/upstream/model-upstream.ts";
import { loadUpstream } from "../../src/upstream/node.ts";
import { openUpstream } from "../../src/upstream/open.ts";
import { stillwave } from "../cli/run.ts";
import { tinyModel, waveforms } from "../export/cases.ts";
import { HubServer } from "./hub-server.ts";

const student = fileURLToPath(new URL("../../examples/student-small-libri", import.meta.url));
const ENVIRONMENT = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"];

let root = "";
let hub: HubServer;
let notes: string[] = [];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-push-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(async () => {
  hub = new HubServer();
  await hub.start();
  notes = [];
  for (const name of ENVIRONMENT) vi.stubEnv(name, undefined);
  vi.stubEnv("HF_ENDPOINT", `${hub.url}/`);
  vi.stubEnv("HF_HOME", mkdtempSync(join(root, "home-")));
  vi.stubEnv("HF_TOKEN", hub.token);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
});

const push = (source: string, options: PushOptions = {}, name = "org/student") =>
  pushModel(source, name, { onNote: (text) => notes.push(text), ...options });

/** A tiny student in a folder of its own. */
async function tinyFolder(name: string, extra: Record<string, unknown> = {}): Promise<string> {
  const folder = join(root, name);
  await writeModelFolder(folder, { ...tinyModel(), extra });
  return folder;
}

describe("what arrives", () => {
  test("every file, byte for byte, the weights by LFS, and the hub's student is the one on disk", async () => {
    const seen: [number, number][] = [];
    const result = await push(student, { message: "First", onProgress: (...at) => seen.push(at) });
    const repository = hub.repositories.get("org/student")!;
    expect(result).toMatchObject({ created: true, url: `${hub.url}/org/student`, commit: repository.commit });
    expect(repository).toMatchObject({ isPrivate: false, title: "First" });
    expect([...repository.files.keys()].sort()).toEqual(readdirSync(student).sort());
    for (const [name, data] of repository.files)
      if (name !== "README.md") expect(data.equals(readFileSync(join(student, name))), name).toBe(true);
    expect([...repository.large]).toEqual(["model.safetensors"]);
    const { length } = readFileSync(join(student, "model.safetensors"));
    expect(hub.uploads).toEqual([{ length: String(length), bytes: length }]);
    const [firstBytes, total] = seen[0];
    expect(firstBytes).toBeLessThan(length);
    expect(seen.at(-1)).toEqual([total, total]);
    for (const [i, [bytes]] of seen.entries()) expect(bytes).toBeGreaterThanOrEqual(seen[i - 1]?.[0] ?? 0);

    const own = await loadModel(student);
    const wave = waveforms(3, 8000);
    const model = await loadUpstream("org/student");
    expect(model.config).toEqual(own.config);
    expect(model.parameters).toEqual(own.parameters);
    expect((await model.extract(wave)).heads).toHaveLength(6);
    await model.dispose();
    const [there, here] = await Promise.all([openUpstream("org/student"), openUpstream(student)]);
    expect(there.fingerprint).toBe(here.fingerprint);
    expect(there.layers).toEqual(["head 1", "head 2", "head 3", "head 4", "head 5", "head 6"]);
    await Promise.all([there.dispose(), here.dispose()]);
  });

  test("large files in parts, and a second push sends no large file again", async () => {
    hub.partBytes = 300_000;
    await push(student);
    const data = readFileSync(join(student, "model.safetensors"));
    expect(hub.repositories.get("org/student")!.files.get("model.safetensors")!.equals(data)).toBe(true);
    expect(hub.uploads).toHaveLength(Math.ceil(data.length / 300_000));
    const again = await push(student);
    expect(again.created).toBe(false);
    expect(hub.uploads).toHaveLength(Math.ceil(data.length / 300_000));
  });

  test("of a run its best model, onnx files below it too, and nothing hidden or temporary", async () => {
    const run = join(root, "arm-s");
    const best = await tinyFolder("arm-s/best", { distilled: { teacher: "hubert" } });
    mkdirSync(join(best, "onnx"));
    writeFileSync(join(best, "onnx", "model.onnx"), "onnx bytes");
    for (const name of [".lock", "left.tmp"]) writeFileSync(join(best, name), "x");
    writeFileSync(join(run, "run.json"), "{}");
    const { folder } = await push(run);
    expect(folder).toBe(best);
    const { files, large } = hub.repositories.get("org/student")!;
    expect([...files.keys()].sort()).toEqual(
      ["README.md", "config.json", "model.safetensors", "modeling_stillwave.py", "onnx/model.onnx", "preprocessor_config.json"], // biome-ignore format: one line
    );
    expect(large).toEqual(new Set(["model.safetensors", "onnx/model.onnx"]));
    expect(String(files.get("onnx/model.onnx"))).toBe("onnx bytes");
  });

  test("a private repository is made so, and one that is there stays as it is", async () => {
    const folder = await tinyFolder("private");
    await push(folder, { private: true });
    expect(hub.repositories.get("org/student")!.isPrivate).toBe(true);
    hub.repositories.get("org/student")!.isPrivate = false;
    await push(folder, { private: true });
    expect(notes.join()).toContain("is there already and is public");
  });
});

describe("the card", () => {
  test("says what the user says, and names nothing of this machine", async () => {
    const folder = await tinyFolder("carded");
    writeFileSync(join(folder, "README.md"), `---\ntags: [mine]\nlicense: mit\n---\n# Mine\nFrom ${folder}/data.\n`);
    const fields = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...fields, _name_or_path: folder }));
    const { card } = await push(folder, {
      license: "cc-by-4.0",
      baseModels: ["facebook/hubert-base-ls960"],
      datasets: ["a/b", "c"],
    });
    const sent = hub.repositories.get("org/student")!.files;
    expect(String(sent.get("README.md"))).toBe(card);
    expect(readFrontMatter(card, "card")).toMatchObject({
      license: "cc-by-4.0",
      base_model: "facebook/hubert-base-ls960",
      datasets: ["a/b", "c"],
      tags: ["mine"],
      library_name: "transformers",
      pipeline_tag: "feature-extraction",
    });
    for (const [name, data] of sent) expect(data.includes(root), name).toBe(false);
    expect(card).toContain("# Mine\nFrom carded/data.\n");
    expect(notes.join()).toContain("config.json names paths of this machine");
    expect(JSON.parse(String(sent.get("config.json"))).stillwave).toEqual(fields.stillwave);
  });

  /** An evaluation run as `stillwave superb pr` leaves it. */
  function writeResult(run: string, fingerprint: string, kind = "model"): void {
    mkdirSync(run, { recursive: true });
    const split = { utterances: 1, seconds: 1, source: "x" };
    const metric = { name: "PER", value: 12.3456, low: 11, high: 14.5, confidence: 0.95, isHigherBetter: false };
    const rate = { learningRate: 0.01, steps: 1, best: null, curve: [], skippedSteps: 0, chosen: true };
    const result = {
      ...{
        format: 1,
        task: "pr",
        created: "2026-11-26",
        protocol: "fixed",
        options: {},
        metric,
        dev: null,
        unit: "phone",
      },
      upstream: { name: "x", kind, fingerprint, layers: ["head 1"], dim: 40, samplesPerFrame: 320, parameters: 1 },
      data: { root: `${root}/libri-6h`, fingerprint: "x", train: split, dev: split, test: split },
      ...{ decodings: [], layerWeights: [1], headParameters: 1, learningRates: [rate], environment: {} },
      ...{ seconds: { features: 0, training: 0, testing: 0 }, predictions: { dev: null, test: "p" } },
    };
    writeFileSync(join(run, "result.json"), JSON.stringify(result));
  }

  test("has the figures of evaluations of these weights, found beside the run, and of no other", async () => {
    const best = await tinyFolder("runs/one/best");
    writeFileSync(join(root, "runs/one/run.json"), "{}");
    const [fingerprint] = modelFingerprints(await loadModel(best));
    writeResult(join(root, "runs/superb-pr-one-best"), fingerprint);
    writeResult(join(root, "runs/superb-pr-other"), "another");
    const { card, results } = await push(join(root, "runs/one"));
    expect(results).toEqual([join(root, "runs/superb-pr-one-best")]);
    expect(readFrontMatter(card, "card")["model-index"]).toEqual([
      {
        name: "student",
        results: [
          {
            task: { type: "automatic-speech-recognition", name: expect.stringContaining("SUPERB PR: PER") },
            dataset: { type: "libri-6h", name: "libri-6h", split: "test" },
            metrics: [{ type: "per", name: "PER in percent (95 % interval 11 to 14.5)", value: 12.35 }],
          },
        ],
      },
    ]);
    await expect(push(best, { results: [join(root, "runs/superb-pr-other")] })).rejects.toThrow(
      "evaluates other weights",
    );
    await expect(push(best, { results: [root] })).rejects.toThrow("holds no result.json");
  });
});

describe("refusals", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await tinyFolder("refused");
  });

  test.each([
    ["GET /api/models/", 401, /does not know the token \(401\)/],
    [
      "POST /api/repos/create",
      403,
      /making the repository: the token may not write there \(403\): why not; .* member of org$/,
    ],
    ["POST /api/repos/create", 404, /no such user, organisation or repository/],
    ["POST /api/models/org/student/preupload", 403, /asking how to send the files: the token may not write there/],
    ["POST /org/student.git/info/lfs", 413, /larger than .* takes \(413\): why not/],
    ["PUT /storage/", 403, /sending large files \(model\.safetensors\): the token may not write there/],
    [
      "PUT /storage/",
      500,
      /sending large files \(model\.safetensors\): .* answered 500: .*push again: files that have arrived are not sent twice/,
    ],
    [
      "POST /api/models/org/student/commit",
      409,
      /committing the files: the repository was changed meanwhile \(409\): why not; push again/,
    ],
    ["POST /api/models/org/student/commit", 413, /committing the files: a file is larger/],
    ["POST /api/models/org/student/commit", 429, /asks for fewer requests/],
  ])("%s answers %i", async (call, status, message) => {
    hub.refusals.set(call, { status, error: "why not" });
    const refused = push(folder);
    await expect(refused).rejects.toThrow(message);
    const error: Error = await refused.catch((caught) => caught);
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error.message).toMatch(/^org\/student: [^\n]+$/);
    expect(hub.repositories.get("org/student")?.files.size ?? 0).toBe(0);
  });

  test("an object that LFS refuses is named with its size", async () => {
    hub.objectError = { code: 413, message: "beyond your quota" };
    await expect(push(folder)).rejects.toThrow(/model\.safetensors, [\d.]+ kB, is larger than .*beyond your quota/);
  });

  test("a connection that is cut off says how far it came, and pushing again goes through", async () => {
    hub.cutAfter = 100_000;
    await expect(push(student)).rejects.toThrow(
      /sending large files \(model\.safetensors\): the connection to .* failed after [\d.]+ [kM]B of 2\.2 MB \(.+\); push again/,
    );
    expect(hub.repositories.get("org/student")!.files.size).toBe(0);
    hub.cutAfter = undefined;
    await push(student);
    expect(hub.repositories.get("org/student")!.files.size).toBe(5);
    vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:1");
    await expect(push(folder)).rejects.toThrow(
      /looking for the repository: the connection to http:\/\/127\.0\.0\.1:1 failed/,
    );
  });

  test("what cannot be pushed is said before anything is asked of the hub", async () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    await expect(push(empty)).rejects.toThrow("no model here");
    await expect(push(join(root, "nowhere"))).rejects.toThrow("no such folder");
    await expect(push(join(folder, "model.safetensors"))).rejects.toThrow("a file; give a model folder or a run");
    writeFileSync(join(empty, "run.json"), "{}");
    await expect(push(empty)).rejects.toThrow("a run without a model yet");
    for (const name of ["student", "a/b/c", "../x", "a--b/c", ""])
      await expect(push(folder, {}, name)).rejects.toThrow("is not a repository");
    const torn = join(root, "torn");
    mkdirSync(torn);
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(torn, name));
    writeFileSync(join(torn, "model.safetensors"), readFileSync(join(folder, "model.safetensors")).subarray(0, 5000));
    await expect(push(torn)).rejects.toBeInstanceOf(StillwaveError);
    vi.stubEnv("HF_TOKEN", undefined);
    await expect(push(folder)).rejects.toThrow("no token of the hub");
    await expect(push(folder, { token: "wrong" })).rejects.toThrow("the token given is not a Hugging Face token");
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    await expect(push(folder)).rejects.toThrow("HF_HUB_OFFLINE forbids pushing");
    expect(hub.requests).toEqual([]);
  });
});

test("the command: dry run without network or token, the saved token, JSON, verbs that take the student's name", async () => {
  const home = mkdtempSync(join(root, "home-"));
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_TOKEN", undefined);
  const dry = await stillwave(["push", "org/student", student, "--dry-run"]);
  expect(dry.code, dry.stderr).toBe(0);
  expect(dry.stdout).toMatch(
    /would get 5 files, 2\.2 MB of .*; nothing was sent\n[\s\S]*model\.safetensors +2\.2 MB[\s\S]*license: cc-by-4\.0/,
  );
  expect(hub.requests).toEqual([]);
  writeFileSync(join(home, "token"), `${hub.token}\n`);
  const pushed = await stillwave(["push", "org/student", student, "--license", "mit"]);
  expect(pushed.code, pushed.stderr).toBe(0);
  expect(pushed.stderr).toMatch(/push: 2\.2 MB\/2\.2 MB \(100 %\), [\d.]+ [kM]B\/s/);
  expect(pushed.stdout).toMatch(/org\/student: 5 files, 2\.2 MB, commit [0-9a-f]{40}; the repository is new/);
  expect(String(hub.repositories.get("org/student")!.files.get("README.md"))).toMatch(/^---\nlicense: mit\n/);
  const again = await stillwave(["push", "org/student", student, "--token", hub.token, "--json"]);
  expect(JSON.parse(again.stdout), again.stderr).toMatchObject({ repository: "org/student", created: false });
  const inspected = await stillwave(["inspect", "org/student"]);
  expect(inspected.code, inspected.stderr).toBe(0);
  const exported = await stillwave(["export", "org/student", "--output", "last", "--out", join(root, "s.onnx")]);
  expect(exported.code, exported.stderr).toBe(0);
  const misused = await stillwave(["push", "student", student]);
  expect(misused).toMatchObject({ code: 2, stderr: expect.stringContaining("is not a repository") });
}, 120_000);
