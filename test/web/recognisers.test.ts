// The recognisers that are built into the page: right on recordings that they have never heard as often as it says.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadRecognizer } from "../../src/index.ts";
import type { Recognizer } from "../../src/web.ts";
import { hearWhole } from "../../web/live/listener.ts";
import { BUILT_IN, type BuiltInName } from "../../web/model/catalog.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const SPEECH = pathOf("../shared/speech");
/** Where the page's own recordings lie, or undefined. */
const speech = existsSync(join(SPEECH, "digits/labels.tsv")) ? SPEECH : undefined;

const load = (name: BuiltInName) =>
  loadRecognizer(pathOf(`web/models/${name}/${name}.onnx`), { threads: 1 }) as Promise<never> as Promise<Recognizer>;

/** Percent of recordings of which the page hears the label, and nothing else. */
async function rightOn(name: BuiltInName, corpus: string, chosen: (row: Record<string, string>, i: number) => boolean) {
  const [head, ...lines] = (await readFile(join(corpus, "labels.tsv"), "utf8")).trim().split(/\r?\n/);
  const names = head.split("\t");
  const rows = lines
    .map((line) => Object.fromEntries(line.split("\t").map((value, i) => [names[i], value])))
    .filter(chosen);
  const recognizer = await load(name);
  let right = 0;
  for (const { file, label } of rows) {
    const hearing = { ...BUILT_IN[name].hearing, surely: 0, wholeSeconds: 10 };
    const heard = await hearWhole(recognizer, hearing, await loadAudio(join(corpus, file)));
    if (heard.length === 1 && heard[0].text === label.replaceAll("_", " ")) right++;
  }
  await recognizer.dispose();
  return { recordings: rows.length, percent: (100 * right) / rows.length };
}

describe.skipIf(!speech)(`recordings of ${SPEECH}${speech ? "" : " (not there: skipped)"}`, () => {
  test("digits of the speaker who was held out", async () => {
    const { recordings, percent } = await rightOn(
      "digits",
      join(SPEECH, "digits"),
      ({ speaker }) => speaker === "theo",
    );
    const [figure] = (await loadFacts("digits")).figures;
    expect(recordings).toBe(250);
    expect(Math.abs(percent - figure.value)).toBeLessThanOrEqual(0.8); // two recordings: int8, and the band of the page
  });

  test("every third recording of the wake words' test set", async () => {
    const chosen = ({ split }: Record<string, string>) => split === "test";
    let seen = 0;
    const { recordings, percent } = await rightOn(
      "wake-words",
      join(SPEECH, "keywords"),
      (row) => chosen(row) && seen++ % 3 === 0,
    );
    expect(recordings).toBe(60);
    expect(percent).toBeGreaterThan(95);
  });
});

async function loadFacts(name: BuiltInName) {
  const recognizer = await load(name);
  await recognizer.dispose();
  return recognizer.facts;
}

test.each([
  ["digits", "accuracy", 85, 100],
  ["wake-words", "accuracy", 95, 100],
  ["phones", "PER", 0, 60],
] as const)("%s say what was measured, and their card says the same", async (name, figure, low, high) => {
  const { figures, kind, text } = await loadFacts(name);
  expect(figures[0].name).toBe(figure);
  expect(figures[0].value).toBeGreaterThan(low);
  expect(figures[0].value).toBeLessThanOrEqual(high);
  expect([kind, text]).toEqual(name === "phones" ? ["ctc", "phones"] : ["classes", null]);
  const card = await readFile(pathOf(`web/models/${name}/README.md`), "utf8");
  expect(card).toContain(`${figures[0].value.toFixed(1)} %`);
});
