// Corpora: layouts, manifests, bad files, index cache, fingerprint.
import { cpSync, existsSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { type Corpus, folder, librispeech, manifest, openCorpus } from "../../src/data/index.ts";
import { concat, wav16, wavFile } from "../audio/signals.ts";
import { corpusOf, fixture, speechFolder, temporaryFolder } from "./corpora.ts";

const ids = (corpus: Corpus) => corpus.utterances.map(({ id }) => id);
const stop = { onBadFile: "stop" } as const;
const skip = { onBadFile: "skip" } as const;

describe("LibriSpeech layout", () => {
  test("the shipped speech: ids, speakers, transcripts, lengths", async () => {
    const corpus = await openCorpus({ path: speechFolder }, stop);
    expect(corpus.kind).toBe("librispeech");
    expect(corpus.utterances.length).toBe(116);
    expect(new Set(corpus.utterances.map(({ split }) => split))).toEqual(new Set(["train", "dev"]));
    const one = corpus.utterances.find(({ id }) => id === "121-121726-0005")!;
    expect(one).toMatchObject({ speaker: "121", split: "dev", transcript: "HEDGE A FENCE" });
    // utt2src.tsv gives durations from another program
    for (const line of readFileSync(join(speechFolder, "utt2src.tsv"), "utf8").trim().split("\n").slice(1)) {
      const [id, split, , , , , seconds] = line.split("\t");
      const found = corpus.utterances.find((utterance) => utterance.id === id)!;
      expect(found.split).toBe(split);
      expect(Math.abs(found.samples / 16000 - Number(seconds))).toBeLessThan(0.001);
    }
    expect(corpus.utterances.every(({ transcript }) => transcript)).toBe(true);
    expect(ids(corpus)).toEqual([...ids(corpus)].sort());
  });
  test("one split, by name, by path, and a missing one", async () => {
    const dev = await openCorpus(librispeech(speechFolder, ["dev"]), stop);
    expect(dev.utterances.length).toBe(24);
    expect(await openCorpus({ path: join(speechFolder, "dev") }, stop)).toEqual({
      ...dev,
      root: join(speechFolder, "dev"),
    });
    await expect(openCorpus(librispeech(speechFolder, ["dev", "dev-clean"]), stop)).rejects.toThrow(
      /no split "dev-clean"; present: dev, train/,
    );
    await expect(openCorpus(librispeech(corpusOf({ "a.wav": 500 })), stop)).rejects.toThrow(
      /not in LibriSpeech's layout/,
    );
  });
  test("no transcripts, several formats in one chapter, hidden files left alone", async () => {
    const root = corpusOf({
      "s/1/2/1-2-0.wav": 1000,
      "s/1/2/1-2-1.opus": new Uint8Array(readFileSync(fixture("speech.opus"))),
      "s/1/2/._1-2-0.wav": "resource fork",
    });
    const corpus = await openCorpus({ path: root }, stop);
    expect(corpus.utterances.map(({ id, samples }) => [id, samples])).toEqual([
      ["1-2-0", 1000],
      ["1-2-1", 8000],
    ]);
  });
  test("transcripts: a byte order mark, tabs, CRLF and joined files change nothing", async () => {
    const files = { "s/1/2/1-2-0.wav": 1000, "s/1/2/1-2-1.wav": 1000 };
    for (const text of [
      "\uFEFF1-2-0 HELLO  YOU\n1-2-1 BYE\n",
      "1-2-0\tHELLO  YOU\r\n1-2-1\t BYE \r\n\r\n",
      "1-2-0 HELLO  YOU\n\uFEFF1-2-1\tBYE",
      "  1-2-0 \t HELLO  YOU\n1-2-1 BYE",
    ]) {
      const { utterances } = await openCorpus({ path: corpusOf({ ...files, "s/1/2/1-2.trans.txt": text }) }, stop);
      expect(utterances.map(({ transcript }) => transcript)).toEqual(["HELLO  YOU", "BYE"]);
    }
  });
  test("transcripts: separators of lines and paragraphs inside a text do not end it", async () => {
    const files = { "s/1/2/1-2-0.wav": 1000, "s/1/2/1-2.trans.txt": "1-2-0 HELLO\u2028WORLD\u2029YES\n" };
    const { utterances } = await openCorpus({ path: corpusOf(files) }, stop);
    expect(utterances.map(({ transcript }) => transcript)).toEqual(["HELLO\u2028WORLD\u2029YES"]);
  });
  test("transcripts: an id twice, UTF-16 and other encodings are errors with file and line", async () => {
    const open = (content: string | Uint8Array) =>
      openCorpus({ path: corpusOf({ "s/1/2/1-2-0.wav": 1000, "s/1/2/1-2.trans.txt": content }) }, stop);
    await expect(open("1-2-0 A\n1-2-1 B\n1-2-0 C\n")).rejects.toThrow(
      /1-2\.trans\.txt:3: "1-2-0" has a transcript at .*1-2\.trans\.txt:1 already/,
    );
    await expect(open(Buffer.from("1-2-0 A\n", "utf16le"))).rejects.toThrow(/1-2\.trans\.txt: UTF-16LE text/);
    await expect(open(Buffer.from("1-2-0 A\n1-2-1 \xe9\n", "latin1"))).rejects.toThrow(/trans\.txt:2: not UTF-8 text/);
  });
  test("one id twice is an error naming both files", async () => {
    await expect(
      openCorpus({ path: corpusOf({ "a/1/2/1-2-0.wav": 500, "b/1/2/1-2-0.wav": 500 }) }, stop),
    ).rejects.toThrow(/id "1-2-0": .*a.1.2.* and .*b.1.2/);
  });
});

describe("folders", () => {
  test("ids are relative paths, links are followed, loops end", async () => {
    const root = corpusOf({ "x/one.wav": 500, "two.WAV": 600, "notes.txt": "no audio" });
    symlinkSync(root, join(root, "x", "loop"));
    const corpus = await openCorpus({ path: root }, stop);
    expect(corpus.kind).toBe("folder");
    expect(ids(corpus)).toEqual(["two", "x/one"]);
  });
  test("sub-folders as splits", async () => {
    const root = corpusOf({ "train/a.wav": 500, "test/b.wav": 500 });
    expect((await openCorpus(folder(root, ["test"]), stop)).utterances).toMatchObject([
      { id: "test/b", split: "test" },
    ]);
    await expect(openCorpus(folder(root, ["dev"]), stop)).rejects.toThrow(/no split "dev"; present: test, train/);
  });
  test("nothing to read", async () => {
    await expect(openCorpus({ path: corpusOf({ "a.txt": "", "b.zip": "" }) }, stop)).rejects.toThrow(
      /no audio files .* found only 1 \.txt, 1 \.zip/,
    );
    await expect(openCorpus({ path: join(speechFolder, "none") }, stop)).rejects.toThrow(/no such file or folder/);
    await expect(openCorpus(folder(join(speechFolder, "none")), stop)).rejects.toThrow(/no such folder/);
  });
  test("maxUtterances takes the first by id", async () => {
    expect(
      ids(
        await openCorpus(
          { path: corpusOf({ "c.wav": 500, "a.wav": 500, "b.wav": 500 }) },
          { ...stop, maxUtterances: 2 },
        ),
      ),
    ).toEqual(["a", "b"]);
    await expect(openCorpus({ path: speechFolder }, { ...stop, maxUtterances: 0 })).rejects.toThrow(/maxUtterances/);
  });
});

describe("manifests", () => {
  const files = { "audio/a.wav": 1000, "audio/b.wav": 2000 };
  const open = (text: string, name = "list.tsv") =>
    openCorpus(manifest(join(corpusOf({ ...files, [name]: text }), name)), stop);
  test("fairseq: root, then path and samples", async () => {
    const corpus = await open("audio\na.wav\t1000\nb.wav\t2000\n");
    expect(corpus.utterances.map(({ id, samples }) => [id, samples])).toEqual([
      ["a", 1000],
      ["b", 2000],
    ]);
  });
  test("TSV with a header", async () => {
    const corpus = await open(
      "file\ttext\tspeaker\tsplit\r\naudio/a.wav\tHELLO YOU\tann\tdev\r\naudio/b.wav\t\tbob\ttrain\r\n",
    );
    expect(corpus.utterances[0]).toMatchObject({
      id: "audio/a",
      transcript: "HELLO YOU",
      speaker: "ann",
      split: "dev",
    });
    expect(corpus.utterances[1].transcript).toBeUndefined();
  });
  test.each(["path", "audio_filepath", "audio"])("JSONL with %s", async (field) => {
    const corpus = await open(
      `{"${field}":"audio/b.wav","text":"x","duration":0.125,"id":"utt1","speaker":7}\n\n{"${field}":"audio/a.wav"}\n`,
      "l.jsonl",
    );
    expect(corpus.utterances).toMatchObject([{ id: "audio/a" }, { id: "utt1", transcript: "x", speaker: "7" }]);
  });
  test("splits by column", async () => {
    const root = corpusOf({
      ...files,
      "m.jsonl": '{"path":"audio/a.wav","split":"x"}\n{"path":"audio/b.wav","split":"y"}',
    });
    expect(ids(await openCorpus({ path: join(root, "m.jsonl"), splits: ["y"] }, stop))).toEqual(["audio/b"]);
    await expect(openCorpus({ path: join(root, "m.jsonl"), splits: ["z"] }, stop)).rejects.toThrow(
      /no split "z"; present: x, y/,
    );
  });
  test.each([
    ["audio\na.wav\t1000\nb.wav 2000\n", /list\.tsv:3: expected "relative\/path<TAB>samples", got "b\.wav 2000"/],
    ["audio\na.wav\tmany\n", /list\.tsv:2/],
    ["path\ttext\naudio/a.wav\n", /list\.tsv:2: 1 columns, the header line has 2/],
    ["path\ttext\n\tx\n", /list\.tsv:2: no path/],
    ["foo\tbar\n", /list\.tsv:1: neither JSON/],
    ["a.flac\n", /list\.tsv:1: neither JSON/],
    ["a.flac|hello\n", /list\.tsv:1: neither JSON/],
    ['{"path":"audio/a.wav"}\n{"path":\n', /list\.tsv:2: not valid JSON/],
    ['{"path":"audio/a.wav"}\n[1]\n', /list\.tsv:2: expected a JSON object|list\.tsv:2/],
    ['{"text":"x"}\n', /list\.tsv:1: no path/],
    ['{"path":"audio/a.wav","offset":1.5}\n', /begins at 1\.5 s, the recording ends at 0\.0625 s \(.*list\.tsv:1\)/],
    ['{"path":{"a":1}}\n', /list\.tsv:1: "path" must be text/],
    ["\n \n", /the manifest is empty/],
    ["audio\n", /lists no files/],
    ["a\0b", /not a text file/],
    ["audio\na.wav\t1000\na.wav\t1000\n", /two files have the utterance id "a"/],
  ])("%j is refused with its line", async (text, message) => {
    await expect(open(text)).rejects.toThrow(message);
  });
  test("a length that the file does not have is a bad file", async () => {
    await expect(open("audio\na.wav\t1000\nb.wav\t2001\n")).rejects.toThrow(
      /b\.wav: the manifest says 2001 samples, the file has 2000/,
    );
  });
});

describe("bad files", () => {
  const bad = {
    "good.wav": 1000,
    "short.wav": 399,
    "empty.flac": "",
    "text.mp3": "this is no audio",
    "cut.wav": wav16(new Float32Array(1000)).subarray(0, 900),
    "adpcm.wav": wavFile({ code: 0x11, bits: 4, data: new Uint8Array(1000) }),
    "page.opus": new Uint8Array(readFileSync(fixture("speech.opus"))).subarray(0, 1600),
  };
  test("stop: one error with all of them", async () => {
    const error = await openCorpus({ path: corpusOf(bad) }, stop).catch((e: Error) => e);
    const message = (error as Error).message;
    expect((error as Error).name).toBe("StillwaveError");
    expect(message).toMatch(/^5 of 7 audio files cannot be used; .*onBadFile: skip/);
    for (const part of [
      "short.wav: too short: 399 samples",
      "empty.flac: the file is empty",
      "text.mp3: not an audio file",
      "adpcm.wav: WAV stored as IMA ADPCM",
      "page.opus: truncated",
    ]) {
      expect(message).toContain(part);
    }
  });
  test("skip: the rest, with reasons", async () => {
    const corpus = await openCorpus({ path: corpusOf(bad) }, skip);
    expect(ids(corpus)).toEqual(["cut", "good"]);
    expect(corpus.warnings.join()).toMatch(/cut\.wav: its header says 0\.1 s, the file holds 0\.0 s/);
    expect(corpus.badFiles.map(({ path }) => basename(path))).toEqual([
      "adpcm.wav",
      "empty.flac",
      "page.opus",
      "short.wav",
      "text.mp3",
    ]);
    expect(corpus.badFiles.every(({ reason }) => reason.length > 5)).toBe(true);
  });
  test("ten are named, the others counted", async () => {
    const files = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`f${i}.wav`, i === 0 ? 500 : 100]));
    await expect(openCorpus({ path: corpusOf(files) }, stop)).rejects.toThrow(/^13 of 14 [\s\S]*and 3 more$/);
  });
  test("nothing left after skipping is an error", async () => {
    await expect(openCorpus({ path: corpusOf({ "a.wav": 10 }) }, skip)).rejects.toThrow(
      /none of its 1 audio files can be used\n {2}.*a\.wav: too short/,
    );
  });
  test("files that a manifest names but are not there; minSamples", async () => {
    const root = corpusOf({
      "a.wav": 1000,
      "b.wav": 500,
      "m.jsonl": '{"path":"a.wav"}\n{"path":"b.wav"}\n{"path":"none.wav"}\n',
    });
    const corpus = await openCorpus({ path: join(root, "m.jsonl") }, { ...skip, minSamples: 800 });
    expect(ids(corpus)).toEqual(["a"]);
    expect(corpus.badFiles.map(({ reason }) => reason)).toEqual([
      "too short: 500 samples at 16 kHz, at least 800 are needed",
      "no such file",
    ]);
  });
  test("a misspelt option", async () => {
    await expect(openCorpus({ path: speechFolder }, { onBadFile: "ignore" as "skip" })).rejects.toThrow(
      /unknown onBadFile "ignore"; valid: stop, skip/,
    );
  });
});

