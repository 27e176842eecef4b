# A Stillwave student for Hugging Face's transformers:
#
#     from transformers import AutoModel
#     model = AutoModel.from_pretrained(folder, trust_remote_code=True)
#
# Students are HuBERT-like encoders in which some layers take over the attention map of an earlier one (arXiv:2305.11685),
# which no class of transformers can hold. What a student is stands in config.json under "stillwave"; hidden states are
# counted as everywhere in transformers. Copyright the Stillwave authors, Apache-2.0.
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu
from transformers import PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput


class StillwaveConfig(PretrainedConfig):
    """`stillwave["model"]` describes the model in full; the fields beside it repeat what others know by those names."""

    model_type = "stillwave-student"

    def __init__(self, stillwave: Optional[Dict[str, Any]] = None, **kwargs):
        super().__init__(**kwargs)
        self.stillwave = stillwave


@dataclass
class StillwaveModelOutput(ModelOutput):
    """
    last_hidden_state [batch, frames, dim]; extract_features [batch, frames, channels], normed features of the convolutions;
    hidden_states: what layer 0 reads, then the output of every layer; attentions [batch, heads, frames, frames]: the map that
    each layer uses, its own or another's (None where pruning left no attention); head_states: outputs of the heads that
    learned from the teacher, which evaluation takes where config.stillwave["hiddenStates"] is "heads".
    """

    last_hidden_state: Optional[Tensor] = None
    extract_features: Optional[Tensor] = None
    hidden_states: Optional[Tuple[Tensor, ...]] = None
    attentions: Optional[Tuple[Optional[Tensor], ...]] = None
    head_states: Optional[Tuple[Tensor, ...]] = None


def lowest(x: Tensor) -> float:
    return torch.finfo(x.dtype).min


class ConvLayer(nn.Module):
    """One convolution of the feature extractor, its norm over channels ("layer") or over time ("group", the first layer's)."""

    def __init__(self, model: Dict[str, Any], index: int):
        super().__init__()
        shape = model["conv"][index]
        inputs = model["conv"][index - 1]["channels"] if index > 0 else 1
        channels = shape["channels"]
        self.conv = nn.Conv1d(inputs, channels, shape["kernel"], stride=shape["stride"], bias=model["convBias"])
        self.over_channels = model["convNorm"] == "layer"
        if self.over_channels:
            self.layer_norm = nn.LayerNorm(channels, eps=model["layerNormEps"])
        elif index == 0:
            self.layer_norm = nn.GroupNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.over_channels:
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2)
        elif hasattr(self, "layer_norm"):
            x = self.layer_norm(x)
        return gelu(x)


class FeatureExtractor(nn.Module):
    """[batch, samples] -> [batch, frames, channels]"""

    def __init__(self, model: Dict[str, Any]):
        super().__init__()
        self.conv_layers = nn.ModuleList(ConvLayer(model, i) for i in range(len(model["conv"])))
        if model.get("channelScale"):
            self.channel_scale = nn.Parameter(torch.ones(model["conv"][-1]["channels"]))

    def forward(self, wave: Tensor) -> Tensor:
        x = wave[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        x = x.transpose(1, 2)
        return x * self.channel_scale if hasattr(self, "channel_scale") else x


class FeatureProjection(nn.Module):
    """Gives the normed features, and what the encoder reads of them."""

    def __init__(self, model: Dict[str, Any]):
        super().__init__()
        channels = model["conv"][-1]["channels"]
        self.layer_norm = nn.LayerNorm(channels, eps=model["layerNormEps"])
        if model["featureProjection"]:
            self.projection = nn.Linear(channels, model["dim"])

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        normed = self.layer_norm(x)
        return normed, self.projection(normed) if hasattr(self, "projection") else normed


class PositionalConv(nn.Module):
    """A grouped convolution over time, weight-normed or behind a BatchNorm, as long as its input."""

    def __init__(self, model: Dict[str, Any]):
        super().__init__()
        kernel, dim = model["posConv"]["kernel"], model["dim"]
        conv = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=model["posConv"]["groups"])
        if model["posConv"].get("batchNorm"):
            self.batch_norm = nn.BatchNorm1d(dim)
            self.conv = conv
        else:  # newer versions of PyTorch have both and store the weight by other names, which transformers translates
            weight_norm = getattr(nn.utils.parametrizations, "weight_norm", nn.utils.weight_norm)
            self.conv = weight_norm(conv, name="weight", dim=2)

    def forward(self, x: Tensor) -> Tensor:
        time = x.shape[1]
        x = x.transpose(1, 2)
        if hasattr(self, "batch_norm"):
            x = self.batch_norm(x)
        return gelu(self.conv(x)[:, :, :time]).transpose(1, 2)  # an even kernel gives one frame too many


