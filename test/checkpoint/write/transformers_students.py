# Loads students by AutoModel with the Python file in their folders; hidden states, maps and heads as JSON on stdout.
import json, os, sys

given = json.load(sys.stdin)
os.environ.update(HF_MODULES_CACHE=f"{given['folder']}/modules", HF_HUB_OFFLINE="1")
import torch, transformers
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

def load(folder):
    model, info = AutoModel.from_pretrained(folder, trust_remote_code=True, torch_dtype=torch.float32, output_loading_info=True)
    assert not [key for key in info["missing_keys"] if "num_batches" not in key], info
    assert not info["unexpected_keys"] and not info["mismatched_keys"], info
    return model.eval()

def listed(tensors):
    return [{"shape": list(t.shape), "data": t.flatten().tolist()} for t in tensors or []]

samples, padded = given["samples"], given["padded"]
wave = torch.tensor(given["wave"]).view(len(samples), padded)
mask = (torch.arange(padded)[None] < torch.tensor(samples)[:, None]).long()
results = []
for folder in given["models"]:
    model = load(folder)
    assert AutoConfig.from_pretrained(folder, trust_remote_code=True).hidden_size == model.config.stillwave["model"]["dim"]
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    assert extractor.do_normalize == model.config.stillwave["model"]["normalizeWaveform"]
    with torch.no_grad():
        out = model(wave, attention_mask=mask, output_hidden_states=True, output_attentions=True)
        alone = model(wave[:1, : samples[0]]).last_hidden_state
        saved = f"{folder}/saved"
        model.save_pretrained(saved)
        assert os.path.exists(f"{saved}/modeling_stillwave.py")
        again = load(saved)(wave, attention_mask=mask).last_hidden_state
    assert torch.equal(out.hidden_states[-1], out.last_hidden_state) and torch.equal(again, out.last_hidden_state)
    # and it trains: every parameter but the mask embedding and unused positions learns something
    model.train()
    trained = model(wave, attention_mask=mask)
    sum(t.square().sum() for t in [trained.last_hidden_state, *(trained.head_states or [])]).backward()
    still = [name for name, p in model.named_parameters() if p.grad is None and name != "masked_spec_embed"]
    results.append({
        "states": listed(out.hidden_states), "heads": listed(out.head_states), "alone": listed([alone]),
        "maps": [list(m.shape) for m in out.attentions if m is not None], "still": still,
    })
json.dump({"version": transformers.__version__, "results": results}, sys.stdout)
