# Models of every kind as transformers builds and saves them, and the hidden states that it computes: JSON on stdout.
import json, sys, torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

KINDS = {"hubert": (HubertConfig, HubertModel), "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model), "wavlm": (WavLMConfig, WavLMModel)}
folder = json.load(sys.stdin)["folder"]
results = []
for family, (Config, Model) in KINDS.items():
    for pre_norm in (False, True):
        torch.manual_seed(7)
        model = Model(Config(
            hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40, conv_dim=(16,) * 7,
            feat_extract_norm="layer" if pre_norm else "group", conv_bias=pre_norm, do_stable_layer_norm=pre_norm,
            num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4, num_buckets=16, max_bucket_distance=40,
            apply_spec_augment=False,
        )).eval()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "norm" in name or name.endswith("bias"): p.add_(0.3 * torch.randn_like(p))
                elif "encoder.layers" in name: p.mul_(8)
        wave = 0.3 * torch.randn(2, 4000)
        lengths = [4000, 2600] if pre_norm else [4000, 4000]
        mask = (torch.arange(4000)[None] < torch.tensor(lengths)[:, None]).long()
        with torch.no_grad():
            out = model(wave * mask, attention_mask=mask if pre_norm else None, output_hidden_states=True)
        assert torch.equal(out.hidden_states[-1], out.last_hidden_state)
        name = f"{family}, {'pre' if pre_norm else 'post'}-LN"
        model.save_pretrained(f"{folder}/{name}")
        results.append({
            "name": name, "samples": lengths, "wave": (wave * mask).flatten().tolist(),
            "states": [{"shape": list(s.shape), "data": s.flatten().tolist()} for s in out.hidden_states],
        })
json.dump(results, sys.stdout)
