// Ogg as programs really leave it: no end mark, empty last pages, positions that start anywhere, bytes behind; and what is damage.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, decodeBytes, probeAudio, probeHeader } from "../../../src/audio/index.ts";
import { isOgg, probeOgg, readOgg } from "../../../src/audio/ogg/stream.ts";
import { findAudio } from "../../../src/audio/tags.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { concat, fixture, fixtureBytes, fromS16, temporaryFolder } from "../signals.ts";
import { oggOf, type Page, pagesOf } from "./pages.ts";

const folder = temporaryFolder();
let files = 0;
const write = (bytes: Uint8Array) => {
  const path = join(folder, `${files++}.ogg`);
  writeFileSync(path, bytes);
  return path;
};

const FIXTURES = ["pages.ogg", "pages.opus", "pages.oga"];
const SINGLE = ["speech.ogg", "speech.opus"];
/** Pages of headers before the first one of audio. */
const HEADERS = 2;
const NO_END = "its Ogg stream has no end mark, so its end may be missing";

const noEnd = (pages: Page[]) => pages.with(-1, { ...pages[pages.length - 1], flags: 0 });
const shifted = (by: bigint) => (pages: Page[]) =>
  pages.map((page, i) => (i < HEADERS || page.granule < 0n ? page : { ...page, granule: page.granule + by }));
const emptyEnd = (granule?: bigint) => (pages: Page[]) => {
  const last = pages[pages.length - 1];
  const empty = { ...last, flags: 4, sequence: last.sequence + 1, lacing: new Uint8Array(0), body: new Uint8Array(0) };
  return [...noEnd(pages), { ...empty, granule: granule ?? last.granule }];
};
const joined = (pages: Page[]) =>
  shifted(1_000_000n)(pages).map((page, i) => (i < HEADERS ? page : { ...page, sequence: page.sequence + 500 }));
const written = (name: string, change: (pages: Page[]) => Page[]) => oggOf(change(pagesOf(name)));
const ascii = (text: string) => new TextEncoder().encode(text);

describe("pages of the fixtures hold what ffmpeg decodes", () => {
  test.each([
    ["pages.ogg", "speech.ogg.s16", 1],
    ["pages.opus", "speech.opus.s16", 1],
  ])("%s", async (name, oracle, rounding) => {
    const { samples } = await decodeAudio(fixture(name));
    const expected = fromS16(fixtureBytes(oracle));
    for (let i = 0; i < samples.length; i++) expect(Math.abs(samples[i] - expected[i])).toBeLessThan(rounding / 32768);
  });
  test("FLAC", async () => {
    expect((await decodeAudio(fixture("pages.oga"))).samples).toEqual(
      (await decodeAudio(fixture("speech.wav"))).samples,
    );
  });
});

