# Writes torch checkpoints of many kinds, and what is in them, into the folder given: `make_torch_files.py FOLDER`.
import argparse, collections, enum, json, os, sys, types, zipfile
import torch

folder = sys.argv[1]
torch.manual_seed(0)

# Stand-ins with the class names and pickled state of packages that are not installed.
def module(name):
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:i]), types.ModuleType(".".join(parts[:i])))
    return sys.modules[name]

def stand_in(module_name, class_name, bases=(object,)):
    made = type(class_name, bases, {"__module__": module_name})
    setattr(module(module_name), class_name, made)
    return made

DictConfig = stand_in("omegaconf.dictconfig", "DictConfig")
ListConfig = stand_in("omegaconf.listconfig", "ListConfig")
AnyNode = stand_in("omegaconf.nodes", "AnyNode")
Metadata = stand_in("omegaconf.base", "ContainerMetadata")
Dictionary = stand_in("fairseq.data.dictionary", "Dictionary")
ModelCheckpoint = stand_in("pytorch_lightning.callbacks", "ModelCheckpoint")

class Mode(enum.Enum):
    default = "default"
Mode.__module__ = "fairseq.modes"
Mode.__qualname__ = "Mode"
module("fairseq.modes").Mode = Mode

def omega(value, parent=None):
    if isinstance(value, dict):
        node = DictConfig()
        content = {k: omega(v, node) for k, v in value.items()}
    elif isinstance(value, list):
        node = ListConfig()
        content = [omega(v, node) for v in value]
    else:
        node = AnyNode()
        node.__dict__.update(_metadata=Metadata(), _parent=parent, _val=value)
        return node
    node.__dict__.update(_metadata=Metadata(), _parent=parent, _content=content, _flags_cache=None)
    return node

def save(name, value):
    torch.save(value, os.path.join(folder, name + ".pt"))
    torch.save(value, os.path.join(folder, name + ".legacy.pt"), _use_new_zipfile_serialization=False)

# Tensors of every layout and type; what they hold, as nested lists.
base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5) / 8
tensors = collections.OrderedDict(
    contiguous=base.clone(), transposed=base.transpose(0, 2), sliced=base[1:, ::2, 1::3], shared=base[2], row=base[1, 2],
    scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), one=torch.ones(1, 1, 4).expand(1, 1, 4),
    parameter=torch.nn.Parameter(base[0].t()), flipped=base.flip(0),
    double=base[0].double() / 3, half=base[0].half(), bfloat=base[0].bfloat16(), int64=base[0].long(), int32=base[0].int(),
    int16=base[0].short(), int8=-base[0].char(), uint8=base[0].byte(), bool=base[0] > 1,
)
save("tensors", tensors)
with open(os.path.join(folder, "tensors.json"), "w") as file:
    json.dump({k: {"shape": list(v.shape), "values": v.detach().double().flatten().tolist()} for k, v in tensors.items()}, file)

# A model with the layout of fairseq, and the many ways it is saved.
conv = [(8, 10, 5), (8, 3, 2)]
dim, ffn, layers, heads = 12, 20, 2, 3
model_cfg = dict(extractor_mode="default", encoder_layers=layers, encoder_embed_dim=dim, encoder_ffn_embed_dim=ffn,
    encoder_attention_heads=heads, activation_fn="gelu", layer_norm_first=False, conv_bias=False, conv_pos=6, conv_pos_groups=3,
    conv_feature_layers="[(8, 10, 5)] + [(8,3,2)] * 1")

