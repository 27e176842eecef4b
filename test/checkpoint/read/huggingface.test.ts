// Hugging Face folders: prefixes, spellings of weight norm and LayerNorm, shards, heads on top, extra and missing tensors.

import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  inspectCheckpoint,
  type LoadedModel,
  loadModel,
  readAllSafetensors,
  writeModelFolder,
  writeSafetensors,
} from "../../../src/checkpoint/index.ts";
import type { Parameters } from "../../../src/graph/array.ts";

const source = fileURLToPath(new URL("../../../../shared/oracle/checkpoints/hf_hubert_base", import.meta.url));
const present = existsSync(source);
if (!present) console.warn(`skipped: no recorded checkpoint at ${source}`);

let root = "";
let original: LoadedModel;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "stillwave-hf-"));
  if (present) original = await loadModel(source);
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A copy of the recorded folder with other tensors or settings. */
async function folder(name: string, tensors: Parameters, settings: Record<string, unknown> = {}): Promise<string> {
  const path = join(root, name);
  await mkdir(path, { recursive: true });
  const config = JSON.parse(await readFile(join(source, "config.json"), "utf8"));
  await writeFile(join(path, "config.json"), JSON.stringify({ ...config, ...settings }));
  await writeSafetensors(join(path, "model.safetensors"), tensors);
  return path;
}

const renamed = (change: (name: string) => string): Parameters =>
  new Map([...original.parameters].map(([name, array]) => [change(name), array]));
const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

