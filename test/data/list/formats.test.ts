// Lists as other tools write them, told apart by content; what cannot be read is named.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openCorpus } from "../../../src/data/index.ts";
import { parseCsv } from "../../../src/data/list/csv.ts";
import { listManifest } from "../../../src/data/list/manifest.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { corpusOf, fixture, temporaryFolder } from "../corpora.ts";

const stop = { onBadFile: "stop" } as const;
const speech = { "x/a.wav": 16_000, "x/y/b.wav": 32_000 };
const open = (files: Readonly<Record<string, string>>, name: string, options = {}) =>
  openCorpus({ path: join(corpusOf({ ...speech, ...files }), name), ...options }, stop);
const facts = async (...args: Parameters<typeof open>) =>
  (await open(...args)).utterances.map(({ id, samples, speaker, transcript }) => [id, samples, speaker, transcript]);

test("NeMo: absolute paths become ids below what they have in common", async () => {
  const root = corpusOf(speech);
  const rows = ["x/a.wav", "x/y/b.wav"].map((name, i) => ({
    audio_filepath: join(root, name),
    duration: i + 1,
    text: "hi",
  }));
  writeFileSync(join(root, "train.json"), rows.map((row) => JSON.stringify(row)).join("\n"));
  const { utterances } = await openCorpus({ path: join(root, "train.json") }, stop);
  expect(utterances.map(({ id, transcript }) => [id, transcript])).toEqual([
    ["a", "hi"],
    ["y/b", "hi"],
  ]);
  writeFileSync(join(root, "x/y/up.jsonl"), '{"path":"../a.wav"}\n{"path":"./b.wav"}\n');
  const up = await openCorpus({ path: join(root, "x/y/up.jsonl") }, stop);
  expect(up.utterances.map(({ id }) => id)).toEqual(["a", "y/b"]);
  writeFileSync(join(root, "one.jsonl"), JSON.stringify({ path: join(root, "x/y/b.wav") }));
  expect((await openCorpus({ path: join(root, "one.jsonl") }, stop)).utterances[0].id).toBe("b");
});

test("SpeechBrain: JSON by id, over many lines or one, and CSV with quotes", async () => {
  const byId = {
    u2: { wav: "x/y/b.wav", length: 2, words: "BYE" },
    u1: { wav: "x/a.wav", length: 1, words: "HI", spk_id: "s" },
  };
  const expected = [
    ["u1", 16_000, "s", "HI"],
    ["u2", 32_000, undefined, "BYE"],
  ];
  for (const text of [JSON.stringify(byId), JSON.stringify(byId, undefined, 2)])
    expect(await facts({ "t.json": text }, "t.json")).toEqual(expected);
  const csv =
    'ID,duration,wav,spk_id,wrd\r\nu1,1.0,x/a.wav,s,"HELLO, ""YOU""\nTHERE"\r\n\r\nu2,2.0,"x/y/b.wav",,BYE\r\n';
  expect(await facts({ "t.csv": csv }, "t.csv")).toEqual([["u1", 16_000, "s", 'HELLO, "YOU"\nTHERE'], expected[1]]);
});

test("Common Voice: files in clips/ beside the list", async () => {
  const text = 'client_id\tpath\tsentence\tage\tgender\tsegment\nabc\ta.mp3\tHello, "World"\tteens\t\t\n';
  const root = corpusOf({ "clips/a.mp3": new Uint8Array(readFileSync(fixture("speech.mp3"))), "train.tsv": text });
  expect((await openCorpus({ path: join(root, "train.tsv") }, stop)).utterances).toMatchObject([
    { id: "a", path: join(root, "clips/a.mp3"), samples: 8000, speaker: "abc", transcript: 'Hello, "World"' },
  ]);
});

