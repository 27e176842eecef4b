// What reports call things.
import { expect, test } from "vitest";
import { nameOfModel } from "../../../src/report/results/words.ts";

test.each([
  ["facebook/hubert-base-ls960", "facebook/hubert-base-ls960"],
  ["fbank", "fbank"],
  ["package:examples/student-small-libri", "package:examples/student-small-libri"],
  ["/data/models/student-small-libri", "student-small-libri"],
  ["./student/", "student"],
  ["runs/student/best", "student/best"],
  ["/data/runs/digits/best/upstream", "digits/best/upstream"],
  ["C:\\runs\\student\\last", "student/last"],
  ["/best", "best"],
  ["", ""],
])("%s is called %s", (model, name) => {
  expect(nameOfModel(model)).toBe(name);
});
