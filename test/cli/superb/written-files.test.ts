// Lists of written files stay short enough to read.
import { expect, test } from "vitest";
import { writtenFiles } from "../../../src/cli/superb/written-files.ts";

test("a folder with more than a dozen files is one line with their count", () => {
  const many = Array.from({ length: 13 }, (_, i) => `sd/predictions/${i}.h5`);
  expect(writtenFiles(["pr/predict.ark", ...many, "sd/frame_shift"])).toEqual([
    "pr/predict.ark",
    "sd/predictions/ (13 files)",
    "sd/frame_shift",
  ]);
  expect(writtenFiles(many.slice(1))).toEqual(many.slice(1));
  expect(writtenFiles([])).toEqual([]);
});
