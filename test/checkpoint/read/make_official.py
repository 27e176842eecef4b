# Writes recorded distillation steps as the released training code saves its students: `make_official.py CASE FOLDER NAME PREFIX ...`.
# PREFIX stands before every name of the Lightning module, as strategies and compilers leave it; NAME is the student's class.
import collections, json, os, struct, sys
import numpy as np, torch

def write(case, folder, name, prefix):
    raw = open(os.path.join(case, "data.safetensors"), "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    kinds = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "BOOL": np.bool_, "U8": np.uint8}
    tensors = {}
    for key, entry in json.loads(raw[8 : 8 + size]).items():
        if key == "__metadata__": continue
        start, end = entry["data_offsets"]
        data = np.frombuffer(raw[8 + size + start : 8 + size + end], dtype=kinds[entry["dtype"]])
        tensors[key] = torch.from_numpy(data.reshape(entry["shape"]).copy())
    config = json.load(open(os.path.join(case, "config.json")))
    state = collections.OrderedDict()
    for recorded, wrapper in (("teacher.", "teacher_model.model."), ("student.", "student_model.")):
        for key, tensor in tensors.items():
            if key.startswith(recorded): state[prefix + wrapper + key[len(recorded):]] = tensor.float()
    distiller = dict(config["student"])
    if name.startswith("star"):  # no mask embedding, no heads, and a projection that only training uses
        for key in [key for key in state if "student_model.proj_head." in key or key.endswith("student_model.mask_emb")]: del state[key]
        dim = distiller["encoder_embed_dim"]
        state[prefix + "student_model.final_proj.weight"] = torch.randn(16, dim)
        state[prefix + "student_model.final_proj.bias"] = torch.randn(16)
        for key in ("enable_tr_layer", "tr_conv1d_kernel", "tr_layer_index", "tr_reduce_factor", "tr_layer_type", "layerwise_proj",
                    "pred_head_final_dim", "pred_head_inter_dim", "pred_layer_id", "freeze_student_mask", "update_teacher_mask"):
            del distiller[key]
    settings = {"teacher": config["teacher"], "train": config["train"], "distiller": distiller, "optimizer": {"lr": 5e-3}}
    if name: settings["model"] = name
    os.makedirs(folder, exist_ok=True)
    torch.save({
        "epoch": 1, "global_step": 20, "pytorch-lightning_version": "1.7.7", "state_dict": state, "loops": {}, "callbacks": {},
        "optimizer_states": [{"state": {0: {"step": 1, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 5e-3, "params": [0]}]}],
        "lr_schedulers": [], "hparams_name": "kwargs", "hyper_parameters": {"cfg": settings},
    }, os.path.join(folder, "checkpoint-epoch=01.ckpt"))

for at in range(1, len(sys.argv), 4): write(*sys.argv[at : at + 4])