describe("the same samples as of the file as it was, by decoding and by its pages", () => {
  const variants: readonly (readonly [string, (pages: Page[]) => Page[], string?])[] = [
    ["as it was", (pages) => pages],
    ["no end mark", noEnd, NO_END],
    ["an empty last page", emptyEnd()],
    ["an empty last page without position", emptyEnd(-1n)],
    ["an empty last page at position 0", emptyEnd(0n)],
    [
      "joined: positions and page numbers go on",
      joined,
      "its Ogg stream begins 500 pages late (joined, or cut at its beginning)",
    ],
    ["positions that do not start at 0", shifted(160_000n)],
    ["positions that do not start at 0, no end mark", (pages) => noEnd(shifted(2n ** 40n)(pages)), NO_END],
  ];
  test.each(FIXTURES.flatMap((name) => variants.map(([what, change, note]) => [name, what, change, note] as const)))(
    "%s: %s",
    async (name, _, change, note) => {
      const expected = await decodeAudio(fixture(name));
      const path = write(written(name, change));
      expect(await decodeAudio(path)).toEqual({ ...expected, note });
      expect(await probeHeader(path)).toMatchObject({ samples: expected.samples.length, channels: 1 });
      expect((await probeHeader(path))?.note).toBe(note);
    },
  );
  // of a long file the first and the last pages are read alone
  test.each(FIXTURES.flatMap((name) => variants.map(([what, change]) => [name, what, change] as const)))(
    "%s: %s, by parts of the file",
    (name, _, change) => {
      const bytes = written(name, change);
      const { format } = findAudio(bytes, name);
      if (!isOgg(format)) throw new Error("no Ogg");
      const { header } = readOgg(format, bytes, name);
      let told = 0;
      for (const headBytes of [100, 900, 4500, 5000, 6000])
        for (const tailBytes of [10, 100, 400, 2000, 5000]) {
          const probed = probeOgg(format, bytes.subarray(0, headBytes), bytes.subarray(-tailBytes), name);
          if (!probed) continue;
          expect(probed).toEqual(header);
          told++;
        }
      expect(told).toBeGreaterThan(2);
    },
  );
  // a position that counts less than its page holds shortens the end where there is one page of audio
  test.each(
    SINGLE.flatMap(
      (name) =>
        [
          [name, "no end mark", noEnd],
          [name, "an empty last page", emptyEnd()],
        ] as const,
    ),
  )("%s: %s", async (name, _, change) => {
    const path = write(written(name, change));
    expect((await decodeAudio(path)).samples).toEqual((await decodeAudio(fixture(name))).samples);
    expect((await probeAudio(path)).samples).toBe((await decodeAudio(fixture(name))).samples.length);
  });
  test.each(FIXTURES)("%s: bytes behind the last page are said, tags are not", async (name) => {
    const expected = (await decodeAudio(fixture(name))).samples;
    const footer = concat(
      ascii("APETAGEX"),
      Uint8Array.of(0xd0, 7, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      new Uint8Array(8),
    );
    const tails: readonly (readonly [Uint8Array, string?])[] = [
      [new Uint8Array(64), "64 bytes behind its last Ogg page are not read"],
      [Uint8Array.from({ length: 200 }, (_, i) => i), "200 bytes behind its last Ogg page are not read"],
      [concat(ascii("TAG"), new Uint8Array(125))],
      [concat(new Uint8Array(8), footer, ascii("TAG"), new Uint8Array(125))],
    ];
    for (const [tail, note] of tails) {
      const path = write(concat(fixtureBytes(name), tail));
      const decoded = await decodeAudio(path);
      expect(decoded.samples).toEqual(expected);
      expect(decoded.note).toBe(note);
      expect(await probeHeader(path)).toMatchObject({ samples: expected.length });
    }
  });
});

describe("other lengths, as libsndfile gives them", () => {
  test.each([
    // what lies before position 0 is cut, as Vorbis I (A.2) wants it; libsndfile gives as many samples, but cuts the end
    ["Vorbis that begins before 0", "pages.ogg", shifted(-100n), 100, 7900],
    ["Vorbis cut at a page", "pages.ogg", (pages: Page[]) => pages.slice(0, -2), 0, 5248],
    [
      "Vorbis whose first pages of audio are gone",
      "pages.ogg",
      (pages: Page[]) => pages.toSpliced(HEADERS, 2),
      undefined,
      4160,
    ],
    ["Opus whose end is cut further", "pages.opus", emptyEnd(24_300n), 0, 23_988],
  ])("%s", async (_, name, change, from, samples) => {
    const path = write(written(name, change));
    const decoded = await decodeAudio(path);
    expect(decoded.samples.length).toBe(samples);
    expect((await probeAudio(path)).samples).toBe(samples);
    if (from === undefined) return;
    expect(decoded.samples).toEqual((await decodeAudio(fixture(name))).samples.slice(from, from + samples));
  });
});

describe("damage", () => {
  const flipped = (bytes: Uint8Array, at: number) => bytes.with(at, bytes[at] ^ 1);
  test.each(FIXTURES)("%s: a page that is missing, damaged, cut or of another stream", async (name) => {
    const pages = pagesOf(name);
    const bytes = fixtureBytes(name);
    const last = oggOf(pages.slice(0, -1)).length;
    const of = (change: (pages: Page[]) => Page[]) => written(name, change);
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [of(() => pages.toSpliced(HEADERS + 1, 1)), /damaged: page 4 follows on page 2/],
      [of(() => pages.toSpliced(1, 1)), /damaged: page 2 follows on page 0/],
      [of(() => [...pages.slice(0, 4), pages[3], ...pages.slice(4)]), /damaged: page 3 follows on page 3/],
      [flipped(bytes, Math.floor(bytes.length / 2)), /damaged: the Ogg page at byte \d+ does not have its checksum/],
      [flipped(bytes, bytes.length - 1), /damaged: the Ogg page at byte \d+ does not have its checksum/],
      [flipped(bytes, last), /damaged: no Ogg page where one should follow/],
      [
        concat(bytes.subarray(0, last), new Uint8Array(30), bytes.subarray(last)),
        /damaged: no Ogg page where one should follow/,
      ],
      [bytes.subarray(0, last + 3), /truncated/],
      [bytes.subarray(0, last + 20), /truncated/],
      [bytes.subarray(0, -1), /truncated/],
      [of(() => [...pages, ...pages]), /several streams/],
      [of(() => [...pages, ...pages.map((page) => ({ ...page, serial: 5 }))]), /several streams/],
      [
        of(() => shifted(1000n)(pages).map((page, i) => (i < 4 ? pages[i] : page))),
        /damaged: its pages count \d+ samples/,
      ],
      [emptyEndBefore(pages), /damaged: its last page ends at sample 1, \d+ before/],
    ];
    for (const [damaged, message] of cases) await expect(decodeBytes(damaged, name)).rejects.toThrow(message);
  });
  const emptyEndBefore = (pages: Page[]) => oggOf(emptyEnd(1n)(pages));
  test("FLAC that its header says is longer, Opus whose first page counts too little", async () => {
    const cut = write(
      written("pages.oga", ([first, ...others]) => {
        Buffer.from(first.body.buffer, first.body.byteOffset).writeUInt32BE(8000, 9 + 8 + 14);
        return [first, ...others.slice(0, -1)];
      }),
    );
    await expect(probeAudio(cut)).rejects.toThrow(/truncated: the header says 8000 samples, its pages count 6912/);
    await expect(decodeAudio(cut)).rejects.toThrow(/truncated: the header says 8000 samples/);
    await expect(decodeBytes(written("pages.opus", shifted(-100n)), "x.opus")).rejects.toThrow(
      /x\.opus: damaged: its first page of audio counts fewer samples than it holds/,
    );
  });
});

