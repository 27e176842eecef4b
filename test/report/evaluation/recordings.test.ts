// Recordings in reports: what each container is called, whatever the file's name says.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { embedRecordings } from "../../../src/report/evaluation/recordings.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "recordings-"));
});
afterAll(() => rm(root, { recursive: true }));

const latin = (text: string) => Buffer.from(text, "latin1");
/** A page of one segment. */
const ogg = (codec: string) => latin(`OggS${"\0".repeat(22)}\x01\x13${codec}`);

test.each<[string, Buffer, string]>([
  ["wav", latin("RIFF\x24\x00\x00\x00WAVEfmt "), "audio/wav"],
  ["flac", latin("fLaC\x00\x00\x00\x22"), "audio/flac"],
  ["mp3", latin("\xff\xfb\x90\x00"), "audio/mpeg"],
  ["mp3 with a tag", latin("ID3\x04\x00\x00\x00\x00\x00\x00"), "audio/mpeg"],
  ["m4a", latin("\x00\x00\x00\x18ftypM4A "), "audio/mp4"],
])("a recording in %s has its media type", async (_, bytes, mime) => {
  await writeFile(join(root, "x.bin"), bytes);
  expect(embedRecordings([{ audio: "x.bin" }], root)).toEqual([
    { uri: `data:${mime};base64,${bytes.toString("base64")}` },
  ]);
});

test("formats that are read, but that browsers do not play, are left out by that reason", async () => {
  for (const start of [".snd", "FORM\0\0\0\0AIFFCOMM", "\xff\xfd\x80\xc4"]) {
    await writeFile(join(root, "x.bin"), latin(start));
    expect(embedRecordings([{ audio: "x.bin" }], root)).toEqual([{ reason: "it is in no format that browsers play" }]);
  }
});

test("a recording in Ogg has the media type of Ogg, whatever its codec", async () => {
  for (const codec of ["OpusHead", "\x01vorbis"]) {
    await writeFile(join(root, "x.ogg"), ogg(codec));
    const [recording] = embedRecordings([{ audio: join(root, "x.ogg") }], "/");
    expect(recording).toHaveProperty("uri", expect.stringMatching(/^data:audio\/ogg;base64,/));
  }
});

test("of a part of a recording the player gets the times", async () => {
  await writeFile(join(root, "x.bin"), latin("fLaC\x00\x00\x00\x22"));
  const segment = { start: 24_000, samples: 12_000, sampleRateHz: 16_000 };
  const [recording] = embedRecordings([{ audio: "x.bin", segment }], root);
  expect(recording).toHaveProperty("uri", expect.stringMatching(/^data:audio\/flac;base64,.*#t=1\.5,2\.25$/));
});
