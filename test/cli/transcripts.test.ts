// stillwave export of a run and transcribe with its file: formats, folders, standard input, and a microphone that stands in.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { shippedSpeech } from "../../src/export/index.ts";
import { wav16 } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { makeRun } from "../recognizer/made-runs.ts";
import { bin, type Ended, stillwave } from "./run.ts";

const root = temporaryFolder();
const model = join(root, "phones.onnx");
const talk = join(root, "talk.wav");
const wave = (await shippedSpeech(1))[0].slice(0, 32_000);
let text: string;

/** `stillwave ...args` with a PATH that begins with `folder`, given `input`, and SIGINT once it says that it records. */
function run(
  args: readonly string[],
  { input, folder, interrupt }: { input?: Uint8Array; folder?: string; interrupt?: boolean } = {},
): Promise<Ended> {
  // biome-ignore format: one line
  const env = { ...process.env, NO_COLOR: "1", PATH: folder ?? process.env.PATH };
  const child = spawn(process.execPath, [bin, ...args], { env });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    said.stdout += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    said.stderr += String(chunk);
    if (interrupt && said.stderr.includes("recording with")) setTimeout(() => child.kill("SIGINT"), 1000);
  });
  child.stdin.end(input);
  return new Promise((done) => child.on("close", (code) => done({ code, ...said })));
}

beforeAll(async () => {
  writeFileSync(talk, wav16(wave));
  const exported = await stillwave(["export", await makeRun(root, "pr"), "--out", model, "--threads", "1"]);
  expect(exported).toMatchObject({ code: 0, stderr: "" });
  expect(exported.stdout).toMatch(/recogniser \(pr\): 8 symbols; 0 of \d+ symbols changed by the export/);
  text = (await stillwave(["transcribe", model, talk])).stdout.split("\t")[1].trim();
  expect(text).toMatch(/^[A-Z ]+$/);
});

test("options of a model say nothing of a recogniser, nor the other way round", async () => {
  const refused = async (...args: string[]) => (await stillwave(["export", ...args])).stderr;
  expect(await refused(join(root, "pr"), "--layers", "1")).toMatch(/of a recogniser, these say nothing: layers/);
  expect(await refused(join(root, "pr"), "--output", "last")).toMatch(/a recogniser outputs logits/);
});

describe("files", () => {
  test("one for each format and recording; nothing is replaced without --force, nor anything recognised before that is said", async () => {
    const out = join(root, "out");
    const args = ["transcribe", model, talk, "--format", "txt,srt,vtt,tsv,json,ctm", "--output-dir", out];
    expect(await stillwave(args)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readdirSync(out).sort()).toEqual(["ctm", "json", "srt", "tsv", "txt", "vtt"].map((format) => `talk.${format}`)); // biome-ignore format: one line
    expect(readFileSync(join(out, "talk.txt"), "utf8")).toBe(`${text}\n`);
    expect(JSON.parse(readFileSync(join(out, "talk.json"), "utf8"))).toMatchObject({ id: "talk", path: talk, text, seconds: 2 }); // biome-ignore format: one line
    const again = await stillwave(args);
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toMatch(/talk\.txt: is there already; give another --output-dir, or replace files with --force/); // biome-ignore format: one line
    writeFileSync(join(out, "talk.txt"), "old");
    expect((await stillwave([...args, "--force"])).code).toBe(0);
    expect(readFileSync(join(out, "talk.txt"), "utf8")).toBe(`${text}\n`);
  });

  test("formats that do not exist, or do not fit together, are named", async () => {
    const said = async (...flags: string[]) => {
      const { code, stderr } = await stillwave(["transcribe", model, talk, ...flags]);
      return `${code} ${stderr}`;
    };
    expect(await said("--format", "doc")).toMatch(/^2 .*unknown format "doc"; valid: txt, srt, vtt, tsv, json, ctm/);
    expect(await said("--format", "srt,vtt")).toMatch(/^2 .*several need a folder \(--output-dir\)/);
    expect(await said("--format", "srt", "--json")).toMatch(/^2 .*--json says how lines are printed/);
    expect(await said("--mic")).toMatch(/^2 .*--mic records; give it no audio files beside/);
  });
});

describe("standard input", () => {
  test("a file of any format that is read, told by its content", async () => {
    expect(await run(["transcribe", model, "-"], { input: wav16(wave) })).toEqual({ code: 0, stdout: `standard input\t${text}\n`, stderr: "" }); // biome-ignore format: one line
    const ctm = await run(["transcribe", model, "-", "--format", "ctm"], { input: wav16(wave) });
    expect(ctm.stdout.split("\n").slice(0, -1).map((line) => line.split(" ")[4]).join(" ")).toBe(text); // biome-ignore format: one line
    expect(await run(["transcribe", model, "-"], { input: new Uint8Array(0) })).toMatchObject({ code: 1, stderr: expect.stringMatching(/standard input: empty/) }); // biome-ignore format: one line
  });
});

