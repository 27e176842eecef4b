// Names behind what compilers, parallel trainers and modules around a model put before and between them.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspectCheckpoint, loadModel, writeModelFolder, writeSafetensors } from "../../../src/checkpoint/index.ts";
import { modelRoot, withoutWrappers } from "../../../src/checkpoint/read/wrappers.ts";
import { StillwaveError } from "../../../src/errors.ts";
import type { HostArray } from "../../../src/graph/array.ts";
import { initParameters } from "../../../src/models/init.ts";
import { pythonWithTorch } from "../python.ts";
import { smallStudent } from "../students.ts";

const config = smallStudent();
const parameters = initParameters(config, { seed: 1 });
const folder = mkdtempSync(join(tmpdir(), "stillwave-wrappers-"));
const weights = join(folder, "model.safetensors");
beforeAll(() => writeModelFolder(folder, { config, parameters }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const one: HostArray = { shape: [1], data: Float32Array.of(1) };
const renamed = (rename: (name: string) => string, array?: HostArray) =>
  [...parameters].map(([name, own]): [string, HostArray] => [rename(name), array ?? own]);
const load = async (tensors: Iterable<[string, HostArray]>, part?: "student" | "teacher") => {
  await writeSafetensors(weights, tensors);
  return loadModel(folder, { part });
};

describe("before the names", () => {
  const prefixes = [
    ..."_orig_mod. module. module.module. model. student. net. _forward_module. _module.".split(" "),
    ..."_fsdp_wrapped_module. _fsdp_wrapped_module._fpw_module. _checkpoint_wrapped_module.".split(" "),
    ..."module._orig_mod. model._orig_mod.module. _forward_module.module.model.student. student_model.".split(" "),
    ..."_orig_mod.model.hubert. wav2vec2. model.wavlm.".split(" "),
  ];
  test.each(prefixes)("%s", async (prefix) => {
    const { parameters: read, info } = await load([...renamed((name) => prefix + name), ["step", one]]);
    expect(read).toEqual(parameters);
    expect(info.ignored).toEqual(["step"]);
  });
});

describe("inside the names", () => {
  test.each<[string, (name: string) => string]>([
    ["compiled encoder", (name) => name.replace("encoder.", "encoder._orig_mod.")],
    ["compiled layers", (name) => name.replace(/(layers\.\d+)\./, "$1._orig_mod.")],
    ["checkpointed layers", (name) => name.replace(/(layers\.\d+)\./, "$1._checkpoint_wrapped_module.")],
    ["FSDP", (name) => name.replace(/\.(layers\.\d+)\./, "._fsdp_wrapped_module.$1._fsdp_wrapped_module.")],
    ["DataParallel within a module", (name) => name.replace("encoder.", "encoder.module.")],
    ["some names only", (name) => name.replace(/^encoder/, "module.encoder")],
    ["all of it", (name) => `module._orig_mod.model.${name.replace(/(layers\.\d+)\./, "$1._fpw_module.module.")}`],
  ])("%s", async (_, rename) => {
    expect((await load(renamed(rename))).parameters).toEqual(parameters);
  });

  test("inspect lists tensors by their names in the file, and errors name them so", async () => {
    await writeSafetensors(
      weights,
      renamed((name) => `_orig_mod.${name}`),
    );
    const { tensors, problem } = await inspectCheckpoint(folder);
    expect(problem).toBe(null);
    expect(tensors.map(({ name, used }) => name.startsWith("_orig_mod.") && used)).not.toContain(false);
    const short = renamed((name) => `_orig_mod.${name}`);
    short[0] = ["_orig_mod.masked_spec_embed", one];
    await expect(load(short)).rejects.toThrow('stored as "_orig_mod.masked_spec_embed") has shape [1]');
  });
});

describe("what is ambiguous is refused", () => {
  test("two tensors of one name", async () => {
    const twice = [...renamed((name) => name), ["encoder._orig_mod.layer_norm.bias", one] as [string, HostArray]];
    await expect(load(twice)).rejects.toThrow(
      '"encoder.layer_norm.bias" and "encoder._orig_mod.layer_norm.bias" are both "encoder.layer_norm.bias"',
    );
  });

  test("several models that are neither student nor teacher", async () => {
    const both = [...renamed((name) => `model.${name}`), ...renamed((name) => `ema_model.${name}`)];
    await expect(load(both)).rejects.toThrow('holds several models, under "model.", "ema_model."');
  });

  test("parameters that FSDP has flattened", async () => {
    const flat: [string, HostArray][] = [["encoder._fsdp_wrapped_module._flat_param", one]];
    await expect(load(flat)).rejects.toThrow("FULL_STATE_DICT");
  });
});

describe("several models in one file", () => {
  const zeros = (prefix: string) =>
    renamed((name) => prefix + name).map(([name, { shape, data }]): [string, HostArray] => {
      return [name, { shape, data: new Float32Array(data.length) }];
    });

  test.each([
    ["student.", "teacher."],
    ["model.student.", "model.teacher.model."],
    ["module.student_model._orig_mod.", "module.teacher_model.model."],
    ["", "teacher."],
    ["", "ema_teacher."],
  ])("%j and %j: the student unless the teacher is asked for", async (student, teacher) => {
    const all = [...zeros(teacher), ...renamed((name) => student + name)];
    const own = await load(all);
    expect(own.parameters).toEqual(parameters);
    expect(own.info.ignored).toHaveLength(parameters.size);
    const other = await load(all, "teacher");
    expect([...other.parameters.values()].every(({ data }) => data.every((value) => value === 0))).toBe(true);
    expect(other.info.part).toBe("teacher");
  });

  test("the part that is not there", async () => {
    const named = renamed((name) => `student.${name}`);
    await expect(load(named, "teacher")).rejects.toThrow('there is no teacher in it; models under "student."');
    const taught = renamed((name) => `teacher.${name}`);
    await expect(load(taught, "student")).rejects.toThrow('there is no student in it; models under "teacher."');
  });
});

const python = pythonWithTorch();
const save = `
import json, struct, sys, torch
source, folder, *keys = sys.argv[1:]
raw = open(source, "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
state = {}
for name, entry in json.loads(raw[8:8 + size]).items():
    if name == "__metadata__": continue
    start, end = entry["data_offsets"]
    state[name] = torch.frombuffer(bytearray(raw[8 + size + start:8 + size + end]), dtype=torch.float32).reshape(entry["shape"])
for key in keys:
    named = {key: state, "epoch": 3, "optimizer_states": [{"exp_avg": torch.zeros(2)}]} if key else state
    torch.save(named, f"{folder}/epoch=3-{key}.ckpt")
`;
describe.skipIf(!python)("a trainer's own file beside the model's config.json", () => {
  const keys = ["", "state_dict", "model_state_dict", "module", "model", "net", "student"];
  beforeAll(async () => {
    await writeSafetensors(
      weights,
      renamed((name) => `model._orig_mod.${name}`),
    );
    execFileSync(python!, ["-c", save, weights, folder, ...keys], { stdio: "inherit" });
  });

  test.each(keys)("weights under %j", async (key) => {
    const { parameters: read, info } = await loadModel(join(folder, `epoch=3-${key}.ckpt`));
    expect(read).toEqual(parameters);
    expect(info.ignored).toEqual(key ? ["optimizer_states.0.exp_avg"] : []);
  });

  test("without a config.json beside it, that is what is missing", async () => {
    const alone = join(folder, "alone");
    mkdirSync(alone);
    copyFileSync(join(folder, "epoch=3-state_dict.ckpt"), join(alone, "epoch=3.ckpt"));
    await expect(loadModel(join(alone, "epoch=3.ckpt"))).rejects.toThrow("put the config.json of the model beside it");
  });
});

test("any names give tensors or an error of the file", async () => {
  const part = fc.constantFrom(
    "module",
    "_orig_mod",
    "encoder",
    "layers",
    "0",
    "student",
    "",
    "_flat_param",
    "teacher",
  );
  const name = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("."));
  const root = fc.constantFrom("", ".feature_extractor.conv_layers.0.conv.weight");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, root), { maxLength: 8 }), async (names) => {
      const stored = names.map(([start, end]) => start + end);
      const tensors = new Map(
        stored.map((text) => [text, { name: text, dtype: "F32", shape: [1], read: async () => new Float32Array(1) }]),
      );
      try {
        const bare = withoutWrappers(tensors, "x");
        const { prefix, own } = modelRoot(bare, "x");
        for (const inside of own.keys()) expect(bare.has(prefix + inside)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
  );
  await writeFile(weights, "");
});
