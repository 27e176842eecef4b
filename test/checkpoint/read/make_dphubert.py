# Writes small pruned checkpoints as DPHuBERT stores them, and their hidden states in float64: `make_dphubert.py FOLDER`.
# The forward pass is written from the description of the architecture, one head and one item at a time.
import json, math, os, sys
import torch
from torch.nn.functional import conv1d, gelu

folder = sys.argv[1]
torch.manual_seed(7)
DIM, HEADS, SIZE = 32, 4, 8
CONV = [(12, 10, 5), (9, 3, 2), (14, 3, 2), (11, 2, 2)]
KERNEL, GROUPS, BUCKETS, DISTANCE = 8, 4, 32, 20

def weights(config, kept, ffn, wavlm):
    w = {}
    def put(name, *shape, scale=None, around=0.0):
        fan = math.prod(shape[1:]) if len(shape) > 1 else 25
        w[name] = torch.randn(*shape) * (1.5 / math.sqrt(fan) if scale is None else scale) + around
    def norm(name, width):
        put(name + ".weight", width, scale=0.2, around=1.0); put(name + ".bias", width, scale=0.2)
    def linear(name, into, out):
        put(name + ".weight", out, into); put(name + ".bias", out)
    channels = 1
    for i, (out, kernel, _) in enumerate(CONV):
        name = f"feature_extractor.conv_layers.{i}"
        put(name + ".conv.weight", out, channels, kernel)
        if config["extractor_conv_bias"]: put(name + ".conv.bias", out)
        if i == 0 or config["extractor_mode"] == "layer_norm": norm(name + ".layer_norm", out)
        channels = out
    put("feature_extractor.dummy_weight", channels, scale=0.3, around=0.8)
    norm("encoder.feature_projection.layer_norm", channels)
    linear("encoder.feature_projection.projection", channels, DIM)
    pos = "encoder.transformer.pos_conv_embed.conv"
    put(pos + ".bias", DIM); put(pos + ".weight_g", 1, 1, KERNEL, scale=0.2, around=1.0); put(pos + ".weight_v", DIM, DIM // GROUPS, KERNEL)
    norm("encoder.transformer.layer_norm", DIM)
    for i in range(len(kept)):
        name = f"encoder.transformer.layers.{i}"
        if kept[i]:
            width = len(kept[i]) * SIZE
            for part in "qkv": linear(f"{name}.attention.{part}_proj", DIM, width)
            linear(f"{name}.attention.out_proj", width, DIM)
            if wavlm:
                if i == 0: put(f"{name}.attention.rel_attn_embed.weight", BUCKETS, HEADS, scale=1.0)
                put(f"{name}.attention.gru_rel_pos_const", 1, HEADS, 1, 1, scale=0.5, around=1.0)
                linear(f"{name}.attention.gru_rel_pos_linear", SIZE, 8)
        if ffn[i]:
            linear(f"{name}.feed_forward.intermediate_dense", DIM, ffn[i]); linear(f"{name}.feed_forward.output_dense", ffn[i], DIM)
        norm(name + ".layer_norm", DIM); norm(name + ".final_layer_norm", DIM)
    return w

def layer_norm(x, weight, bias):  # over the last axis
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + 1e-5) * weight + bias

def bucket(distance):
    half, exact, size = BUCKETS // 2, BUCKETS // 4, abs(distance)
    side = half if distance > 0 else 0
    if size < exact: return side + size
    return side + min(half - 1, exact + int(math.log(size / exact) / math.log(DISTANCE / exact) * (half - exact)))

