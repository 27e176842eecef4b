// Paths into the package: where they lead, back again, and that none leads out.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromPackage, PACKAGE_ROOT, packageVersion, staysInPackage, toPackage } from "../src/package.ts";

test.each(["package:examples/speech/dev", "package:recipes/quickstart.yaml", "package:examples"])(
  "%s exists, and is itself again when stored",
  (path) => {
    expect(existsSync(fromPackage(path))).toBe(true);
    expect(toPackage(fromPackage(path))).toBe(path);
    expect(staysInPackage(path)).toBe(true);
  },
);

test("other paths stay as they are", () => {
  for (const path of ["examples/speech", "/data/LibriSpeech", "facebook/hubert-base-ls960"])
    expect([fromPackage(path), toPackage(path), staysInPackage(path)]).toEqual([path, path, true]);
});

test("dots are resolved before the examples are looked for", () => {
  expect(fromPackage("package:examples/../recipes")).toBe(join(PACKAGE_ROOT, "recipes"));
});

test.each(["package:../x", "package:examples/../../x", "package:/etc"])("%s leads out", (path) => {
  expect(staysInPackage(path)).toBe(false);
});

test("the version is that of package.json", () => expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/));
