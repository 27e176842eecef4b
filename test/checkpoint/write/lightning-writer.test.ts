// The released code's files: written, read back by us, by PyTorch and by pickletools; structures it cannot hold are refused.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { inspectCheckpoint, loadModel, writeLightning } from "../../../src/checkpoint/index.ts";
import { officialSettings } from "../../../src/checkpoint/write/official-settings.ts";
import { type ModelConfig, noReuse } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { hasModules } from "../../superb/torch.ts";
import { officialStudent } from "../students.ts";

const recorded = fileURLToPath(new URL("../../../../shared/oracle/checkpoints/", import.meta.url));

const config = officialStudent();

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-lightning-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const variants: [string, Partial<ModelConfig>][] = [
  ["reuse, official", {}],
  ["reuse, exact", { reuse: "exact" }],
  ["no reuse", { attentionFrom: noReuse(4), reuse: "exact" }],
  ["pre-LN, LayerNorm convs with bias", { normFirst: true, convNorm: "layer", convBias: true }],
  ["projection", { dim: 36, featureProjection: true }],
];

describe("read back by our own reader", () => {
  test.each(variants)("%s", async (name, change) => {
    const model = { ...config, ...change };
    const parameters = initParameters(model, { seed: 3 });
    const folder = join(root, name);
    const files = await writeLightning(folder, { config: model, parameters });
    const back = await loadModel(folder);
    expect(back.info.format).toBe("lightning");
    expect(back.config).toEqual(model);
    expect([...back.parameters.keys()].sort()).toEqual([...parameters.keys()].sort());
    for (const [key, { data }] of back.parameters) expect(data).toEqual(parameters.get(key)!.data);
    expect(files.upstream).toBe(name === "no reuse" ? "maskhubert" : "armhubert");
  });

  test("the settings inside suffice without the YAML", async () => {
    const folder = join(root, "no-yaml");
    const files = await writeLightning(folder, { config, parameters: initParameters(config, { seed: 1 }) });
    rmSync(files.settings);
    expect((await loadModel(files.checkpoint)).config).toEqual(config);
  });

  test("without our own section the semantics are official", async () => {
    const exact = { ...config, reuse: "exact" as const };
    const folder = join(root, "foreign");
    await writeLightning(folder, { config: exact, parameters: initParameters(exact, { seed: 1 }) });
    expect((await loadModel(folder, { reuse: "official" })).config.reuse).toBe("official");
  });

  test("equal weights give equal bytes", async () => {
    const parameters = initParameters(config, { seed: 5 });
    const [a, b] = [join(root, "same-a"), join(root, "same-b")];
    for (const folder of [a, b]) await writeLightning(folder, { config, parameters });
    expect(readFileSync(join(a, "checkpoint.ckpt")).equals(readFileSync(join(b, "checkpoint.ckpt")))).toBe(true);
  });
});

describe("the released code's own files, written again", () => {
  test.each(["lightning_armhubert", "lightning_maskhubert"])("%s: same settings, names and shapes", async (name) => {
    if (!existsSync(join(recorded, name))) return console.log("skipped: no recorded checkpoints beside the repository");
    const source = await loadModel(join(recorded, name));
    const folder = join(root, name);
    const files = await writeLightning(folder, source);
    const theirs = parse(readFileSync(join(recorded, name, "2023-05-01_12h00m00s.yaml"), "utf8"));
    const ours = parse(readFileSync(files.settings, "utf8"));
    expect(ours.model).toBe(theirs.model);
    const { conv_feature_layers: ourConv, tr_reduce_factor: _, ...own } = ours.distiller;
    const { conv_feature_layers: theirConv, tr_reduce_factor: __, ...others } = theirs.distiller;
    expect(own).toEqual(others);
    const [first, repeated] = [/\((\d+), 10, 5\)/, /\* 4/];
    expect(first.exec(ourConv)![1]).toBe(first.exec(theirConv)![1]);
    expect(theirConv).toMatch(repeated);
    expect((await loadModel(files.checkpoint)).config).toEqual(source.config);
    // Exactly the names and shapes that their strict load_state_dict asks for.
    const students = async (path: string) => {
      const { tensors } = await inspectCheckpoint(path);
      const own = tensors.filter(({ name }) => name.startsWith("student_model."));
      return own.map(({ name, shape }) => `${name} [${shape}]`).sort();
    };
    expect(await students(files.checkpoint)).toEqual(await students(join(recorded, name)));
  });
});

describe("structures that the released code does not have", () => {
  test.each<[string, Partial<ModelConfig>, RegExp]>([
    ["a teacher", { family: "hubert" }, /it is a hubert model/],
    ["no heads", { headDim: null, headLayers: [] }, /a head on each of the 4 layers, this student has 0/],
    ["some heads", { headLayers: [1, 3] }, /this student has 2/],
    [
      "maps from afar",
      { attentionFrom: [0, 1, 0, 1] },
      /layer 2 reuses the map of layer 0.*only name the last one computed, 1/,
    ],
    ["normalised waveforms", { normalizeWaveform: true }, /never normalises waveforms/],
    ["another eps", { layerNormEps: 1e-6 }, /eps 1e-5/],
    ["an extra projection", { featureProjection: true }, /feature projection exactly where/],
    ["the ratio rule", { frameRule: "ratio" }, /conv formula/],
    ["relative positions", { relativePosition: { buckets: 8, maxDistance: 9 } }, /relative position/],
  ])("%s", (_, change, message) => {
    expect(() => officialSettings({ ...config, ...change }, "x")).toThrow(message);
  });
});

