// inspect: the published sizes, by block, as text and JSON, for recipes, published ids and checkpoints.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { contentsOf } from "../../src/cli/inspect/contents.ts";
import { formatInspection } from "../../src/cli/inspect/format.ts";
import { inspectSubject } from "../../src/cli/inspect/subject.ts";
import { publishedIds } from "../../src/models/published.ts";
import { stillwave } from "./run.ts";

const checkpoints = new URL("../../../shared/oracle/checkpoints/", import.meta.url);

describe("recipes", () => {
  // Totals, heads and MACs as published (arXiv:2305.11685 table 1; MACs of 10 s in billions).
  test.each([
    ["armhubert-960", 26_448_448, 4_432_896, 22.31, 30.1],
    ["armhubert-s-960", 22_394_080, 3_990_528, 20.01, 27.0],
    ["maskhubert-960", 26_635_840, 4_432_896, 23.12, 31.2],
  ])("%s", async (name, total, heads, macs, share) => {
    const inspection = await inspectSubject(name);
    expect(inspection.profile.parameters).toMatchObject({ total, heads, withoutHeads: total - heads });
    expect(inspection.profile.macs.total / 1e9).toBeCloseTo(macs, 2);
    expect(inspection.reference?.name).toBe("facebook/hubert-base-ls960");
    expect(100 * inspection.reference!.share.macs).toBeCloseTo(share, 1);
  });

  test("ARMHuBERT by block", async () => {
    const { profile, semantics } = await inspectSubject("armhubert-960");
    const blocks = new Map(profile.parameters.byBlock.map(({ name, parameters }) => [name, parameters]));
    expect(blocks.get("feature extractor")).toBe(1_865_216);
    expect(blocks.get("positional conv")).toBe(1_843_808);
    expect(blocks.get("layer 0")).toBe(1_756_224);
    expect(blocks.get("layer 1")).toBe(1_294_464);
    expect(semantics).toEqual({ reuse: "exact", countPaddedFrames: false, weightDecay: 1e-6 });
  });

  test("overrides count", async () => {
    const { semantics, architecture } = await inspectSubject("armhubert-960", {
      set: ["semantics=official", "student.attentionFrom=every 3"],
    });
    expect(semantics).toEqual({ reuse: "official", countPaddedFrames: true, weightDecay: 0.01 });
    expect(architecture.attentionFrom.slice(0, 6)).toEqual([0, 0, 0, 3, 3, 3]);
  });

  test("WavLM is the reference where it is the teacher", async () => {
    const { reference } = await inspectSubject("armwavlm-s-960");
    expect(reference).toMatchObject({ name: "microsoft/wavlm-base", parameters: 94_381_936 });
  });
});

describe("published models, offline", () => {
  test.each([
    ["facebook/hubert-base-ls960", 94_371_712],
    ["facebook/wav2vec2-base", 94_371_712],
    ["facebook/hubert-large-ll60k", 315_438_720],
    ["facebook/wav2vec2-large-lv60", 315_438_720],
    ["microsoft/wavlm-base", 94_381_936],
    ["microsoft/wavlm-large", 315_453_120],
  ])("%s", async (id, total) => {
    const { kind, profile, reference } = await inspectSubject(id);
    expect(reference).toBeNull();
    expect([kind, profile.parameters.total]).toEqual(["published", total]);
  });

  test("all of them can be inspected at any length", async () => {
    for (const id of publishedIds()) expect((await inspectSubject(id, { seconds: 1 })).profile.frames).toBe(49);
  });
});

describe("checkpoints", () => {
  test("of every recorded kind", async (context) => {
    if (!existsSync(checkpoints)) {
      console.log("skipped: no recorded checkpoints beside the repository");
      return context.skip();
    }
    const armhubert = await inspectSubject(fileURLToPath(new URL("lightning_armhubert", checkpoints)));
    expect(armhubert).toMatchObject({ kind: "checkpoint", format: "lightning", semantics: { reuse: "official" } });
    expect(formatInspection(armhubert)).toContain("semantics   official reuse");
    const half = await inspectSubject(fileURLToPath(new URL("fairseq_hubert_base_fp16", checkpoints)));
    expect(half.dtype).toBe("F16");
    expect(half.ignored).toContain("label_embs_concat");
    expect(formatInspection(half)).toMatch(/^ {2}ignored {5}label_embs_concat, /m);
  });
});

describe("every recorded checkpoint", () => {
  const cases = existsSync(checkpoints) ? readdirSync(checkpoints) : [];
  if (cases.length === 0) console.log("skipped: no recorded checkpoints beside the repository");
  test.each(cases)("%s: architecture, tensors, parameters, what is ignored", async (name) => {
    const path = fileURLToPath(new URL(name, checkpoints));
    const inspection = await inspectSubject(path);
    const { tensors, profile, ignored } = inspection;
    expect(tensors!.used).toBeLessThanOrEqual(tensors!.stored);
    expect(profile.parameters.byBlock.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(
      profile.parameters.total,
    );
    const list = await contentsOf(path);
    expect(list!.tensors).toHaveLength(tensors!.stored);
    const unused = list!.tensors.filter(({ used }) => !used).map((tensor) => tensor.name);
    expect(unused.filter((tensor) => !ignored.includes(tensor))).toEqual([]);
    const text = formatInspection(inspection);
    expect(text).toMatch(/^ {2}family {6}\w+: \d+ layers/m);
    expect(text).toContain(`${tensors!.stored} in the file, ${tensors!.used} used`);
  });

  test("--tensors lists them", async () => {
    const { code, stdout } = await stillwave(["inspect", "examples/hubert-small-libri", "--tensors"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^encoder\.layers\.5\.attention\.q_proj\.weight +F16 +\[192, 192\]$/m);
    const json = await stillwave(["inspect", "examples/hubert-small-libri", "--tensors", "--json"]);
    const { tensorList, tensors } = JSON.parse(json.stdout);
    expect(tensorList).toHaveLength(tensors.stored);
    expect(tensorList[0]).toEqual({ name: expect.any(String), dtype: "F16", shape: expect.any(Array), used: true });
  });
});

describe("printing", () => {
  test("text has totals, share and one line per block", async () => {
    const { code, stdout } = await stillwave(["inspect", "armhubert-960", "--seconds", "10"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^layer 1 +1,294,464 +[\d.]+ M +of layer 0 \(exact\)$/m);
    expect(stdout).toContain("26,448,448 in total, 22,015,552 without heads");
    expect(stdout).toContain("22.31 G in total");
    expect(stdout).toContain("28.0 % of the parameters and 30.1 % of the MACs of facebook/hubert-base-ls960");
  });

  test("--json is one document with the same numbers", async () => {
    const { stdout } = await stillwave(["inspect", "maskhubert-960", "--json"]);
    const parsed = JSON.parse(stdout);
    expect(parsed.profile.parameters.total).toBe(26_635_840);
    expect(parsed.semantics.reuse).toBeNull();
    expect(parsed).toEqual(JSON.parse(JSON.stringify(await inspectSubject("maskhubert-960"))));
  });
});