def relative_buckets(time: int, buckets: int, reach: int, device: torch.device) -> Tensor:
    """The bucket of every key's distance from every query [query, key], as in WavLM and T5."""
    places = torch.arange(time, device=device)
    distance = places[None, :] - places[:, None]
    half = buckets // 2
    exact = half // 2
    size = distance.abs()
    far = torch.log(size.float() / exact) / math.log(reach / exact) * (half - exact)
    bucket = torch.where(size < exact, size, (exact + far.clamp(min=0).long()).clamp(max=half - 1))
    return bucket + (distance > 0).long() * half


class Attention(nn.Module):
    """Self-attention that computes its map, or takes over that of an earlier layer and has value and output projections only."""

    def __init__(self, model: Dict[str, Any], layer: int, shape: Dict[str, Any]):
        super().__init__()
        dim, all_heads = model["dim"], model["heads"]
        self.heads = shape["heads"]
        self.head_dim = dim // all_heads
        width = self.heads * self.head_dim
        self.computes = model["attentionFrom"][layer] == layer
        self.v_proj = nn.Linear(dim, width)
        self.out_proj = nn.Linear(width, dim)
        if not self.computes:
            return
        self.q_proj = nn.Linear(dim, width)
        self.k_proj = nn.Linear(dim, width)
        relative = model["relativePosition"]
        if relative:  # gated by the layer's input (arXiv:2110.13900 eq. 4-6); all heads, of which pruning kept `bias_heads`
            self.bias_heads = shape["biasHeads"]
            self.gru_rel_pos_const = nn.Parameter(torch.ones(1, all_heads, 1, 1))
            self.gru_rel_pos_linear = nn.Linear(self.head_dim, 8)
            if layer == 0:
                self.rel_attn_embed = nn.Embedding(relative["buckets"], all_heads)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], -1, self.head_dim).transpose(1, 2)

    def attention_map(self, x: Tensor, keys: Optional[Tensor], positions: Optional[Tensor]) -> Tensor:
        """keys: 0 or very negative [batch, 1, 1, frames]; positions [1, heads, frames, frames]"""
        scores = self.split(self.q_proj(x)) @ self.split(self.k_proj(x)).transpose(2, 3) / math.sqrt(self.head_dim)
        if positions is not None:
            parts = self.gru_rel_pos_linear(self.split(x))
            update, reset = parts.unflatten(-1, (2, 4)).sum(-1).sigmoid().split(1, dim=-1)
            gated = (update * (reset * self.gru_rel_pos_const - 1) + 2) * positions
            scores = scores + (gated if self.bias_heads is None else gated[:, self.bias_heads])
        return torch.softmax(scores if keys is None else scores + keys, dim=-1)

    def apply_map(self, x: Tensor, attention: Tensor) -> Tensor:
        return self.out_proj((attention @ self.split(self.v_proj(x))).transpose(1, 2).flatten(2))


def official_reading(attention: Tensor, keys: Optional[Tensor]) -> Tensor:
    """A reused map as the students' released code reads it: [head, batch] as [batch, head], and softmax once more."""
    swapped = attention.transpose(0, 1).reshape(attention.shape)
    return torch.softmax(swapped if keys is None else swapped + keys, dim=-1)