describe("fingerprint", () => {
  test("the same elsewhere, different for other content", async () => {
    const files = { "a/1/2/1-2-0.wav": 1000, "a/1/2/1-2-1.wav": 2000 };
    const root = corpusOf(files);
    const copy = temporaryFolder();
    cpSync(root, copy, { recursive: true });
    const { fingerprint } = await openCorpus({ path: root }, stop);
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect((await openCorpus({ path: copy }, stop)).fingerprint).toBe(fingerprint);
    expect((await openCorpus({ path: corpusOf({ ...files, "a/1/2/1-2-1.wav": 2001 }) }, stop)).fingerprint).not.toBe(
      fingerprint,
    );
    expect((await openCorpus({ path: root }, { ...stop, maxUtterances: 1 })).fingerprint).not.toBe(fingerprint);
  });
});

describe("index cache and threads", () => {
  test("lengths are remembered until size or time change; a damaged cache is made again with a warning", async () => {
    const root = corpusOf({ "a.wav": 1000, "b.wav": 2000 });
    const cacheFile = join(temporaryFolder(), "index.json");
    const first = await openCorpus({ path: root }, { ...stop, cacheFile });
    // a lie in the cache shows that it is what is read
    writeFileSync(cacheFile, readFileSync(cacheFile, "utf8").replace(/,1000,/, ",1234,"));
    expect((await openCorpus({ path: root }, { ...stop, cacheFile })).utterances[0].samples).toBe(1234);
    const later = new Date(statSync(join(root, "a.wav")).mtimeMs + 5000);
    utimesSync(join(root, "a.wav"), later, later);
    expect((await openCorpus({ path: root }, { ...stop, cacheFile })).utterances).toEqual(first.utterances);
    for (const damage of ["{", '{"version":1,"files":{"x":[1,2,-3,4,5]}}', '{"version":99,"files":{}}']) {
      writeFileSync(cacheFile, damage);
      const again = await openCorpus({ path: root }, { ...stop, cacheFile });
      expect(again.utterances).toEqual(first.utterances);
      expect(again.warnings[0]).toContain("index.json");
      expect((await openCorpus({ path: root }, { ...stop, cacheFile })).warnings).toEqual([]);
    }
  });
  test("what is odd about a file that is used is told each time the corpus is opened", async () => {
    const tail = concat(new Uint8Array(readFileSync(fixture("speech.ogg"))), new Uint8Array(64));
    const root = corpusOf({ "a.wav": 1000, "b.ogg": tail });
    const cacheFile = join(temporaryFolder(), "index.json");
    for (let i = 0; i < 2; i++) {
      const { warnings, badFiles } = await openCorpus({ path: root }, { ...stop, cacheFile });
      expect(warnings).toEqual([`${join(root, "b.ogg")}: 64 bytes behind its last Ogg page are not read`]);
      expect(badFiles).toEqual([]);
    }
    writeFileSync(join(root, "c.ogg"), tail);
    expect((await openCorpus({ path: root }, { ...stop, cacheFile })).warnings).toEqual([
      `2 files are not quite whole, first ${join(root, "b.ogg")}: 64 bytes behind its last Ogg page are not read`,
    ]);
  });
  test.each([0, 2])("MP3 lengths with %d threads", async (workers) => {
    const mp3 = new Uint8Array(readFileSync(fixture("speech.mp3")));
    const root = corpusOf({
      "a.mp3": mp3,
      "b.mp3": mp3,
      "c.wav": 700,
      "bad.mp3": Uint8Array.of(0xff, 0xfb, 0x90, 0xc4, 0, 0),
    });
    const seen: number[] = [];
    const corpus = await openCorpus(
      { path: root },
      { ...skip, workers, onProgress: (done, total) => seen.push(done / total) },
    );
    expect(corpus.utterances.map(({ id, samples }) => [id, samples])).toEqual([
      ["a", 8000],
      ["b", 8000],
      ["c", 700],
    ]);
    expect(corpus.badFiles.map(({ path }) => basename(path))).toEqual(["bad.mp3"]);
    expect(seen).toEqual([0.25, 0.5, 0.75, 1]);
  });
});

const sixHours = fileURLToPath(new URL("../../../shared/speech/libri-6h", import.meta.url));
const hasSixHours = existsSync(sixHours);
if (!hasSixHours) console.log(`skipped: Ogg Opus lengths of a larger corpus, which is not at ${sixHours}`);

test.skipIf(!hasSixHours)(
  "Ogg Opus: lengths from the last page are those of the list beside it, and of decoding",
  async () => {
    const corpus = await openCorpus(librispeech(sixHours, ["dev"]), { ...stop, maxUtterances: 100 });
    const list = readFileSync(join(sixHours, "utt2src.tsv"), "utf8").trim().split("\n").slice(1);
    const seconds = new Map(list.map((line) => [line.split("\t")[0], Number(line.split("\t")[6])]));
    for (const { id, samples } of corpus.utterances)
      expect(Math.abs(samples / 16000 - seconds.get(id)!)).toBeLessThan(0.001);
    for (const { path, samples } of corpus.utterances.slice(0, 3)) expect((await loadAudio(path)).length).toBe(samples);
  },
);
