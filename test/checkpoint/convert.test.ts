// Conversions: every recorded format into a model folder and back, and what is refused before anything is written.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { convertCheckpoint, loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import { convertedCard } from "../../src/checkpoint/write/card.ts";
import { initParameters } from "../../src/models/init.ts";
import { profile } from "../../src/models/profile.ts";
import { smallStudent } from "./students.ts";

const recorded = fileURLToPath(new URL("../../../shared/oracle/checkpoints/", import.meta.url));
const cases = existsSync(recorded) ? readdirSync(recorded) : [];
if (cases.length === 0) console.log("skipped: no recorded checkpoints beside the repository");

const config = smallStudent();

let root = "";
let own = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-convert-"));
  own = join(root, "own");
  await writeModelFolder(own, {
    config,
    parameters: initParameters(config, { seed: 1 }),
    extra: { hiddenStates: "layers", distilled: { teacher: "t" } },
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("into a model folder", () => {
  test.each(cases)("%s", async (name) => {
    const folder = join(root, "all", name);
    const { files, parameters, source } = await convertCheckpoint(join(recorded, name), folder);
    expect(readdirSync(folder).sort()).toEqual([...files].sort());
    const [before, after] = [await loadModel(join(recorded, name)), await loadModel(folder)];
    expect(after.config).toEqual(before.config);
    expect(after.info.format).toBe("stillwave");
    for (const [key, { data }] of before.parameters) expect(after.parameters.get(key)!.data).toEqual(data);
    const card = readFileSync(join(folder, "README.md"), "utf8");
    expect(parameters).toBe(profile(before.config).parameters.total);
    expect(card).toContain(parameters.toLocaleString("en-US"));
    expect(card).toContain(source.format);
    expect(card).toMatch(/## Licence\n/);
    expect(card).not.toContain(recorded);
  });

  test("the teacher of a distillation checkpoint", async () => {
    if (cases.length === 0) return;
    const folder = join(root, "teacher");
    const options = { part: "teacher", teacherHeads: 4 } as const;
    const { config: teacher } = await convertCheckpoint(join(recorded, "lightning_armhubert"), folder, options);
    expect(teacher).toMatchObject({ family: "hubert", heads: 4, headDim: null });
    expect((await loadModel(folder)).config).toEqual(teacher);
  });

  test.each(["lightning_armhubert", "lightning_maskhubert"])("the card says how %s was trained", async (name) => {
    if (cases.length === 0) return;
    const folder = join(root, "trained", name);
    await convertCheckpoint(join(recorded, name), folder);
    const card = readFileSync(join(folder, "README.md"), "utf8");
    const file = readdirSync(join(recorded, name)).find((entry) => entry.endsWith(".yaml"))!;
    const settings = parse(readFileSync(join(recorded, name, file), "utf8"));
    const { teacher, train, data, optimizer } = settings;
    const rows = new Map(card.split("\n").map((line) => line.split(" | ") as [string, string]));
    const row = (title: string) => rows.get(`| ${title}`);
    expect(row("teacher")).toBe(`${teacher.teacher_model.replace("./", "")} |`);
    if (teacher.mask_prob !== undefined)
      expect(row("masking of the student's input")).toMatch(`probability ${teacher.mask_prob}, length ${teacher.mask_length}`); // biome-ignore format: one line
    expect(row("training data")).toBe(`${data.train_set.join(" ")} |`);
    expect(row("optimiser")).toContain(`${optimizer.name}, learning rate ${optimizer.lr}, `);
    expect(row("epochs")).toBe(`${train.num_epochs} |`);
    expect(row("losses")).toContain(`type ${train.rec_loss_type}, weight ${train.rec_loss_weight}`);
    expect(card).toContain("the licence of the source, and of its teacher and of the data");
  });

  test("settings with hostile values stay in their cells", () => {
    const info = {
      path: "x",
      format: "lightning",
      storedDtype: "F32",
      part: "student",
      ignored: [],
      notes: [],
    } as const;
    const settings = {
      teacher: { teacher_model: "/home/someone/private/t.pt", mask_prob: "0.4 |\n# Injected" },
      train: { num_epochs: { deep: 1 }, rec_loss_type: "m".repeat(1e6) },
      data: 7,
      optimizer: null,
    };
    const card = convertedCard(config, { source: "x.ckpt", info, dtype: "float32", settings });
    expect(card).toContain("| private/t.pt |");
    expect(card).not.toContain("someone");
    expect(card).not.toMatch(/^# Injected/m);
    expect(card).not.toContain("| epochs |");
    expect(card.length).toBeLessThan(5000);
  });

  test("a card of our own folder is kept below what the conversion says", async () => {
    const [source, folder, without] = [join(root, "carded"), join(root, "carded16"), join(root, "uncarded")];
    const text =
      "---\nlicense: mit\n---\n# Best student\n\n## How it was made\n| teacher | T |\n\n## Recipe\n```yaml\n# a comment\nseed: 1\n```\n";
    await writeModelFolder(source, { config, parameters: initParameters(config, { seed: 1 }), card: text });
    await convertCheckpoint(source, folder, { dtype: "float16" });
    const card = readFileSync(join(folder, "README.md"), "utf8");
    expect(card.startsWith("---\nlicense: mit\n---\n# Distilled student")).toBe(true);
    expect(card).toContain("stored as float16 here");
    const kept = card.slice(card.indexOf("## Card of the source"));
    expect(kept).toContain("\n### Best student\n\n#### How it was made\n| teacher | T |\n");
    expect(kept).toContain("```yaml\n# a comment\nseed: 1\n```");
    expect(card.match(/^# /gm)).toHaveLength(2); // the title and the recipe's comment
    rmSync(join(source, "README.md"));
    expect((await convertCheckpoint(source, without)).warnings).toEqual([]);
    expect(readFileSync(join(without, "README.md"), "utf8")).not.toContain("Card of the source");
    writeFileSync(join(source, "README.md"), "x".repeat(2 ** 20 + 1));
    const { warnings } = await convertCheckpoint(source, without, { force: true });
    expect(warnings).toEqual([expect.stringMatching(/README\.md: longer than 1 MiB; the new card is without/)]);
  });

  test("what our own folders record goes along, and the semantics asked for are kept", async () => {
    const folder = join(root, "again");
    await convertCheckpoint(own, folder, { reuse: "official", dtype: "float16" });
    const written = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    expect(written.stillwave).toMatchObject({
      hiddenStates: "layers",
      distilled: { teacher: "t" },
      model: { reuse: "official" },
    });
    expect((await loadModel(folder)).info.storedDtype).toBe("F16");
  });
});

describe("into the released code's files", () => {
  test("an exact student comes with a warning, an official one does not", async () => {
    const exact = await convertCheckpoint(own, join(root, "exact"), { format: "lightning" });
    expect(exact.files).toEqual(["checkpoint.ckpt", "checkpoint.yaml"]);
    expect(exact.warnings.join()).toMatch(/applies softmax to a reused map again/);
    const official = await convertCheckpoint(own, join(root, "official"), { format: "lightning", reuse: "official" });
    expect(official.warnings).toEqual([]);
    expect((await loadModel(join(root, "exact"))).config).toEqual(config);
  });

  test("a teacher is refused, and leaves nothing behind", async () => {
    if (cases.length === 0) return;
    const folder = join(root, "refused");
    await expect(convertCheckpoint(join(recorded, "hf_hubert_base"), folder, { format: "lightning" })).rejects.toThrow(
      /only students have this format/,
    );
    expect(existsSync(folder)).toBe(false);
  });
});

describe("refusals", () => {
  test("a folder that is not empty, unless forced", async () => {
    const folder = join(root, "full");
    mkdirSync(folder);
    writeFileSync(join(folder, "notes.txt"), "mine");
    await expect(convertCheckpoint(own, folder)).rejects.toThrow(
      /full: not empty \(notes\.txt\); give another folder, or --force/,
    );
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
    await convertCheckpoint(own, folder, { force: true });
    expect(readFileSync(join(folder, "notes.txt"), "utf8")).toBe("mine");
    expect((await loadModel(folder)).config).toEqual(config);
  });

  test("the checkpoint's own folder, even by force", async () => {
    const before = readFileSync(join(own, "config.json"), "utf8");
    await expect(convertCheckpoint(own, own, { force: true, dtype: "float16" })).rejects.toThrow(
      /holds the checkpoint itself/,
    );
    expect(readFileSync(join(own, "config.json"), "utf8")).toBe(before);
  });

  test("a file in the folder's place, unknown formats and types", async () => {
    await expect(convertCheckpoint(own, join(own, "config.json"))).rejects.toThrow(/config\.json: is a file/);
    await expect(convertCheckpoint(own, join(root, "x"), { format: "tar" as never })).rejects.toThrow(
      /valid: huggingface, lightning/,
    );
    await expect(convertCheckpoint(own, join(root, "x"), { dtype: "int4" as never })).rejects.toThrow(
      /float32, float16/,
    );
    expect(existsSync(join(root, "x"))).toBe(false);
  });

  test("weights that float16 cannot hold", async () => {
    const folder = join(root, "large");
    const parameters = initParameters(config, { seed: 1 });
    parameters.get("heads.1.bias")!.data[0] = 1e6;
    await writeModelFolder(folder, { config, parameters });
    for (const format of ["huggingface", "lightning"] as const)
      await expect(
        convertCheckpoint(folder, join(root, `half-${format}`), { format, dtype: "float16" }),
      ).rejects.toThrow(/beyond float16/);
  });
});
