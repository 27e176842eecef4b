// What heads are trained for: cross entropies of slices and CTC against numbers by hand, and the answers logits stand for.
import { describe, expect, test } from "vitest";
import type { HeadOutput } from "../../../src/superb/heads/step.ts";
import { characterVocabulary } from "../../../src/superb/labels/vocabulary.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { logitsOf } from "../../../src/superb/objectives/reading.ts";
import type { ObjectiveSpec } from "../../../src/superb/objectives/spec.ts";

const { log } = Math;
/** One row an item. */
const rows = (...items: number[][]): HeadOutput => ({
  logits: Float32Array.from(items.flat()),
  shape: [items.length, items[0].length],
  frames: items.map(() => 1),
});
const near = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 6));

describe("classes", () => {
  const spec: ObjectiveSpec = {
    kind: "classes",
    slots: [
      { name: "action", values: ["on", "off", "up"] },
      { name: "place", values: ["here", "there"] },
    ],
  };
  const objective = createObjective(spec);

  test("loss and gradient of two slots, by hand", () => {
    expect(objective).toMatchObject({ outputs: 5, unit: null, spec });
    // probabilities 1/4 1/2 1/4 and 1/5 4/5; then 1/3 1/3 1/3 and 1/2 1/2
    const output = rows([log(1), log(2), log(1), log(1), log(4)], [7, 7, 7, -3, -3]);
    const { loss, cotangent, infinite } = objective.loss(output, [
      [1, 0],
      [2, 1],
    ]);
    expect(infinite).toBe(0);
    expect(loss).toBeCloseTo((log(2) + log(5) + log(3) + log(2)) / 2, 6);
    // (probability - 1 at the target) / 2 items
    const first = [1 / 8, -1 / 4, 1 / 8, -4 / 10, 4 / 10];
    const second = [1 / 6, 1 / 6, -1 / 3, 1 / 4, -1 / 4];
    expect([...cotangent]).toEqual(near([...first, ...second]));
  });

  test("large logits overflow nothing", () => {
    const { loss, cotangent } = objective.loss(rows([3e38, -3e38, 0, 1e4, 0]), [[0, 1]]);
    expect(loss).toBe(1e4);
    expect([...cotangent]).toEqual([0, 0, 0, 1, -1]);
  });

  test("answers are the largest of each slice; of equals the first", () => {
    const output = rows([0, 2, 1, 5, 6], [1, 1, 1, 9, 9], [-3, -2, -1, 0, -1]);
    expect(objective.readings[0].answers(output)).toEqual(["off / there", "on / here", "up / here"]);
  });

  test("logits that are not finite answer nothing", () => {
    const single = createObjective({ kind: "classes", slots: [{ name: "word", values: ["yes", "no"] }] });
    const output = rows([0, 1], [Number.NaN, 0], [0, Number.NaN], [0, Number.POSITIVE_INFINITY]);
    expect(single.readings[0].answers(output)).toEqual(["no", "", "", ""]);
    expect(single.loss(rows([Number.NaN, 0]), [[0]]).loss).toBeNaN();
  });

  test("one class is nothing to learn", () => {
    const alone = { kind: "classes", slots: [spec.slots[0], { name: "location", values: ["none"] }] } as const;
    expect(() => createObjective(alone)).toThrow("location: the training data have fewer than two classes");
  });
});

/** Logits of items that say these symbols, one a frame, padded with what nobody should read. */
function saying(vocab: number, ...items: number[][]): HeadOutput {
  const time = Math.max(...items.map(({ length }) => length)) + 1;
  const logits = new Float32Array(items.length * time * vocab);
  for (const [item, symbols] of items.entries())
    for (let t = 0; t < time; t++) logits[(item * time + t) * vocab + (symbols[t] ?? vocab - 1)] = 3 + t;
  return { logits, shape: [items.length, time, vocab], frames: items.map(({ length }) => length) };
}