class FeedForward(nn.Module):
    def __init__(self, dim: int, width: int, rates: Dict[str, float]):
        super().__init__()
        self.rates = rates
        self.intermediate_dense = nn.Linear(dim, width)
        self.output_dense = nn.Linear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        hidden = dropout(gelu(self.intermediate_dense(x)), self.rates["activation"], self.training)
        return dropout(self.output_dense(hidden), self.rates["hidden"], self.training)


class Layer(nn.Module):
    """A Transformer layer. Where pruning took a block away, its residual path stays, and in post-LN layers the norm after it."""

    def __init__(self, model: Dict[str, Any], index: int, rates: Dict[str, float]):
        super().__init__()
        all_alike = {"heads": model["heads"], "ffnDim": model["ffnDim"], "biasHeads": None}
        shape = model["layerShapes"][index] if model.get("layerShapes") else all_alike
        dim, eps = model["dim"], model["layerNormEps"]
        self.norm_first = model["normFirst"]
        self.rates = rates
        self.attention = Attention(model, index, shape) if shape["heads"] > 0 else None
        self.layer_norm = nn.LayerNorm(dim, eps=eps)
        self.feed_forward = FeedForward(dim, shape["ffnDim"], rates) if shape["ffnDim"] > 0 else None
        self.final_layer_norm = nn.LayerNorm(dim, eps=eps)

    def forward(self, x: Tensor, reused: Optional[Tensor], keys: Optional[Tensor], positions: Optional[Tensor]):
        """Gives the layer's output, and the map that it used."""
        attention = reused
        if self.attention is not None:
            read = self.layer_norm(x) if self.norm_first else x
            applied = reused
            if applied is None:
                attention = self.attention.attention_map(read, keys, positions)
                applied = dropout(attention, self.rates["attention"], self.training)
            x = x + dropout(self.attention.apply_map(read, applied), self.rates["hidden"], self.training)
        if not self.norm_first:
            x = self.layer_norm(x)
        if self.feed_forward is not None:
            x = x + self.feed_forward(self.final_layer_norm(x) if self.norm_first else x)
        return x if self.norm_first else self.final_layer_norm(x), attention


class Encoder(nn.Module):
    def __init__(self, model: Dict[str, Any], rates: Dict[str, float]):
        super().__init__()
        self.model = model
        self.rates = rates
        self.pos_conv_embed = PositionalConv(model)
        self.layer_norm = nn.LayerNorm(model["dim"], eps=model["layerNormEps"])
        self.layers = nn.ModuleList(Layer(model, i, rates) for i in range(model["layers"]))

    def positions(self, time: int) -> Optional[Tensor]:
        relative = self.model["relativePosition"]
        if not relative:
            return None
        table = self.layers[0].attention.rel_attn_embed
        buckets = relative_buckets(time, relative["buckets"], relative["maxDistance"], table.weight.device)
        return table(buckets).permute(2, 0, 1)[None]

    def forward(self, x: Tensor, valid: Optional[Tensor]) -> Tuple[List[Tensor], List[Optional[Tensor]], Tensor]:
        """valid: bool [batch, frames]. Gives the input and output of every layer, the maps, and the last hidden state."""
        keys = None
        if valid is not None:
            keys = torch.zeros_like(x[:, :, 0]).masked_fill(~valid, lowest(x))[:, None, None]
        x = x + self.pos_conv_embed(x)
        if not self.model["normFirst"]:
            x = self.layer_norm(x)
        positions = self.positions(x.shape[1])
        states: List[Tensor] = [x]
        maps: List[Optional[Tensor]] = []
        readings: Dict[int, Tensor] = {}
        x = dropout(x, self.rates["hidden"], self.training)
        for i, layer in enumerate(self.layers):
            source = self.model["attentionFrom"][i]
            reused = None
            if source != i:
                if source not in readings:
                    official = self.model["reuse"] == "official"
                    readings[source] = official_reading(maps[source], keys) if official else maps[source]
                reused = readings[source]
            x, attention = layer(x, reused, keys, positions)
            states.append(x)
            maps.append(attention)
        return states, maps, self.layer_norm(x) if self.model["normFirst"] else x