describe("whatever the bytes are", () => {
  const mutated = fc.record({
    name: fc.constantFrom(...FIXTURES, ...SINGLE),
    cut: fc.integer({ min: 0, max: 12_000 }),
    flips: fc.array(fc.tuple(fc.nat(12_000), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
    tail: fc.uint8Array({ maxLength: 60 }),
  });
  test("mutated files give samples or one clear error, and the header agrees with the samples", async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async ({ name, cut, flips, tail }) => {
        const bytes = concat(fixtureBytes(name).subarray(0, cut > 10_300 ? undefined : cut), tail);
        for (const [at, flip] of flips) if (at < bytes.length) bytes[at] ^= flip;
        await sameByHeader(bytes);
      }),
      { numRuns: 150, seed: 5 },
    );
  });
  test("pages with any fields and right checksums, too", async () => {
    const change = fc.record({
      name: fc.constantFrom(...FIXTURES),
      page: fc.nat(7),
      granule: fc.option(fc.bigInt({ min: -5000n, max: 30_000n })),
      flags: fc.option(fc.nat(7)),
      sequence: fc.option(fc.nat(9)),
      bodyBytes: fc.option(fc.nat(300)),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ name, page: index, granule, flags, sequence, bodyBytes }) => {
        const pages = pagesOf(name);
        const page = pages[index % pages.length];
        page.granule = granule ?? page.granule;
        page.flags = flags ?? page.flags;
        page.sequence = sequence ?? page.sequence;
        if (bodyBytes !== null) {
          page.body = page.body.subarray(0, bodyBytes);
          page.lacing = Uint8Array.from({ length: Math.floor(page.body.length / 255) + 1 }, (_, i) =>
            Math.min(255, page.body.length - 255 * i),
          );
        }
        await sameByHeader(oggOf(pages));
      }),
      { numRuns: 150, seed: 6 },
    );
  });

  const isClear = (error: unknown) => void expect(error).toBeInstanceOf(StillwaveError);
  async function sameByHeader(bytes: Uint8Array): Promise<void> {
    const path = write(bytes);
    const decoded = await decodeAudio(path).catch(isClear);
    const header = await probeHeader(path).catch(isClear);
    if (decoded && header) expect([header.samples, header.note]).toEqual([decoded.samples.length, decoded.note]);
    if (decoded) expect(header).toBeDefined();
  }
});