describe("CTC", () => {
  const spec: ObjectiveSpec = {
    kind: "ctc",
    text: "phones",
    symbols: ["<pad>", "<eos>", "<unk>", "AH", "B", "K"],
    special: ["<pad>", "<eos>"],
  };
  const objective = createObjective(spec);

  test("answers are greedy: repeats merged, blanks and ends dropped", () => {
    expect(objective).toMatchObject({ outputs: 6, unit: "phone" });
    const output = saying(6, [3, 3, 0, 3, 4, 1], [0, 5, 5, 1, 1, 5], [0, 0], [2, 4]);
    expect(objective.readings[0].answers(output)).toEqual(["AH AH B", "K K", "", "<unk> B"]);
    const spoiled = saying(6, [3, 4], [3, 4]);
    spoiled.logits[0] = Number.NaN;
    expect(objective.readings[0].answers(spoiled)).toEqual(["", "AH B"]);
  });

  test("characters are joined, marks are spaces", () => {
    const { symbols, ids } = characterVocabulary();
    const spelled = createObjective({ kind: "ctc", text: "characters", symbols, special: ["<s>", "<pad>", "</s>"] });
    expect(spelled).toMatchObject({ outputs: 32, unit: "word" });
    const of = (text: string) => [...text].map((symbol) => ids.get(symbol === "_" ? "<s>" : symbol)!);
    const output = saying(32, of("|HE_E|_|L'L_L||"), of("A_A"), [...of("I|"), ids.get("</s>")!]);
    expect(spelled.readings[0].answers(output)).toEqual(["HEE L'LL", "AA", "I"]);
  });

  test("loss by hand, each over its label's length, mean over the batch", () => {
    // two symbols, two frames, all probabilities 1/2: the label "x" is said by x x, x -, - x; "x x" by nothing
    const plain = createObjective({ kind: "ctc", text: "phones", symbols: ["-", "x"], special: ["-"] });
    const flat = (items: number): HeadOutput => ({ logits: new Float32Array(items * 4), shape: [items, 2, 2], frames: Array(items).fill(2) }); // biome-ignore format: one line
    expect(plain.loss(flat(1), [[1]]).loss).toBeCloseTo(-log(3 / 4), 6);
    const { loss, infinite, cotangent } = plain.loss(flat(3), [[1], [1, 1], []]);
    expect(infinite).toBe(1);
    expect(loss).toBeCloseTo((-log(3 / 4) + 0 + -log(1 / 4)) / 3, 6);
    // d/dz: p - posterior; of the three paths two have x in a frame; over the three items
    const one = [(1 / 2 - 1 / 3) / 3, (1 / 2 - 2 / 3) / 3];
    const blank = [(1 / 2 - 1) / 3, 1 / 2 / 3];
    expect([...cotangent]).toEqual(near([...one, ...one, 0, 0, 0, 0, ...blank, ...blank]));
    // the next batch does not see the last one's gradient
    expect([...plain.loss(flat(1), [[1]]).cotangent]).toEqual(near([...one, ...one].map((value) => 3 * value)));
  });

  test("padded frames count neither in the loss nor in the gradient", () => {
    const output = saying(6, [3, 4], [4, 5, 0, 3]);
    const { loss, cotangent } = objective.loss(output, [[3, 4], [4, 5, 3]]); // biome-ignore format: one line
    const before = [...cotangent];
    output.logits.subarray(2 * 6, 5 * 6).fill(17);
    output.logits.subarray(9 * 6, 10 * 6).fill(-17);
    const again = objective.loss(output, [[3, 4], [4, 5, 3]]); // biome-ignore format: one line
    expect(again.loss).toBe(loss);
    expect([...again.cotangent]).toEqual(before);
    expect(before.slice(2 * 6, 5 * 6).every((value) => value === 0)).toBe(true);
    expect([...logitsOf(output, 0)]).toEqual([...output.logits.subarray(0, 12)]);
    expect([...logitsOf(output, 1)]).toEqual([...output.logits.subarray(30, 54)]);
  });
});