/** A Python that has torch, if there is one. */
const pythonWithTorch = () => ["python3", "/usr/bin/python3"].find((python) => hasModules(python, ["torch", "yaml"]));

const readWithTorch = `
import inspect, json, sys, torch, yaml
path, settings = sys.argv[1:3]
result = {"weights_only": "weights_only" in inspect.signature(torch.load).parameters}
loads = [torch.load(path, map_location="cpu")] if not result["weights_only"] else [
    torch.load(path, map_location="cpu", weights_only=False), torch.load(path, map_location="cpu", weights_only=True)]
with open(settings) as f:
    result["yaml"] = yaml.load(f, Loader=yaml.FullLoader)
result["states"] = [{"type": type(c["state_dict"]).__name__,
    "tensors": {k[14:]: [str(v.dtype), list(v.shape), v.is_contiguous(), float(v.double().sum()), float(v.flatten()[-1])]
        for k, v in c["state_dict"].items() if "student_model" in k}} for c in loads]
json.dump(result, sys.stdout)
`;

describe("read by Python", () => {
  test.each(["float32", "float16"] as const)("torch.load, %s", async (dtype) => {
    const python = pythonWithTorch();
    if (!python) return console.log("skipped: no Python with torch and yaml on this machine");
    const parameters = initParameters(config, { seed: 7 });
    const files = await writeLightning(join(root, `torch-${dtype}`), { config, parameters, dtype });
    const text = execFileSync(python, ["-c", readWithTorch, files.checkpoint, files.settings], { encoding: "utf8" });
    const read = JSON.parse(text);
    if (!read.weights_only) console.log("note: this torch has no weights_only");
    expect(read.yaml.distiller).toMatchObject({ encoder_layers: 4, reuse_pattern: "[True, False, True, False]" });
    for (const { type, tensors } of read.states) {
      expect(type).toBe("OrderedDict");
      expect(Object.keys(tensors)).toHaveLength(parameters.size);
      const [kind, shape, contiguous, sum, last] = tensors["encoder.layers.2.self_attn.q_proj.weight"];
      const expected = parameters.get("encoder.layers.2.attention.q_proj.weight")!;
      expect([kind, shape, contiguous]).toEqual([`torch.${dtype}`, [24, 24], true]);
      const digits = dtype === "float32" ? 6 : 2;
      expect(sum).toBeCloseTo(
        expected.data.reduce((total, x) => total + x, 0),
        digits,
      );
      expect(last).toBeCloseTo(expected.data.at(-1)!, digits);
      expect(tensors.mask_emb[1]).toEqual([24]);
      expect(tensors["encoder.pos_conv.0.weight_g"][1]).toEqual([1, 1, 8]);
      expect(tensors["proj_head.3.lin_proj.bias"][1]).toEqual([16]);
    }
  });

  test("pickletools and zipfile: plain opcodes of protocol 2, aligned storages, right checksums", async () => {
    if (spawnSync("python3", ["-c", "import pickletools"]).status !== 0)
      return console.log("skipped: no python3 on this machine");
    const files = await writeLightning(join(root, "tools"), {
      config,
      parameters: initParameters(config, { seed: 2 }),
    });
    const script = `
import json, pickletools, struct, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
names = z.namelist()
ops = [(o.name, a) for o, a, _ in pickletools.genops(z.read("checkpoint/data.pkl"))]
def start(i):
    with open(sys.argv[1], "rb") as f:
        f.seek(i.header_offset + 26)
        n, e = struct.unpack("<HH", f.read(4))
        return i.header_offset + 30 + n + e
json.dump({"bad": z.testzip(), "names": names[:3] + names[-1:], "globals": sorted({a for n, a in ops if n == "GLOBAL"}),
  "ops": sorted({n for n, _ in ops}), "proto": ops[0][1], "aligned": all(start(i) % 64 == 0 for i in z.infolist())}, sys.stdout)
`;
    const read = JSON.parse(execFileSync("python3", ["-c", script, files.checkpoint], { encoding: "utf8" }));
    expect(read).toMatchObject({ bad: null, proto: 2, aligned: true });
    expect(read.names).toEqual([
      "checkpoint/data.pkl",
      "checkpoint/byteorder",
      "checkpoint/data/0",
      "checkpoint/version",
    ]);
    expect(read.globals).toEqual(["collections OrderedDict", "torch FloatStorage", "torch._utils _rebuild_tensor_v2"]);
    expect(read.ops).not.toContain("BUILD");
  });
});