describe("a microphone", () => {
  /** A folder with a program of that name, and what it needs. */
  const standIn = (name: string, script: string): string => {
    const folder = join(root, `with ${name} ${readdirSync(root).length}`);
    mkdirSync(folder);
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
    return `${folder}:/usr/bin:/bin`;
  };
  const raw = join(root, "talk.raw");
  const samples = wav16(wave).slice(-2 * wave.length);

  test("arecord, asked for 16 kHz mono, until Ctrl-C, then the text of all that it gave", async () => {
    writeFileSync(raw, samples);
    const asked = join(root, "asked");
    const folder = standIn("arecord", `echo "$@" > '${asked}'; cat '${raw}'; trap 'exit 1' INT; while :; do sleep 0.1; done`); // biome-ignore format: one line
    const ended = await run(["transcribe", model, "--mic", "--mic-device", "hw:1"], { folder, interrupt: true });
    expect(ended).toMatchObject({ code: 0, stdout: `microphone\t${text}\n` });
    expect(ended.stderr).toMatch(/^recording with arecord; Ctrl-C ends it\n$/);
    expect(readFileSync(asked, "utf8").trim()).toBe("-D hw:1 -q -t raw -f S16_LE -r 16000 -c 1");
  });

  test("with --stream phones are printed while the sound goes on, and Ctrl-C loses nothing of it", async () => {
    writeFileSync(raw, samples);
    const [heard, given] = [join(root, "heard"), join(root, "given")];
    const early = 2 * 24_000;
    // the rest comes when phones of the beginning have been printed, and not before
    const wait = (file: string) => `while [ ! -e '${file}' ]; do sleep 0.05; done`;
    const script = [
      `head -c ${early} '${raw}'; ${wait(heard)}; tail -c +${early + 1} '${raw}'; touch '${given}'`,
      "trap 'exit 1' INT; while :; do sleep 0.05; done",
    ].join("\n");
    const path = standIn("arecord", script);
    const args = ["transcribe", model, "--mic", "--stream", "--chunk", "0.32", "--right", "0.16"];
    const child = spawn(process.execPath, [bin, ...args], { env: { ...process.env, NO_COLOR: "1", PATH: path } });
    let [stdout, stderr, before] = ["", "", ""];
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    child.stdout.on("data", (chunk) => {
      stdout += String(chunk);
      if (before !== "") return;
      before = stdout;
      writeFileSync(heard, "");
      const interrupt = () => (existsSync(given) ? child.kill("SIGINT") : setTimeout(interrupt, 20));
      interrupt();
    });
    const code = await new Promise((done) => child.on("close", done));
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^recording with arecord; Ctrl-C ends it\nmicrophone: 2\.00 s in 6 chunks, /) }); // biome-ignore format: one line
    const [, seconds, symbols] = before.split("\n")[0].split("\t");
    expect(Number(seconds)).toBeLessThanOrEqual(1.5);
    expect(symbols).toMatch(/^[A-Z ]+$/);
    const file = await stillwave(["transcribe", model, talk, ...args.slice(3)]);
    expect(stdout.replaceAll("microphone", talk)).toBe(file.stdout);
  });

  test.skipIf(existsSync("/usr/bin/arecord"))("ffmpeg where there is no arecord; a program that ends ends the recording", async () => {
    const folder = standIn("ffmpeg", `case "$*" in *"-ac 1 -ar 16000 -f s16le -"*) cat '${raw}';; esac`);
    expect(await run(["transcribe", model, "--mic", "--json"], { folder })).toMatchObject({ code: 0, stdout: expect.stringContaining(JSON.stringify(text)) }); // biome-ignore format: one line
  }); // biome-ignore format: one line

  test("one that is not there, or gives nothing, says so", async () => {
    const silent = await run(["transcribe", model, "--mic"], { folder: standIn("arecord", "echo 'no soundcards found' >&2; exit 1") }); // biome-ignore format: one line
    expect(silent).toMatchObject({ code: 1, stdout: "" });
    expect(silent.stderr).toMatch(/--mic: arecord gave no sound \(no soundcards found\).*--mic-device/);
    const none = await run(["transcribe", model, "--mic"], { folder: "/nowhere" });
    expect(none.stderr).toMatch(/neither arecord \(alsa-utils\) nor ffmpeg is on the PATH; install one of them/);
  });
});