describe.skipIf(!present)("Hugging Face folders", () => {
  test("models under a head, with everything spelt the other way", async () => {
    const tensors = renamed((name) =>
      `hubert.${name}`
        .replace(/weight_g$/, "parametrizations.weight.original0")
        .replace(/weight_v$/, "parametrizations.weight.original1")
        .replace(/layer_norm\.weight$/, "layer_norm.gamma")
        .replace(/layer_norm\.bias$/, "layer_norm.beta"),
    );
    tensors.set("lm_head.weight", zeros(32, 24));
    tensors.set("encoder.layers.0.final_layer_norm.bias", zeros(24));
    const path = await folder("ctc", tensors, { architectures: ["HubertForCTC"] });
    const model = await loadModel(path);
    expect(model.parameters).toEqual(original.parameters);
    expect(model.info.ignored).toEqual(["lm_head.weight", "encoder.layers.0.final_layer_norm.bias"]);
  });

  test("a positional convolution without weight norm gives the same weights", async () => {
    const tensors = new Map(original.parameters);
    const name = "encoder.pos_conv_embed.conv";
    const g = tensors.get(`${name}.weight_g`)!.data;
    const v = tensors.get(`${name}.weight_v`)!;
    const kernel = g.length;
    const fold = (norm: Float32Array, direction: Float32Array) => {
      const squares = new Float64Array(kernel);
      direction.forEach((x, i) => {
        squares[i % kernel] += x * x;
      });
      return Float32Array.from(direction, (x, i) => (x * norm[i % kernel]) / Math.sqrt(squares[i % kernel]));
    };
    const folded = fold(g, v.data);
    tensors.delete(`${name}.weight_g`);
    tensors.delete(`${name}.weight_v`);
    tensors.set(`${name}.weight`, { shape: v.shape, data: folded });
    const model = await loadModel(await folder("folded", tensors));
    const again = fold(model.parameters.get(`${name}.weight_g`)!.data, model.parameters.get(`${name}.weight_v`)!.data);
    again.forEach((x, i) => {
      expect(x).toBeCloseTo(folded[i], 6);
    });
    expect(model.info.notes.join()).toContain("weight norm");
  });

  test("shards are joined; a tensor in two shards is refused", async () => {
    const path = await folder("shards", new Map([["x", zeros(1)]]));
    await rm(join(path, "model.safetensors"));
    const all = [...original.parameters];
    await writeSafetensors(join(path, "a.safetensors"), all.slice(0, 20));
    await writeSafetensors(join(path, "b.safetensors"), all.slice(20));
    const index = (last: number) =>
      JSON.stringify({
        weight_map: Object.fromEntries(all.map(([name], i) => [name, i < last ? "a.safetensors" : "b.safetensors"])),
      });
    await writeFile(join(path, "model.safetensors.index.json"), index(20));
    expect((await loadModel(path)).parameters).toEqual(original.parameters);
    await writeSafetensors(join(path, "b.safetensors"), all.slice(19));
    await expect(loadModel(path)).rejects.toThrow(/tensor ".*" is also in another shard/);
  });

  test("only half-precision weights, by folder and by path", async () => {
    const path = await folder("half", new Map());
    await rm(join(path, "model.safetensors"));
    await writeSafetensors(join(path, "model.fp16.safetensors"), original.parameters, { dtype: "float16" });
    const byFolder = await loadModel(path);
    expect(byFolder.info.storedDtype).toBe("F16");
    expect((await loadModel(join(path, "model.fp16.safetensors"))).parameters).toEqual(byFolder.parameters);
  });

  test("a mask embedding that is not stored is zero, and said", async () => {
    const tensors = new Map(original.parameters);
    tensors.delete("masked_spec_embed");
    const model = await loadModel(await folder("unmasked", tensors));
    expect(model.parameters.get("masked_spec_embed")!.data.every((x) => x === 0)).toBe(true);
    expect(model.info.notes.join()).toContain("no mask embedding");
  });

  test("what is missing, misshapen, left over or doubled is named", async () => {
    const change = (edit: (tensors: Parameters) => void, settings = {}) => {
      const tensors = new Map(original.parameters);
      edit(tensors);
      return folder("changed", tensors, settings).then((path) => loadModel(path));
    };
    const key = "encoder.layers.1.attention.k_proj.weight";
    await expect(change((t) => t.delete(key))).rejects.toThrow(
      `tensor "${key}" [24,24] is missing; closest names: "encoder.layers.`,
    );
    await expect(change((t) => t.set(key, zeros(24, 12)))).rejects.toThrow(
      `tensor "${key}" has shape [24,12], but the configuration asks for [24,24]`,
    );
    await expect(change(() => {}, { num_hidden_layers: 2 })).rejects.toThrow(
      /"encoder.layers.2.*has no place in the model/,
    );
    await expect(change(() => {}, { num_hidden_layers: 4 })).rejects.toThrow(
      /"encoder.layers.3.*is missing \(and 15 more\)/,
    );
    await expect(change((t) => t.set("encoder.layers.0.adapter_layer.weight", zeros(2)))).rejects.toThrow(
      "has no place",
    );
    await expect(
      change((t) => t.set("encoder.pos_conv_embed.conv.parametrizations.weight.original0", zeros(1, 1, 8))),
    ).rejects.toThrow('are both "encoder.pos_conv_embed.conv.weight_g"');
    await expect(change(() => {}, { intermediate_size: 80 })).rejects.toThrow(
      "[40,24], but the configuration asks for [80,24]",
    );
  });

  test("a fairseq checkpoint beside a config.json is still a fairseq checkpoint", async () => {
    const path = await folder("mixed", original.parameters);
    await copyFile(`${source}/../fairseq_hubert_base_cfgdict/checkpoint.pt`, join(path, "checkpoint.pt"));
    expect((await loadModel(join(path, "checkpoint.pt"))).info.format).toBe("fairseq-zip");
    expect((await loadModel(path)).info.format).toBe("huggingface-safetensors");
  });

  test("weights without a configuration can be inspected, not loaded", async () => {
    const path = join(source, "expected.safetensors");
    const lone = join(root, "lone.safetensors");
    await copyFile(path, lone);
    await expect(loadModel(lone)).rejects.toThrow("without a config.json");
    const report = await inspectCheckpoint(lone);
    expect(report).toMatchObject({ format: "unknown", config: null, parameters: 0 });
    expect(report.tensors.map(({ name }) => name).sort()).toEqual([...(await readAllSafetensors(path)).keys()].sort());
  });

  test("a teacher written as a model folder is an ordinary Hugging Face folder", async () => {
    const path = join(root, "teacher");
    await writeModelFolder(path, original);
    const config = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
    const theirs = JSON.parse(await readFile(join(source, "config.json"), "utf8"));
    for (const field of [
      "model_type",
      "hidden_size",
      "num_hidden_layers",
      "conv_dim",
      "conv_kernel",
      "conv_stride",
      "feat_extract_norm",
      "do_stable_layer_norm",
      "intermediate_size",
      "num_attention_heads",
      "num_conv_pos_embeddings",
      "num_conv_pos_embedding_groups",
    ])
      expect(config[field], field).toEqual(theirs[field]);
    const names = (tensors: Map<string, unknown>) => [...tensors.keys()].sort();
    expect(names(await readAllSafetensors(join(path, "model.safetensors")))).toEqual(
      names(await readAllSafetensors(join(source, "model.safetensors"))),
    );
  });
});