def forward(config, stored, kept, ffn, wave, samples):
    w = {name: value.double() for name, value in stored.items()}
    affine = lambda name, x: x @ w[name + ".weight"].T + w[name + ".bias"]
    norm = lambda name, x: layer_norm(x, w[name + ".weight"], w[name + ".bias"])
    first = config["encoder_layer_norm_first"]
    x, frames = wave.double(), samples
    if config["normalize_waveform"]:
        own = x[:samples] - x[:samples].mean()
        x = torch.cat([own / torch.sqrt((own ** 2).mean() + 1e-5), torch.zeros(len(x) - samples).double()])
    x = x[None, None]
    for i, (_, kernel, stride) in enumerate(CONV):
        name = f"feature_extractor.conv_layers.{i}"
        x = conv1d(x, w[name + ".conv.weight"], w.get(name + ".conv.bias"), stride=stride)
        if config["extractor_mode"] == "layer_norm": x = norm(name + ".layer_norm", x.transpose(1, 2)).transpose(1, 2)
        elif i == 0:  # each channel over time
            centred = x - x.mean(-1, keepdim=True)
            x = centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + 1e-5)
            x = x * w[name + ".layer_norm.weight"][:, None] + w[name + ".layer_norm.bias"][:, None]
        x = gelu(x)
        frames = (frames - kernel) // stride + 1
    conv = x[0].T * w["feature_extractor.dummy_weight"]
    x = affine("encoder.feature_projection.projection", norm("encoder.feature_projection.layer_norm", conv))
    x[frames:] = 0
    pos = "encoder.transformer.pos_conv_embed.conv"
    v = w[pos + ".weight_v"]
    kernel = w[pos + ".weight_g"] * v / torch.sqrt((v ** 2).sum((0, 1), keepdim=True))
    x = x + gelu(conv1d(x.T[None], kernel, w[pos + ".bias"], padding=KERNEL // 2, groups=GROUPS)[0, :, : len(x)].T)
    if not first: x = norm("encoder.transformer.layer_norm", x)
    states, time = [x], len(x)
    distances = [[bucket(k - q) for k in range(time)] for q in range(time)]
    for i in range(len(kept)):
        name = f"encoder.transformer.layers.{i}"
        if kept[i]:
            y = norm(name + ".layer_norm", x) if first else x
            q, k, v = (affine(f"{name}.attention.{part}_proj", y) for part in "qkv")
            out = []
            for n, head in enumerate(kept[i]):
                part = slice(n * SIZE, (n + 1) * SIZE)
                scores = q[:, part] @ k[:, part].T / math.sqrt(SIZE)
                if "encoder_remaining_heads" in config and kept[0]:  # the bias lives in layer 0
                    bias = w["encoder.transformer.layers.0.attention.rel_attn_embed.weight"][torch.tensor(distances), head]
                    gates = affine(f"{name}.attention.gru_rel_pos_linear", y[:, head * SIZE : (head + 1) * SIZE])
                    a, b = torch.sigmoid(gates[:, :4].sum(1)), torch.sigmoid(gates[:, 4:].sum(1))
                    gate = a * (b * w[f"{name}.attention.gru_rel_pos_const"][0, head, 0, 0] - 1) + 2
                    scores = scores + gate[:, None] * bias
                scores[:, frames:] = -1e4
                out.append(torch.softmax(scores, 1) @ v[:, part])
            x = x + affine(f"{name}.attention.out_proj", torch.cat(out, 1))
        if not first: x = norm(name + ".layer_norm", x)
        if ffn[i]:
            y = norm(name + ".final_layer_norm", x) if first else x
            x = x + affine(f"{name}.feed_forward.output_dense", gelu(affine(f"{name}.feed_forward.intermediate_dense", y)))
        if not first: x = norm(name + ".final_layer_norm", x)
        states.append(x)
    last = norm("encoder.transformer.layer_norm", x) if first else x
    return {"frames": frames, "conv": conv[:frames].tolist(), "states": [s[:frames].tolist() for s in states], "last": last[:frames].tolist()}

def make(name, kept, ffn, wavlm=False, large=False, alike=False):
    layers = len(kept)
    config = dict(
        extractor_mode="layer_norm" if large else "group_norm", extractor_conv_layer_config=CONV, extractor_conv_bias=large,
        encoder_embed_dim=DIM, encoder_projection_dropout=0.1, encoder_pos_conv_kernel=KERNEL, encoder_pos_conv_groups=GROUPS,
        encoder_num_layers=layers, encoder_use_attention=[bool(k) for k in kept], encoder_use_feed_forward=[bool(f) for f in ffn],
        encoder_attention_dropout=0.1, encoder_ff_interm_features=ffn, encoder_ff_interm_dropout=0.0, encoder_dropout=0.1,
        encoder_layer_norm_first=large, encoder_layer_drop=0.05, aux_num_out=None, normalize_waveform=large,
        extractor_prune_conv_channels=False, encoder_prune_attention_heads=False, encoder_prune_attention_layer=False,
        encoder_prune_feed_forward_intermediate=False, encoder_prune_feed_forward_layer=False)
    if wavlm: config.update(encoder_total_num_heads=[HEADS] * layers, encoder_remaining_heads=kept, encoder_num_buckets=BUCKETS, encoder_max_distance=DISTANCE)
    else: config.update(encoder_num_heads=[len(k) for k in kept], encoder_head_dim=SIZE)
    stored = weights(config, kept, ffn, wavlm)
    if alike: del stored["feature_extractor.dummy_weight"]
    torch.save({"state_dict": stored, "config": config, "distill_linear_projs": {"0.weight": torch.ones(2, 2)}}, f"{folder}/{name}.pth")
    full = stored if not alike else {**stored, "feature_extractor.dummy_weight": torch.ones(CONV[-1][0])}
    short, long = torch.randn(1000), torch.randn(1500)
    padded = torch.cat([short, torch.zeros(500)])
    cases = {"short": short.tolist(), "long": long.tolist(),
             "alone": [forward(config, full, kept, ffn, short, 1000)],
             "padded": [forward(config, full, kept, ffn, wave, n) for wave, n in ((padded, 1000), (long, 1500))]}
    json.dump(cases, open(f"{folder}/{name}.json", "w"))

make("hubert", [[0, 1, 2], [], [0], [0, 1, 2, 3]], [40, 24, 0, 17])
make("large", [[0, 1], [], [0, 1, 2, 3], [0]], [0, 24, 40, 17], large=True)
make("wavlm", [[1, 3], [0, 2, 3], [], [0, 1, 2, 3], [2]], [40, 0, 24, 17, 9], wavlm=True)
make("unbiased", [[], [1, 3]], [40, 9], wavlm=True)
make("alike", [[0, 1, 2, 3], [0, 1, 2, 3]], [40, 40], alike=True)

# torchaudio's own checkpoints are bare state dicts.
os.mkdir(f"{folder}/torchaudio")
torch.save(torch.load(f"{folder}/alike.pth")["state_dict"], f"{folder}/torchaudio/pytorch_model.bin")

# Checkpoints with something wrong in them.
good = torch.load(f"{folder}/hubert.pth")
def bad(name, config={}, tensors={}):
    torch.save({"state_dict": {**good["state_dict"], **tensors}, "config": {**good["config"], **config}}, f"{folder}/{name}.pth")
bad("gates", tensors={"encoder.transformer.layers.0.attention.hard_concrete_for_heads.log_alpha": torch.ones(4)})
bad("few_heads", {"encoder_num_heads": [3, 0, 1]})
bad("wide", {"encoder_num_heads": [2, 0, 1, 4]})
bad("no_heads", {"encoder_use_attention": [True] * 4})
bad("size", {"encoder_head_dim": 7})
