// Exported recognisers in Chromium, through the package's entry for browsers: what they say is what they say in Node.
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { exportRecognizer, type FileRecognizer, loadRecognizer } from "../../src/index.ts";
import type { StreamUpdate } from "../../src/streaming/stream.types.ts";
import { temporaryFolder } from "../export/cases.ts";
import { makeRun } from "../recognizer/made-runs.ts";
import { inChromium, type OpenPage, openTestPage } from "./chromium.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const SPEECH = pathOf("examples/speech/dev/1284/1180/1284-1180-0022.flac");
/** Phones in 8 bits, as the page has them. */
const BUILT_IN = pathOf("web/models/phones/phones.onnx");
const CHUNKS = { chunk: 0.64, left: 1.28, right: 0.32 };
/** What browsers' audio worklets hand over, gathered to a tenth of a second, or so. */
const PIECE_SAMPLES = 1664;

/**
 * Decimals to which numbers agree. Floats: sums of the same products in another order. 8 bits: such a difference can move an
 * activation across a rounding border (exports.browser.test.ts).
 */
const decimalsOf = (name: string) => (name === "built-in" ? 2 : 4);

/** `value` with every number in it taken for what it is about. */
function roughly(value: unknown, decimals: number): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? value : expect.closeTo(value, decimals);
  if (Array.isArray(value)) return value.map((one) => roughly(one, decimals));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, roughly(one, decimals)]));
}

/** What an update says; how long it took is the machine's. */
const saidOf = ({ computeMilliseconds: _, ...said }: StreamUpdate) => said;

inChromium("recognisers in Chromium", () => {
  const folder = temporaryFolder();
  let wave: Float32Array;
  let pieces: Float32Array[];
  const inNode = new Map<string, FileRecognizer>();
  const pages = new Map<boolean, OpenPage>();
  beforeAll(async () => {
    wave = (await loadAudio(SPEECH)).slice(0, 64_000);
    pieces = Array.from({ length: Math.ceil(wave.length / PIECE_SAMPLES) }, (_, i) =>
      wave.slice(i * PIECE_SAMPLES, (i + 1) * PIECE_SAMPLES),
    );
    for (const [kind, dtype] of [
      ["pr", "fp32"],
      ["asr", "fp32"],
      ["ic", "fp16"],
    ] as const) {
      const out = join(folder, `${kind}.onnx`);
      await exportRecognizer(await makeRun(folder, kind), { out, dtype, threads: 1, speech: [wave.slice(0, 16_000)] });
      inNode.set(kind, await loadRecognizer(out, { threads: 1 }));
    }
    inNode.set("built-in", await loadRecognizer(BUILT_IN, { threads: 1 }));
    await copyFile(BUILT_IN, join(folder, "built-in.onnx"));
    await writeFile(join(folder, "letter.onnx"), "Dear Sir or Madam");
    const folders = { "/recognisers/": `${folder}/` };
    for (const isolated of [true, false]) pages.set(isolated, await openTestPage({ isolated, folders }));
  }, 120_000);
  afterAll(async () => {
    for (const page of pages.values()) await page.close();
    for (const recognizer of inNode.values()) await recognizer.dispose();
  });

  describe.each([true, false])("cross-origin isolated: %s", (isolated) => {
    const options = { wasmPaths: "/ort/" };
    const opened = () => pages.get(isolated)!;
    const urlOf = (name: string) => `${opened().url}recognisers/${name}.onnx`;

    test("the page is what it says", async () => {
      expect(await opened().call("isolated")).toBe(isolated);
    });

    test.each(["pr", "asr", "built-in"])("%s: readings, with times, confidences and scores", async (name) => {
      const recognizer = inNode.get(name)!;
      const { facts, device, readings } = await opened().call("recognise", urlOf(name), options, wave, 3);
      expect(facts).toEqual(recognizer.facts);
      expect(device).toBe("wasm");
      const expected = await recognizer.transcribe(wave, { nbest: 3 });
      expect(expected.parts.length).toBeGreaterThan(name === "asr" ? 0 : 15);
      expect(expected.alternatives).toHaveLength(2);
      expect(readings).toEqual(roughly(expected, decimalsOf(name)));
      const greedy = await opened().call("recognise", urlOf(name), options, wave, 1);
      expect(greedy.readings).toEqual(roughly(await recognizer.transcribe(wave), decimalsOf(name)));
    });

    test("classes, the most probable of each slot", async () => {
      const { classes } = await opened().call("recognise", urlOf("ic"), options, wave, 4);
      const expected = await inNode.get("ic")!.classify(wave, { top: 4 });
      expect(expected.classes).toHaveLength(4);
      expect(expected.slots.map(({ name }) => name)).toEqual(["action", "object"]);
      expect(classes).toEqual(roughly(expected, decimalsOf("ic")));
    });

    test.each(["pr", "ic", "built-in"])("%s: a stream says the same after the same piece", async (name) => {
      const { updates, facts } = await opened().call("follow", urlOf(name), options, pieces, CHUNKS);
      const stream = inNode.get(name)!.stream(CHUNKS);
      const expected: StreamUpdate[][] = [];
      for (const piece of pieces) expected.push(await stream.push(piece));
      expected.push(await stream.end());
      expect(facts).toEqual(stream.facts);
      expect(updates.map((some) => some.map(saidOf))).toEqual(
        roughly(
          expected.map((some) => some.map(saidOf)),
          decimalsOf(name),
        ),
      );
      // something is said long before the recording ends
      const first = updates.findIndex((some) => some.some(({ parts, classes }) => parts.length + classes.length > 0));
      expect(first).toBeLessThan(updates.length / 2);
      expect(updates.at(-1)?.at(-1)?.isLast).toBe(true);
    });

    test("what is no recogniser, or not there, is one sentence", async () => {
      const refused = (name: string) => opened().call("recognise", urlOf(name), options, wave, 1);
      await expect(refused("nowhere")).rejects.toThrow(/StillwaveError: .*nowhere\.onnx.*404/);
      await expect(refused("letter")).rejects.toThrow(/StillwaveError: .*letter\.onnx: not an ONNX file/);
    });
  });
});
