# Writes a small HuBERT whose positions go through a BatchNorm, as fairseq and as Hugging Face store it, and its hidden states in
# float64: `make_batch_norm.py FOLDER`. The positional part is PyTorch's own BatchNorm1d and Conv1d in evaluation, as fairseq joins them.
import json, math, os, re, sys
import torch
from torch import nn
from torch.nn.functional import conv1d, gelu, group_norm, layer_norm, softmax

folder = sys.argv[1]
torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
CONV, DIM, FFN, HEADS, LAYERS, KERNEL, GROUPS = [(12, 10, 5), (16, 3, 2), (16, 2, 2)], 24, 40, 4, 2, 8, 4
w = {"mask_emb": torch.rand(DIM)}
def put(name, *shape, around=0.0, scale=None):
    w[name] = torch.randn(*shape) * (scale or 1 / math.sqrt(math.prod(shape[1:]) or 1)) + around
def norm(name, width): put(name + ".weight", width, around=1.0, scale=0.3); put(name + ".bias", width, scale=0.3)
def linear(name, into, out): put(name + ".weight", out, into); put(name + ".bias", out, scale=0.2)
channels = 1
for i, (out, kernel, _) in enumerate(CONV):
    put(f"feature_extractor.conv_layers.{i}.0.weight", out, channels, kernel, scale=1.4 / math.sqrt(channels * kernel))
    if i == 0: norm("feature_extractor.conv_layers.0.2", out)
    channels = out
norm("layer_norm", channels)
linear("post_extract_proj", channels, DIM)
positions = nn.Sequential(nn.BatchNorm1d(DIM), nn.Conv1d(DIM, DIM, KERNEL, padding=KERNEL // 2, groups=GROUPS))
positions[0].load_state_dict({"weight": torch.rand(DIM) + 0.5, "bias": torch.randn(DIM), "running_mean": torch.randn(DIM),
                              "running_var": torch.rand(DIM) * 3 + 0.1, "num_batches_tracked": torch.tensor(1234)})
positions.eval()
w |= {"encoder.pos_conv." + key: value.detach() for key, value in positions.state_dict().items()}
for i in range(LAYERS):
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"): linear(f"encoder.layers.{i}.self_attn.{part}", DIM, DIM)
    norm(f"encoder.layers.{i}.self_attn_layer_norm", DIM); norm(f"encoder.layers.{i}.final_layer_norm", DIM)
    linear(f"encoder.layers.{i}.fc1", DIM, FFN); linear(f"encoder.layers.{i}.fc2", FFN, DIM)
norm("encoder.layer_norm", DIM)
w = {key: value.float().double() if value.is_floating_point() else value for key, value in w.items()}
positions.load_state_dict({key[len("encoder.pos_conv."):]: value for key, value in w.items() if "pos_conv" in key})

def frames(samples):
    for _, kernel, stride in CONV: samples = (samples - kernel) // stride + 1
    return samples

@torch.no_grad()
def states(wave, samples):
    norm = lambda name, x: layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])
    linear = lambda name, x: x @ w[name + ".weight"].T + w[name + ".bias"]
    x = wave[:, None]
    for i, (out, _, stride) in enumerate(CONV):
        x = conv1d(x, w[f"feature_extractor.conv_layers.{i}.0.weight"], stride=stride)
        if i == 0: x = group_norm(x, out, w["feature_extractor.conv_layers.0.2.weight"], w["feature_extractor.conv_layers.0.2.bias"])
        x = gelu(x)
    x = linear("post_extract_proj", norm("layer_norm", x.transpose(1, 2)))
    valid = torch.arange(x.shape[1]) < torch.tensor([frames(n) for n in samples])[:, None]
    x = x * valid[..., None]
    x = norm("encoder.layer_norm", x + gelu(positions(x.transpose(1, 2))[..., :-1]).transpose(1, 2))
    found = [x]
    for i in range(LAYERS):
        layer = f"encoder.layers.{i}."
        split = lambda part: linear(layer + "self_attn." + part, x).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        scores = split("q_proj") @ split("k_proj").transpose(2, 3) / math.sqrt(DIM // HEADS)
        scores = scores.masked_fill(~valid[:, None, None], -math.inf)
        mixed = (softmax(scores, -1) @ split("v_proj")).transpose(1, 2).flatten(2)
        x = norm(layer + "self_attn_layer_norm", x + linear(layer + "self_attn.out_proj", mixed))
        x = norm(layer + "final_layer_norm", x + linear(layer + "fc2", gelu(linear(layer + "fc1", x))))
        found.append(x)
    return [[state[item, : frames(n)].tolist() for state in found] for item, n in enumerate(samples)]

waves = [(torch.randn(n) * 0.1).float().double() for n in (420, 700)]
padded = torch.stack([torch.cat([wave, torch.zeros(700 - len(wave))]) for wave in waves])
json.dump({"waves": [wave.tolist() for wave in waves], "alone": states(waves[0][None], [420])[0], "padded": states(padded, [420, 700])},
          open(os.path.join(folder, "expected.json"), "w"))

fields = {"_name": "hubert", "conv_feature_layers": str(CONV), "encoder_layers": LAYERS, "encoder_embed_dim": DIM, "encoder_ffn_embed_dim": FFN,
          "encoder_attention_heads": HEADS, "conv_pos": KERNEL, "conv_pos_groups": GROUPS}
single = lambda value: value.float() if value.is_floating_point() else value
for name, said in (("said", {"conv_pos_batch_norm": True}), ("unsaid", {})):
    torch.save({"cfg": {"model": fields | said, "task": {"normalize": False}}, "model": {key: single(value) for key, value in w.items()}},
               os.path.join(folder, f"hubert-{name}.pt"))

renames = [("mask_emb", "masked_spec_embed"), ("post_extract_proj.", "feature_projection.projection."), ("encoder.pos_conv.0.", "encoder.pos_conv_embed.batch_norm."),
           ("encoder.pos_conv.1.", "encoder.pos_conv_embed.conv."), (".self_attn_layer_norm.", ".layer_norm."), (".self_attn.", ".attention."),
           (".fc1.", ".feed_forward.intermediate_dense."), (".fc2.", ".feed_forward.output_dense.")]
def theirs(key):
    if key.startswith("layer_norm."): return "feature_projection." + key
    for old, new in renames: key = key.replace(old, new)
    return re.sub(r"(conv_layers\.\d+)\.2\.", r"\1.layer_norm.", re.sub(r"(conv_layers\.\d+)\.0\.", r"\1.conv.", key))
os.makedirs(os.path.join(folder, "hf"))
torch.save({theirs(key): single(value) for key, value in w.items()}, os.path.join(folder, "hf", "pytorch_model.bin"))
json.dump({"model_type": "hubert", "hidden_size": DIM, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": FFN,
           "conv_dim": [c for c, _, _ in CONV], "conv_kernel": [k for _, k, _ in CONV], "conv_stride": [s for _, _, s in CONV],
           "num_conv_pos_embeddings": KERNEL, "num_conv_pos_embedding_groups": GROUPS, "conv_pos_batch_norm": True},
          open(os.path.join(folder, "hf", "config.json"), "w"))
