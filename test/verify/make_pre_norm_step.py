# Writes a recorded step of pre-LN models (layer_norm_first) for replays, from a float64 forward pass: `make_pre_norm_step.py FOLDER`.
import json, math, os, struct, sys
import torch
from torch.nn.functional import conv1d, gelu, group_norm, layer_norm, softmax

folder = sys.argv[1]
torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
CONV, DIM, FFN, HEADS, LAYERS, KERNEL, GROUPS, OUT = [(12, 10, 5), (16, 3, 2), (16, 2, 2)], 24, 40, 4, 3, 8, 4, 24

def weights(heads):
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
    put("encoder.pos_conv.0.bias", DIM, scale=0.2)
    put("encoder.pos_conv.0.weight_g", 1, 1, KERNEL, around=1.0, scale=0.2)
    put("encoder.pos_conv.0.weight_v", DIM, DIM // GROUPS, KERNEL)
    for i in range(LAYERS):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"): linear(f"encoder.layers.{i}.self_attn.{part}", DIM, DIM)
        norm(f"encoder.layers.{i}.self_attn_layer_norm", DIM); norm(f"encoder.layers.{i}.final_layer_norm", DIM)
        linear(f"encoder.layers.{i}.fc1", DIM, FFN); linear(f"encoder.layers.{i}.fc2", FFN, DIM)
        if heads: linear(f"proj_head.{i}.lin_proj", DIM, OUT)
    norm("encoder.layer_norm", DIM)
    return w

def forward(w, wave, mask=None):
    norm = lambda name, x: layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])
    linear = lambda name, x: x @ w[name + ".weight"].T + w[name + ".bias"]
    x = wave[:, None]
    for i, (out, _, stride) in enumerate(CONV):
        x = conv1d(x, w[f"feature_extractor.conv_layers.{i}.0.weight"], stride=stride)
        if i == 0: x = group_norm(x, out, w["feature_extractor.conv_layers.0.2.weight"], w["feature_extractor.conv_layers.0.2.bias"])
        x = gelu(x)
    x = linear("post_extract_proj", norm("layer_norm", x.transpose(1, 2)))
    if mask is not None: x = torch.where(mask[..., None], w["mask_emb"], x)
    v, g = w["encoder.pos_conv.0.weight_v"], w["encoder.pos_conv.0.weight_g"]
    kernel = g * v / v.pow(2).sum((0, 1), keepdim=True).sqrt()
    position = conv1d(x.transpose(1, 2), kernel, w["encoder.pos_conv.0.bias"], padding=KERNEL // 2, groups=GROUPS)[..., :-1]
    x = x + gelu(position).transpose(1, 2)
    states = []
    for i in range(LAYERS):
        layer = f"encoder.layers.{i}."
        y = norm(layer + "self_attn_layer_norm", x)
        split = lambda part: linear(layer + "self_attn." + part, y).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        scores = split("q_proj") @ split("k_proj").transpose(2, 3) / math.sqrt(DIM // HEADS)
        x = x + linear(layer + "self_attn.out_proj", (softmax(scores, -1) @ split("v_proj")).transpose(1, 2).flatten(2))
        x = x + linear(layer + "fc2", gelu(linear(layer + "fc1", norm(layer + "final_layer_norm", x))))
        states.append(x)
    return states, norm("encoder.layer_norm", x)

teacher, student = weights(False), weights(True)
wave = torch.randn(2, 900) * 0.1
frames = forward(teacher, wave)[1].shape[1]
mask = torch.arange(frames).expand(2, -1) % 7 < 3
tensors = {"wave": wave, "mask_indices": mask.double()}
tensors |= {"teacher." + k: v for k, v in teacher.items()} | {"student." + k: v for k, v in student.items()}
for prefix, (states, last) in (("teacher_u", forward(teacher, wave)), ("teacher_m", forward(teacher, wave, mask)), ("student_fwd", forward(student, wave, mask))):
    tensors |= {f"{prefix}.layer.{i}": state for i, state in enumerate(states)} | {f"{prefix}.enc_ln": last}

header, offset = {}, 0
for name, tensor in tensors.items():
    size = tensor.numel() * 4
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
    offset += size
text = json.dumps(header).encode()
with open(os.path.join(folder, "data.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for tensor in tensors.values(): file.write(tensor.float().contiguous().numpy().tobytes())
fields = {
    "conv_feature_layers": str(CONV), "encoder_layers": LAYERS, "encoder_embed_dim": DIM, "encoder_ffn_embed_dim": FFN,
    "encoder_attention_heads": HEADS, "conv_pos": KERNEL, "conv_pos_groups": GROUPS, "layer_norm_first": True,
}
json.dump({
    "student_model": "maskhubert", "teacher_kind": "hubert", "paper_semantics": False, "teacher": fields,
    "student": fields | {"enable_tr_layer": False, "layerwise_proj": True, "pred_head_final_dim": OUT},
    "train": {"rec_loss_type": "mse", "rec_loss_weight": 1.0, "random_layer_weight": 0.1},
    "optimizer": {"lr": 1e-3, "warmup_proportion": 0.1, "betas": [0.9, 0.98], "eps": 1e-6, "total_steps": 10},
}, open(os.path.join(folder, "config.json"), "w"))
