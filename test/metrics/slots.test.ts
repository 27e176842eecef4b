// Slot scores: candidates that are worse than nothing, every slot by itself, corpora without slots.
import { expect, test } from "vitest";
import { scoreSlots } from "../../src/metrics/slots.ts";

const row = (reference: string, hypothesis: string, id = "a") => ({ id, reference, hypothesis });

test("a candidate of 100 edits a character or more loses to the empty string", () => {
  const long = (count: number) => `B-x ${"Q".repeat(count)} E-x`;
  // 99 edits for one character are counted, 100 are not: then the whole value is lost, one edit
  expect(scoreSlots([row("B-x A E-x", long(99))])).toMatchObject({ edits: 99, characters: 1, cer: 9900 });
  expect(scoreSlots([row("B-x A E-x", long(100))])).toMatchObject({ edits: 1, characters: 1, cer: 100 });
  expect(scoreSlots([row("B-x AB E-x", long(199))])).toMatchObject({ edits: 199 });
  expect(scoreSlots([row("B-x AB E-x", long(200))])).toMatchObject({ edits: 2 });
  // the better of two, of which one is hopeless
  expect(scoreSlots([row("B-x A E-x", `${long(300)} B-x AQ E-x`)])).toMatchObject({ edits: 1 });
});

test("every slot has its own F1 and CER, and every utterance", () => {
  const report = scoreSlots([
    row("GO TO B-city ROME E-city", "GO TO B-city ROMA E-city", "1"),
    row("B-city OSLO E-city AT B-time TEN E-time", "B-time TEN E-time", "2"),
    row("STOP", "B-time NOW E-time", "3"),
  ]);
  expect(report.slots).toEqual([
    { name: "city", references: 2, hypotheses: 1, found: 1, f1: 200 / 3, cer: (100 * 5) / 8, edits: 5, characters: 8 },
    { name: "time", references: 1, hypotheses: 2, found: 1, f1: 200 / 3, cer: 0, edits: 0, characters: 3 },
  ]);
  expect(report.utterances.map(({ id, f1, edits }) => [id, f1, edits])).toEqual([["1", 1, 1], ["2", 2 / 3, 4], ["3", 0, 0]]); // biome-ignore format: one line
  expect(report.f1).toBeCloseTo((100 * (1 + 2 / 3)) / 3, 12);
  expect(report.cer).toBeCloseTo((100 * 5) / 11, 12);
});

test("a corpus without reference slots is said to be one", () => {
  expect(() => scoreSlots([row("STOP", "B-time NOW E-time")])).toThrow("no reference has a slot");
});