describe("Kaldi", () => {
  const kaldi = {
    "k/wav.scp": "r1 ../x/a.wav\nr2\t../x/y/b.wav \n",
    "k/segments": "u1 r1 0.25 0.5\nu2 r2 0 1.5\nu3 r2 1.5 -1\n",
    "k/text": "u1\tHELLO  WORLD\nu3 BYE\n",
    "k/utt2spk": "u1 s1\nu2 s2\nu3 s2\n",
  };
  const { "k/segments": _, ...whole } = kaldi;
  test.each(["k", "k/wav.scp"])("a folder with segments, given as %s", async (name) => {
    expect(await facts(kaldi, name)).toEqual([
      ["u1", 4000, "s1", "HELLO  WORLD"],
      ["u2", 24_000, "s2", undefined],
      ["u3", 8000, "s2", "BYE"],
    ]);
    expect((await open(kaldi, name)).utterances[0].segment).toEqual({
      start: 4000,
      samples: 4000,
      sampleRateHz: 16000,
    });
  });
  test("a folder of folders: each is a split", async () => {
    const files = { "train/wav.scp": "r1 ../x/a.wav\n", "dev/wav.scp": "r2 ../x/y/b.wav\n" };
    const root = corpusOf({ ...speech, ...files });
    const { kind, utterances } = await openCorpus({ path: root }, stop);
    expect([kind, utterances.map(({ id, split }) => [id, split])]).toEqual([
      "manifest",
      [
        ["r1", "train"],
        ["r2", "dev"],
      ],
    ]);
    expect((await openCorpus({ path: root, splits: ["dev"] }, stop)).utterances.map(({ id }) => id)).toEqual(["r2"]);
  });
  test("without segments, and a list called otherwise", async () => {
    expect((await facts(whole, "k")).map(([id]) => id)).toEqual(["r1", "r2"]);
    expect((await facts({ "some.list": "r1 x/a.wav\nr2 x/y/b.wav\n" }, "some.list")).map(([id]) => id)).toEqual([
      "r1",
      "r2",
    ]);
  });
  test.each([
    ["wav.scp", "r1 sph2pipe -f wav a.sph |\n", /wav\.scp:1: a command \(sph2pipe .*\), which is never run/],
    ["wav.scp", "r1 | cat\n", /wav\.scp:1: a command/],
    ["wav.scp", "r1 raw.ark:123\n", /wav\.scp:1: raw\.ark:123 where the path of an audio file is expected/],
    ["wav.scp", "r1\n", /wav\.scp:1: nothing where the path/],
    ["wav.scp", "r1 a.wav\nr1 b.wav\n", /wav\.scp:2: "r1" was at .*wav\.scp:1 already/],
    ["segments", "u1 r9 0 1\n", /segments:1: no recording "r9" in wav\.scp/],
    ["segments", "u1 r1 0 x\n", /segments:1: expected "<utterance> <recording> <start> <end>"/],
    ["segments", "u1 r1 0 1 A\n", /segments:1: expected/],
    ["segments", "u1 r1 0.5 0.5\n", /segment of 0\.5 to 0\.5 s is empty .*segments:1/],
    ["segments", "u1 r1 0 99\n", /runs past the end of the recording, 1 s \(.*segments:1\)/],
    ["text", "u1 A\nu1 B\n", /text:2: "u1" was at .*text:1 already/],
    ["reco2file_and_channel", "r1 a A\nr2 b B\n", /reco2file_and_channel:2: a channel other than the first/],
  ])("%s of %j is refused", async (name, text, message) => {
    await expect(open({ ...kaldi, [`k/${name}`]: text }, "k")).rejects.toThrow(message);
  });
  test("a command on the only line of a list of another name is named too", async () => {
    await expect(open({ "cmd.scp": "x sox a.mp3 -t wav - |\n" }, "cmd.scp")).rejects.toThrow(/which is never run/);
  });
});

test("JSON arrays say the line of what is wrong", async () => {
  expect(
    (await facts({ "l.json": '[{"path":"x/a.wav"},\n {"file":"x/y/b.wav"}]' }, "l.json")).map(([id]) => id),
  ).toEqual(["x/a", "x/y/b"]);
  await expect(open({ "l.json": '[\n{"path":"x/a.wav"},\n\n{"text":"]"},{"path":1}]' }, "l.json")).rejects.toThrow(
    /l\.json:4: no path/,
  );
  await expect(open({ "l.json": '[\n{"path":"x/a.wav"},\n 7]' }, "l.json")).rejects.toThrow(
    /l\.json:3: expected a JSON object .* got 7/,
  );
  await expect(open({ "l.json": '[\n{"path":"x/a.wav"},\n{]' }, "l.json")).rejects.toThrow(/l\.json:3: not valid JSON/);
  await expect(open({ "l.json": '{\n"data": [1],\n"x": 2}' }, "l.json")).rejects.toThrow(
    /l\.json:1: a JSON object that is no list/,
  );
});

