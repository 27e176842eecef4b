// stillwave transcribe: what it prints, exit codes, and what it says of misuse.
import { cpSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { wav16, wavFile } from "../../audio/signals.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { speechCorpus } from "../../superb/speech.ts";
import { repository, stillwave } from "../run.ts";

const root = temporaryFolder();
const corpus = speechCorpus();
const run = join(root, "run");
const audio = join(root, "audio");

const superb = (upstream: string, out: string) =>
  stillwave(["superb", "pr", "--upstream", upstream, "--data", corpus, "--cache", join(root, "cache"), "--threads", "1", "--steps", "2", "--out", out]); // biome-ignore format: one line

beforeAll(async () => {
  expect((await superb("fbank", run)).code).toBe(0);
  const found = readdirSync(join(corpus, "test"), { recursive: true, encoding: "utf8" });
  mkdirSync(audio);
  cpSync(join(corpus, "test", found.find((name) => name.endsWith(".flac"))!), join(audio, "good.flac"));
  writeFileSync(join(audio, "bad.wav"), nanWave());
});

describe("transcribe", () => {
  test("a folder with a bad file: stops, or leaves it out", async () => {
    const stopped = await stillwave(["transcribe", run, audio]);
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(/bad\.wav: sample 1000 is NaN/);
    const skipped = await stillwave(["transcribe", run, audio, "--on-bad-file", "skip", "--threads", "1", "--json"]);
    expect(skipped.code).toBe(0);
    expect(skipped.stderr).toMatch(/^left out: .*bad\.wav: sample 1000 is NaN/);
    expect(JSON.parse(skipped.stdout)).toMatchObject({ path: join(audio, "good.flac"), score: null });
    const none = await stillwave(["transcribe", run, join(audio, "bad.wav"), "--on-bad-file", "skip"]);
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toMatch(/none of the files can be used\n {2}.*bad\.wav: sample 1000 is NaN/);
  });

  test("enormous samples, and a long recording in windows", async () => {
    const own = join(root, "of a HuBERT");
    expect((await superb(join(repository, "examples/hubert-small-libri"), own)).code).toBe(0);
    const folder = join(root, "hours");
    mkdirSync(folder);
    const wave = Float32Array.from({ length: 62 * 16000 }, (_, i) => Math.sin(i / 7) * Math.sin(i / 3000) * 0.3);
    writeFileSync(join(folder, "long.wav"), floatWave(wave));
    writeFileSync(join(folder, "huge.wav"), floatWave(wave.subarray(0, 16000).map((x) => x * 1e38)));
    const stopped = await stillwave(["transcribe", own, folder]);
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(/huge\.wav: state "input" holds NaN/);
    const skip = ["transcribe", own, folder, "--on-bad-file", "skip", "--threads", "1", "--json"];
    const whole = await stillwave([...skip, "--window", "off"]);
    const windows = await stillwave(skip);
    for (const { code, stderr } of [whole, windows]) {
      expect(code).toBe(0);
      expect(stderr).toMatch(/left out: .*huge\.wav: state "input" holds NaN/);
    }
    expect(JSON.parse(windows.stdout)).toMatchObject({ seconds: 62 });
    expect(JSON.parse(windows.stdout)).toEqual(JSON.parse(whole.stdout));
    expect((await stillwave([...skip, "--window", "5"])).code).toBe(2);
  });

  test("n best of a beam search; greedy decoding has one", async () => {
    const file = join(audio, "good.flac");
    const { code, stdout } = await stillwave(["transcribe", run, file, "--beam", "4", "--nbest", "3", "--json"]);
    expect(code).toBe(0);
    const { score, alternatives } = JSON.parse(stdout);
    expect(alternatives.length).toBe(2);
    expect(alternatives[0].score).toBeLessThanOrEqual(score);
    const greedy = await stillwave(["transcribe", run, file, "--nbest", "3"]);
    expect(greedy).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/--nbest: .*; add --beam <n>/) });
  });

  test("files come in the order given, a folder's by name, each on a line of its own whatever its name", async () => {
    const names = ["z.flac", "a.flac", "in\nter\tview\x1b[2J\u0085.flac"];
    for (const name of names) cpSync(join(audio, "good.flac"), join(root, name));
    mkdirSync(join(root, "more"));
    for (const name of ["c.flac", "b.flac"]) cpSync(join(audio, "good.flac"), join(root, "more", name));
    const list = ["d.flac", "b.flac", "c.flac"].map((name) => JSON.stringify({ path: name }));
    cpSync(join(audio, "good.flac"), join(root, "d.flac"));
    for (const name of ["b.flac", "c.flac"]) cpSync(join(audio, "good.flac"), join(root, name));
    writeFileSync(join(root, "list.jsonl"), list.join("\n"));
    const inputs = [...names, "more", "list.jsonl"].map((name) => join(root, name)).concat(join(audio, "good.flac"));
    const { code, stdout } = await stillwave(["transcribe", run, ...inputs, "--threads", "1"]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    const shown = [join(root, "z.flac"), join(root, "a.flac"), join(root, "in\\nter\\tview\\x1b[2J\\x85.flac")];
    shown.push(join(root, "more", "b.flac"), join(root, "more", "c.flac"));
    shown.push(join(root, "d.flac"), join(root, "b.flac"), join(root, "c.flac"), join(audio, "good.flac"));
    expect(lines.map((line) => line.split("\t")[0])).toEqual(shown);
    expect(lines.every((line) => line.split("\t").length === 2)).toBe(true);
  });

  test("parts of a recording that a list names are transcribed as files of their own would be", async () => {
    const file = join(audio, "good.flac");
    const wave = await loadAudio(file);
    writeFileSync(join(root, "cut.wav"), wav16(wave.subarray(3200, 16_000)));
    writeFileSync(join(root, "parts.csv"), `audio_filepath,offset,duration\n${file},0.2,0.8\n${file},0,\n`);
    const json = async (input: string) => {
      const { stdout } = await stillwave(["transcribe", run, join(root, input), "--threads", "1", "--json"]);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    };
    const [[part, whole], [alone]] = [await json("parts.csv"), await json("cut.wav")];
    expect(part).toEqual({ ...alone, path: file, segment: { start: 3200, samples: 12_800, sampleRateHz: 16_000 } });
    expect([whole.segment, whole.seconds]).toEqual([undefined, wave.length / 16_000]);
    const { stdout } = await stillwave(["transcribe", run, join(root, "parts.csv"), "--threads", "1"]);
    expect(stdout.split("\n")[0]).toBe(`${file} (0.2 to 1 s)\t${alone.text}`);
  });

  test("an upstream that has moved is asked for", async () => {
    const [old, now, own] = [join(root, "old"), join(root, "now"), join(root, "of a model")];
    cpSync(join(repository, "examples/hubert-small-libri"), old, { recursive: true });
    expect((await superb(old, own)).code).toBe(0);
    renameSync(old, now);
    const file = join(audio, "good.flac");
    const lost = await stillwave(["transcribe", own, file]);
    expect(lost.code).toBe(1);
    expect(lost.stderr).toMatch(/old: no such file or folder.*if it has moved, name it with --upstream$/m);
    expect((await stillwave(["transcribe", own, file, "--upstream", now])).code).toBe(0);
  });
});

const floatWave = (wave: Float32Array) => wavFile({ code: 3, bits: 32, data: new Uint8Array(wave.slice().buffer) });

/** float32 WAV of 2000 samples, NaN from 1000 on. */
const nanWave = (): Uint8Array =>
  floatWave(Float32Array.from({ length: 2000 }, (_, i) => (i < 1000 ? Math.sin(i / 10) / 10 : Number.NaN)));