def state(prefix="", wav2vec=False):
    out = collections.OrderedDict()
    def add(name, *shape):
        out[prefix + name] = torch.randn(*shape)
    add("mask_emb", dim)
    add("feature_extractor.conv_layers.0.0.weight", 8, 1, 10)
    add("feature_extractor.conv_layers.0.2.weight", 8)
    add("feature_extractor.conv_layers.0.2.bias", 8)
    add("feature_extractor.conv_layers.1.0.weight", 8, 8, 3)
    add("layer_norm.weight", 8)
    add("layer_norm.bias", 8)
    add("post_extract_proj.weight", dim, 8)
    add("post_extract_proj.bias", dim)
    add("encoder.pos_conv.0.bias", dim)
    add("encoder.pos_conv.0.weight_g", 1, 1, 6)
    add("encoder.pos_conv.0.weight_v", dim, dim // 3, 6)
    for i in range(layers):
        for p in "kvq":
            add(f"encoder.layers.{i}.self_attn.{p}_proj.weight", dim, dim)
            add(f"encoder.layers.{i}.self_attn.{p}_proj.bias", dim)
        add(f"encoder.layers.{i}.self_attn.out_proj.weight", dim, dim)
        add(f"encoder.layers.{i}.self_attn.out_proj.bias", dim)
        for n in ("self_attn_layer_norm", "final_layer_norm"):
            add(f"encoder.layers.{i}.{n}.weight", dim)
            add(f"encoder.layers.{i}.{n}.bias", dim)
        add(f"encoder.layers.{i}.fc1.weight", ffn, dim)
        add(f"encoder.layers.{i}.fc1.bias", ffn)
        add(f"encoder.layers.{i}.fc2.weight", dim, ffn)
        add(f"encoder.layers.{i}.fc2.bias", dim)
    add("encoder.layer_norm.weight", dim)
    add("encoder.layer_norm.bias", dim)
    if wav2vec:
        add("quantizer.vars", 1, 4, 3)
        add("project_q.weight", 4, 4)
        add("final_proj.weight", 4, dim)
    return out

weights = state()
weights._metadata = collections.OrderedDict(version=1)
tasks = dict(_name="hubert_pretraining", normalize=True, labels=["km"])
optimizer = {"state": {0: {"exp_avg": torch.zeros(50)}}, "param_groups": [{"lr": 1.0}]}
dictionary = Dictionary()
dictionary.symbols = ["<s>", "a"]
save("fairseq_omegaconf", {"args": None, "cfg": omega({"model": dict(model_cfg, _name="hubert", extractor_mode=Mode.default), "task": tasks}),
    "model": weights, "task_state": {"dictionaries": [dictionary]}, "last_optimizer_state": optimizer})
save("fairseq_plain", {"args": None, "cfg": {"model": dict(model_cfg, _name="hubert"), "task": tasks}, "model": weights})
save("fairseq_args_only", {"args": argparse.Namespace(arch="hubert", normalize=True, **model_cfg), "model": weights})
save("s3prl", {"task_cfg": tasks, "model_cfg": dict(model_cfg, _name="hubert"), "model_weight": weights, "dictionaries_symbols": [["a"]]})
save("wav2vec2", {"args": argparse.Namespace(arch="wav2vec2", normalize=False, quantize_targets=True, **model_cfg), "model": state(wav2vec=True)})
save("wav2vec2_ctc", {"args": None, "cfg": {"model": {"_name": "wav2vec_ctc", "w2v_args": {"model": dict(model_cfg, _name="wav2vec2"),
    "task": {"normalize": False}}}, "task": {"normalize": False}}, "model": {**state("w2v_encoder.w2v_model."), "w2v_encoder.proj.weight": torch.randn(4, dim)}})
save("transposed", {"cfg": {"model": dict(model_cfg, _name="hubert"), "task": tasks},
    "model": collections.OrderedDict((k, v.t().contiguous().t() if v.dim() == 2 else v) for k, v in weights.items())})
save("bfloat16", {"cfg": {"model": dict(model_cfg, _name="hubert"), "task": tasks}, "model": {k: v.bfloat16() for k, v in weights.items()}})
save("bare", weights)

# Students as the official code saves them.
student = collections.OrderedDict((("student_model." + k), v) for k, v in weights.items())
for p in "qk":
    for t in ("weight", "bias"):
        del student[f"student_model.encoder.layers.1.self_attn.{p}_proj.{t}"]
settings = {"model": "armhubert", "distiller": dict(model_cfg, reuse_pattern="[True, False]", layerwise_proj=True,
    pred_head_final_dim=5, enable_tr_layer=False), "train": {"delete_projections": True}}
student["student_model.final_proj.lin_proj.weight"] = torch.randn(5, dim)
student["student_model.final_proj.lin_proj.bias"] = torch.randn(5)
student["student_model.unused.weight"] = torch.randn(2)
save("student_last_head", {"state_dict": student, "hyper_parameters": {"cfg": settings}, "callbacks": {"x": ModelCheckpoint()}})
os.makedirs(os.path.join(folder, "yaml"), exist_ok=True)
torch.save({"state_dict": student, "hyper_parameters": {}}, os.path.join(folder, "yaml", "student.ckpt"))
with open(os.path.join(folder, "yaml", "settings.yaml"), "w") as file:
    json.dump(settings, file)

# The same archive in the zip64 form that files over 4 GB have.
zipfile.ZIP64_LIMIT = zipfile.ZIP_FILECOUNT_LIMIT = 1
with zipfile.ZipFile(os.path.join(folder, "fairseq_plain.pt")) as source, \
        zipfile.ZipFile(os.path.join(folder, "zip64.pt"), "w", zipfile.ZIP_STORED) as target:
    for entry in source.infolist():
        with target.open(zipfile.ZipInfo(entry.filename), "w", force_zip64=True) as out:
            out.write(source.read(entry))

# Refused with a reason.
save("dphubert", {"state_dict": {"encoder.x": torch.ones(2)}, "config": {"extractor_conv_layer_config": [], "encoder_ff_interm_features": [1, 2]}})
save("distilhubert", {"Distiller": {"x": torch.ones(1)}, "Config": {}})
save("nothing", {"epoch": 3})
class Layer(torch.nn.Module):
    pass
Layer.__module__ = "some.package"
module("some.package").Layer = Layer
odd = collections.OrderedDict(weights)
odd["encoder.layers.0.fc1.weight"] = Dictionary()
save("weight_is_object", {"cfg": {"model": dict(model_cfg, _name="hubert"), "task": tasks}, "model": odd})
script = torch.jit.script(torch.nn.Linear(2, 2))
torch.jit.save(script, os.path.join(folder, "script.pt"))
