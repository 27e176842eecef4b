// A fine-tuned recogniser on a hub that runs in this process: pushed, its card key by key, and loaded again by its name.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { loadModel } from "../../src/checkpoint/index.ts";
import { finetuneRun } from "../../src/finetune/run/run.ts";
import { loadRecognizer } from "../../src/index.ts";
import { pushModel } from "../../src/publish/push.ts";
import { loadUpstream } from "../../src/upstream/node.ts";
import { stillwave } from "../cli/run.ts";
import { allEvents, tinyRecipe } from "../finetune/tiny-run.ts";
import { HubServer } from "./hub-server.ts";

const SPEECH = fileURLToPath(new URL("../../examples/speech/dev/1284/1180/1284-1180-0022.flac", import.meta.url));
const hub = new HubServer();
let root: string;
let run: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-recogniser-"));
  run = join(root, "tiny/run");
  await allEvents(finetuneRun({ recipe: await tinyRecipe(join(root, "tiny")) }));
  await hub.start();
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_HOME", join(root, "home"));
  vi.stubEnv("HF_TOKEN", hub.token);
  await pushModel(run, "org/tiny", { license: "mit" });
}, 120_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
  rmSync(root, { recursive: true, force: true });
});

test("upstream and head are sent, and the card has every key that the hub reads", () => {
  const { files } = hub.repositories.get("org/tiny")!;
  expect([...files.keys()].sort()).toEqual(
    expect.arrayContaining([
      ...[
        "README.md",
        "head/head.json",
        "head/model.safetensors",
        "upstream/config.json",
        "upstream/model.safetensors",
      ],
    ]),
  );
  for (const [name, data] of files) expect(data.includes(root), name).toBe(false);
  const [, matter, body] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(String(files.get("README.md")))!;
  const { metric } = JSON.parse(readFileSync(join(run, "result.json"), "utf8"));
  const fields = parse(matter);
  expect(fields).toEqual({
    license: "mit",
    library_name: "stillwave",
    pipeline_tag: "automatic-speech-recognition",
    base_model: expect.stringMatching(/^[\w.-]+$/),
    datasets: ["speech"],
    tags: expect.arrayContaining(["speech", "fine-tuning", "stillwave"]),
    metrics: ["per"],
    "model-index": [
      {
        name: "tiny",
        results: [
          {
            task: { type: "automatic-speech-recognition", name: expect.stringMatching(/fine-tuned$/) },
            dataset: { type: "speech", name: "speech", split: "test" },
            metrics: [
              { type: "per", name: expect.stringMatching(/^PER in percent/), value: Number(metric.value.toFixed(2)) },
            ],
          },
        ],
      },
    ],
  });
  expect(body).toContain('loadRecognizer("org/tiny")');
});

test("loadUpstream finds the model in upstream/, and finds it again in the cache without a network", async () => {
  const own = await loadModel(join(run, "best/upstream"));
  expect((await loadUpstream("org/tiny")).parameters).toEqual(own.parameters);
  expect((await loadUpstream(join(run, "best"))).parameters).toEqual(own.parameters);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect((await loadUpstream("org/tiny")).parameters).toEqual(own.parameters);
  vi.stubEnv("HF_HUB_OFFLINE", undefined);
});

test("loadRecognizer and transcribe take its name and say what the run says; a model without a head is refused", async () => {
  const [there, here] = [await loadRecognizer("org/tiny", { threads: 1 }), await loadRecognizer(run, { threads: 1 })];
  const [found, expected] = [await there.transcribe(SPEECH), await here.transcribe(SPEECH)];
  expect(found).toEqual(expected);
  expect(there.facts.labels).toEqual(here.facts.labels);
  await Promise.all([there.dispose(), here.dispose()]);
  const { code, stdout, stderr } = await stillwave(["transcribe", "org/tiny", SPEECH, "--threads", "1"]);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${SPEECH}\t${expected.text}\n`, stderr: "" });
  await pushModel(join(run, "best/upstream"), "org/model");
  await expect(loadRecognizer("org/model")).rejects.toThrow("org/model: a model without a head");
  await expect(loadRecognizer("org/nobody")).rejects.toThrow("org/nobody: ");
  await expect(loadRecognizer("no-such-place")).rejects.toThrow(
    "no-such-place: not there; give an exported recogniser",
  );
}, 60_000);