test.each([
  ["a byte order mark", (text: string) => `\uFEFF${text}`],
  ["carriage returns", (text: string) => text.replaceAll("\n", "\r\n")],
  ["carriage returns alone", (text: string) => text.replaceAll("\n", "\r")],
])("%s changes nothing", async (_, change) => {
  for (const [name, text] of [
    ["l.csv", "path,text\nx/a.wav,hi\n"],
    ["l.tsv", "path\ttext\nx/a.wav\thi\n"],
    ["l.jsonl", '{"path":"x/a.wav","text":"hi"}\n'],
    ["l.json", '[{"path":"x/a.wav","text":"hi"}]\n'],
  ])
    expect(await facts({ [name]: change(text) }, name)).toEqual([["x/a", 16_000, undefined, "hi"]]);
});

test.each(["utf16le", "utf-16 with a mark", "utf16be"])("%s is named", async (encoding) => {
  const bytes = Buffer.from(`${encoding.includes("mark") ? "\uFEFF" : ""}path,text\nx/a.wav,hi\n`, "utf16le");
  if (encoding === "utf16be") bytes.swap16();
  const file = join(temporaryFolder(), "l.csv");
  writeFileSync(file, bytes);
  await expect(listManifest(file, undefined)).rejects.toThrow(
    /l\.csv: UTF-16.* text, which is not read; convert it with iconv/,
  );
});

test.each([
  ["path,path\nx/a.wav,x/a.wav\n", /l\.csv:2: two columns are named "path"/],
  ["path,text\nx/a.wav\n", /l\.csv:2: 1 columns, the header line has 2/],
  ['path,text\nx/a.wav,"open\n', /l\.csv:2: a quote is not closed/],
  ['path,text\n"x/a.wav"b,c\n', /l\.csv:2: text after a closing quote/],
  ["path,file\nx/a.wav,x/y/b.wav\n", /l\.csv:2: "path" is x\/a\.wav and "file" is x\/y\/b\.wav; give one path/],
  ["path,text\n$root/a.wav,c\n", /l\.csv:2: the path begins with the placeholder \$root/],
  ["path,text\n{data_root}/a.wav,c\n", /l\.csv:2: the path begins with the placeholder \{data_root\}/],
])("%j is refused with its line", async (text, message) => {
  await expect(open({ "l.csv": text }, "l.csv")).rejects.toThrow(message);
});

test("CSV cells", () => {
  expect(parseCsv('a,"b,""c""",,d', "x")).toEqual([{ number: 1, cells: ["a", 'b,"c"', "", "d"] }]);
  expect(parseCsv('"",a,\n\n"x\ny",1,2\r\nz,,', "x")).toEqual([
    { number: 1, cells: ["", "a", ""] },
    { number: 3, cells: ["x\ny", "1", "2"] },
    { number: 5, cells: ["z", "", ""] },
  ]);
  expect(parseCsv("a;b\n", "x", ";")).toEqual([{ number: 1, cells: ["a", "b"] }]);
});

test("CSV that is written by the rules is read as it was", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", " ", "é") });
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1 }), (rows) => {
      const text = rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(",")).join("\r\n");
      expect(parseCsv(text, "x").map(({ cells }) => cells)).toEqual(rows);
    }),
  );
});

test("whatever a list holds: recordings, or an error that says where", async () => {
  const folder = corpusOf({ "a.wav": 500 });
  const word = fc.constantFrom(
    "path", "wav", "a.wav", "start", "end", "offset", "duration", "frames", "id", "text", "1", "-1", "0.5", "NaN", "1e999", "|",
    "\t", ",", ";", "\n", "\r\n", " ", '"', "{", "}", "[", "]", ":", '{"path":"a.wav"}', '"path":', "null", "__proto__", "\uFEFF", "{x}/",
  ); // biome-ignore format: a list
  const text = fc.oneof(
    fc.array(word, { maxLength: 30 }).map((words) => words.join("")),
    fc.string(),
    fc.json(),
  );
  const names = ["l.tsv", "wav.scp", "segments", "text"];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), text, async (name, content) => {
      for (const other of names) writeFileSync(join(folder, other), other === "wav.scp" ? "r a.wav\n" : "u r 0 1\n");
      writeFileSync(join(folder, name), content);
      try {
        await listManifest(name === "l.tsv" ? join(folder, name) : folder, undefined);
      } catch (error) {
        if (!(error instanceof StillwaveError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
