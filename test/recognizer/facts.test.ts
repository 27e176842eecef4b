// Metadata of recognisers: written and read again, and every way in which a file can be none.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { onnxHeader } from "../../src/onnx/header.ts";
import { encodeModel, type OnnxModel } from "../../src/onnx/proto.ts";
import { metadataOf, readFacts } from "../../src/recognizer/facts.ts";
import { loadRecognizer } from "../../src/recognizer/node/load.ts";
import type { RecognizerFacts } from "../../src/recognizer/recognizer.types.ts";
import { temporaryFolder } from "../data/corpora.ts";

const root = temporaryFolder();
const facts: RecognizerFacts = {
  ...{ kind: "ctc", task: "pr", text: "phones", labels: ["<pad>", "Ä\n", '"'], special: [0], blank: 0, slots: [] },
  ...{ sampleRate: 16_000, samplesPerFrame: 320, minSamples: 400, dtype: "fp32", upstream: "made" },
  streaming: null,
  figures: [{ name: "PER", value: 12.5, on: "made, test" }],
};

/** A file that adds the lengths to the waveform's mean, and says of itself what it is told to. */
function modelOf(metadata: Readonly<Record<string, string>>, width = 3, output = "logits"): OnnxModel {
  const zeros = { name: "zeros", type: "float32", shape: [1, 1, width], bytes: new Uint8Array(4 * width) } as const;
  return {
    ...{ name: "made", opset: 17, initializers: [zeros], metadata },
    nodes: [
      {
        type: "ReduceMean",
        name: "mean",
        inputs: ["waveform"],
        outputs: ["mean"],
        attributes: { axes: [1n], keepdims: 1n },
      },
      { type: "Cast", name: "cast", inputs: ["lengths"], outputs: ["counts"], attributes: { to: 1n } },
      { type: "Add", name: "sum", inputs: ["mean", "counts"], outputs: ["sum"] },
      { type: "Add", name: "add", inputs: ["sum", "zeros"], outputs: [output] },
    ],
    inputs: [
      { name: "waveform", type: "float32", shape: ["batch", "samples"] },
      { name: "lengths", type: "int64", shape: ["batch"] },
    ],
    outputs: [{ name: output, type: "float32", shape: ["batch", "frames", width] }],
  };
}

const headerOf = (bytes: Uint8Array) => onnxHeader((at, length) => bytes.subarray(at, at + length), bytes.length);
const load = async (bytes: Uint8Array) => (await loadRecognizer(bytes, { threads: 1 })).dispose();

test("facts are read from a file as they were written, whatever the labels", () => {
  expect(readFacts(headerOf(encodeModel(modelOf(metadataOf(facts)))), "made.onnx")).toEqual(facts);
});

describe("what is no recogniser", () => {
  const good = metadataOf(facts);
  const without = (key: string) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== key));
  test.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ["an upstream", { "stillwave.model": "x" }, /an exported upstream, which has no head.*stillwave export <run>/],
    ["another's file", { author: "x" }, /an ONNX file, but no recogniser \(its metadata has no stillwave\.kind\)/],
    ["no labels", without("stillwave.labels"), /metadata stillwave\.labels: missing/],
    ["labels that are no JSON", { ...good, "stillwave.labels": "a,b" }, /stillwave\.labels: not JSON/],
    ["an empty label", { ...good, "stillwave.labels": '["a",""]' }, /stillwave\.labels\.1: /],
    ["a label twice", { ...good, "stillwave.labels": '["a","b","b"]' }, /labels: "b" is there twice/],
    ["a special one beyond", { ...good, "stillwave.special": "[7]" }, /special: 7 is beyond the 3 labels/],
    ["another blank", { ...good, "stillwave.blank": "2" }, /stillwave\.blank: /],
    ["another rate", { ...good, "stillwave.sampleRate": "8000" }, /stillwave\.sampleRate: /],
    ["no frames", { ...good, "stillwave.samplesPerFrame": "0" }, /stillwave\.samplesPerFrame: /],
    ["an unknown kind", { ...good, "stillwave.kind": "seq2seq" }, /stillwave\.kind: /],
    ["slots that do not add up", { ...good, "stillwave.kind": "classes", "stillwave.slots": '[{"name":"a","size":2}]' }, /slots: 2 classes in all, and there are 3 labels/], // biome-ignore format: one line
  ])("%s", async (_, metadata, message) => {
    const failed = load(encodeModel(modelOf(metadata)));
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toThrow(StillwaveError);
  });

  test("labels for other logits, and outputs of other names", async () => {
    await expect(load(encodeModel(modelOf(good, 4)))).rejects.toThrow("3 labels for logits of 4 columns");
    await expect(load(encodeModel(modelOf(good, 3, "scores")))).rejects.toThrow('no output "logits"; it has scores');
    await expect(load(encodeModel({ ...modelOf(good), inputs: [] }))).rejects.toThrow(StillwaveError);
  });

  test("text, nothing, and what is not there", async () => {
    const file = join(root, "text.onnx");
    await writeFile(file, "hello");
    await expect(loadRecognizer(file)).rejects.toThrow(`${file}: not an ONNX file, or not all of it`);
    await expect(load(new Uint8Array(0))).rejects.toThrow("not an ONNX file");
    await expect(loadRecognizer(join(root, "none.onnx"))).rejects.toThrow("not there; give an exported recogniser");
    await expect(loadRecognizer("http://127.0.0.1:9/a.onnx")).rejects.toThrow("cannot be fetched");
  });

  test("files that are cut off or changed are refused in words, wherever", async () => {
    const bytes = encodeModel(modelOf(good));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const changed = cut ? bytes.slice(0, at) : bytes.with(at, value);
        await load(changed).catch((error: unknown) => expect(error).toBeInstanceOf(StillwaveError));
      }),
      { numRuns: 60 },
    );
  });
});
