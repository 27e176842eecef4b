// Pre-training as a call, and its mistakes.
import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { pretrain } from "../../src/library/pretrain.ts";

const first = (recipe: Parameters<typeof pretrain>[0]["recipe"]) => pretrain({ recipe }).next();

test("mistakes in fields name them, and recipes that are not there are told with those that are", async () => {
  const fields = {
    model: { layers: 2, dim: 24, ffnDim: 32, heads: 5 },
    iterations: [{ targets: "mfcc" as const, clusters: 8 }],
    data: { train: { path: "speech" } },
  };
  await expect(first(fields)).rejects.toThrow(UsageError);
  await expect(first(fields)).rejects.toThrow(
    /pretrain: model.heads: dim 24.*\n.*pretrain: iterations.0: missing: give epochs or steps/,
  );
  await expect(first("hubert-tiny")).rejects.toThrow(/no such recipe file; did you mean "hubert-tiny-pretrain"/);
});
