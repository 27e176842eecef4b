// The op table on ONNX Runtime in Node (CPU), and that the table leaves no op out.
import { expect, test } from "vitest";
import { INFER } from "../../src/graph/infer.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { OP_CASES } from "../graph/op-cases.ts";
import { REFERENCE } from "../graph/reference.ts";
import { EXACT, runOpCases } from "./op-conformance.ts";

test("every op of the vocabulary has cases, and no case has a name twice", () => {
  const covered = new Set<string>(OP_CASES.map((opCase) => opCase.op));
  expect([...covered].sort()).toEqual(Object.keys(INFER).sort());
  expect([...covered].sort()).toEqual(Object.keys(REFERENCE).sort());
  const names = OP_CASES.map((opCase) => `${opCase.op}: ${opCase.name}`);
  expect(new Set(names).size).toBe(names.length);
});

runOpCases("onnxruntime-node, cpu", () => createRuntime({ device: "cpu", threads: 1 }), { ...EXACT, slopes: true });