class StillwaveModel(PreTrainedModel):
    config_class = StillwaveConfig
    base_model_prefix = "stillwave"
    main_input_name = "input_values"
    _keys_to_ignore_on_load_missing = [r"num_batches_tracked"]

    def __init__(self, config: StillwaveConfig):
        super().__init__(config)
        if not config.stillwave:
            raise ValueError('config.json has no "stillwave" section: the folder holds no Stillwave student')
        model = config.stillwave["model"]
        rates = {kind: getattr(config, f"{kind}_dropout", 0.0) for kind in ("hidden", "attention", "activation")}
        self.architecture = model
        self.masked_spec_embed = nn.Parameter(torch.zeros(model["dim"]))
        self.feature_extractor = FeatureExtractor(model)
        self.feature_projection = FeatureProjection(model)
        self.encoder = Encoder(model, rates)
        heads = model["headLayers"] if model["headDim"] is not None else []
        self.heads = nn.ModuleDict({str(i): nn.Linear(model["dim"], model["headDim"]) for i in heads})
        self.post_init()

    def freeze_feature_encoder(self) -> None:
        """The convolutions learn no more."""
        self.feature_extractor.requires_grad_(False)

    def valid_frames(self, samples: Tensor, padded: int, frames: int) -> Tensor:
        """Frames of items of so many samples [batch] in a batch of `padded` samples, which gives `frames` frames."""
        if self.architecture["frameRule"] == "ratio":
            counts = torch.ceil(samples / (padded // frames)).long()
        else:
            counts = samples
            for layer in self.architecture["conv"]:
                counts = torch.div(counts - layer["kernel"], layer["stride"], rounding_mode="floor") + 1
        return torch.where(samples >= padded, frames, counts.clamp(0, frames))

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Optional[Tensor] = None,
        mask_time_indices: Optional[Tensor] = None,
        output_attentions: Optional[bool] = None,
        output_hidden_states: Optional[bool] = None,
        return_dict: Optional[bool] = None,
    ) -> Union[Tuple, StillwaveModelOutput]:
        """
        input_values: 16 kHz waveforms [batch, samples], padded with zeros and as the folder's feature extractor makes them.
        attention_mask: 1 at samples, 0 at padding [batch, samples]. mask_time_indices: bool [batch, frames], frames that the
        mask embedding replaces.
        """
        config = self.config
        output_attentions = config.output_attentions if output_attentions is None else output_attentions
        output_hidden_states = config.output_hidden_states if output_hidden_states is None else output_hidden_states
        as_dict = getattr(config, "return_dict", True) if return_dict is None else return_dict

        normed, features = self.feature_projection(self.feature_extractor(input_values))
        if mask_time_indices is not None:
            features = torch.where(mask_time_indices[:, :, None].bool(), self.masked_spec_embed, features)
        valid = None
        if attention_mask is not None:
            frames = features.shape[1]
            counts = self.valid_frames(attention_mask.long().sum(-1), attention_mask.shape[1], frames)
            valid = torch.arange(frames, device=counts.device)[None] < counts[:, None]
            features = features * valid[:, :, None]
        layer_states, maps, last = self.encoder(features, valid)
        output = StillwaveModelOutput(
            last_hidden_state=last,
            extract_features=normed,
            hidden_states=(*layer_states[:-1], last) if output_hidden_states else None,
            attentions=tuple(maps) if output_attentions else None,
            head_states=tuple(head(layer_states[int(i) + 1]) for i, head in self.heads.items()) or None,
        )
        return output if as_dict else output.to_tuple()
