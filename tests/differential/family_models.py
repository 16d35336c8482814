"""Tiny random models of the families that emelex knows, made by transformers' own classes.

Each case has shapes that exercise its family's flags, and `flags`: other values for config.json, each of which must change the
logits, so that a flag that is ignored can't pass.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import transformers as tf

SIZES = dict(vocab_size=211, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0)  # fmt: skip
THETA = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 64}
LONGROPE = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 64,
            "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], "long_factor": [1.0, 2.0, 3.0, 4.0, 6.0, 8.0]}  # fmt: skip
GEMMA = dict(head_dim=24, query_pre_attn_scalar=20, sliding_window=24)
GPT_OSS = dict(num_hidden_layers=4, head_dim=24, intermediate_size=64, sliding_window=24, num_local_experts=6,
               num_experts_per_tok=3)  # fmt: skip


@dataclass
class Case:
    name: str
    config: tf.PreTrainedConfig
    flags: dict = field(default_factory=dict)  # "key" or "key.key" → another value
    length: int = 150
    context: int = 512
    # What llama.cpp's converter and llama.cpp make of it: "equal" to the reference; "theirs", the file says less, and emelex
    # must agree with llama.cpp; "ours", llama.cpp passes over what the file says, and emelex must agree with the reference; "none": it can't read such a model.
    gguf: str = "equal"
    # How many tokens of a prompt mlx-lm computes as the model is: it passes over some windows. 0: all of them
    mlx_lm: int = 0
    mlx_lm_keys: dict = field(default_factory=dict)  # what config.json must say for mlx-lm to compute the model, as flags
    crossing: int = 0  # the length from which LongRoPE turns otherwise
    plain: bool = False  # gpt-oss's experts are not rounded to MXFP4

    @property
    def vocab_size(self):
        return self.config.get_text_config().vocab_size

    @property
    def mxfp4(self):
        return self.config.model_type == "gpt_oss" and not self.plain


def case(name, kind, flags=None, length=150, context=512, gguf="equal", mlx_lm=0, mlx_lm_keys=None, crossing=0, plain=False, **keys):
    return Case(name, kind(**{**SIZES, **keys}), flags or {}, length, context, gguf, mlx_lm, mlx_lm_keys or {}, crossing, plain)


def gemma3_with_pictures():
    text = {**SIZES, **GEMMA, "num_hidden_layers": 7, "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}, "sliding_attention": THETA}}  # fmt: skip
    vision = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    return tf.Gemma3Config(text_config=text, vision_config=vision, image_token_index=210, boi_token_index=209, eoi_token_index=208,
                           mm_tokens_per_image=4)  # fmt: skip


def cases():
    scaled = {"rope_parameters.factor": 2.0}
    return [
        case("llama", tf.LlamaConfig, {"rms_norm_eps": 0.5, "rope_parameters.rope_theta": 500.0}, rope_parameters=THETA),
        case("llama, head_dim", tf.LlamaConfig, {"tie_word_embeddings": False}, head_dim=24, tie_word_embeddings=True,
             rope_parameters=THETA),
        case("llama, biases", tf.LlamaConfig, attention_bias=True, mlp_bias=True, rope_parameters=THETA),
        case("llama 3.1", tf.LlamaConfig, scaled, rope_parameters=LLAMA3),
        case("llama 3.2", tf.LlamaConfig, {**scaled, "tie_word_embeddings": False}, num_attention_heads=6, hidden_size=96,
             tie_word_embeddings=True, rope_parameters={**LLAMA3, "factor": 32.0}),
        case("llama, linear", tf.LlamaConfig, scaled, rope_parameters={**THETA, "rope_type": "linear", "factor": 4.0}),
        case("llama, yarn", tf.LlamaConfig, {**scaled, "rope_parameters.original_max_position_embeddings": 256},
             rope_parameters=YARN),
        case("mistral", tf.MistralConfig, {"sliding_window": 25}, sliding_window=24, rope_parameters=THETA,
             mlx_lm=24, gguf="theirs"),
        case("mistral, long", tf.MistralConfig, {"sliding_window": None}, length=1200, context=2048,
             max_position_embeddings=2048, sliding_window=100, rope_parameters=THETA, mlx_lm=100, gguf="theirs"),
        case("mistral nemo", tf.MistralConfig, sliding_window=None, head_dim=24, rope_parameters={**THETA, "rope_theta": 1e6}),
        case("mistral small", tf.MistralConfig, {"rope_parameters.rope_theta": 1e4}, sliding_window=None, num_attention_heads=8,
             num_key_value_heads=2, head_dim=12, rope_parameters={**THETA, "rope_theta": 1e8}),
        case("mixtral", tf.MixtralConfig, {"num_experts_per_tok": 3, "sliding_window": 24}, num_local_experts=6, num_experts_per_tok=2,
             rope_parameters=THETA),
        case("mixtral, eight", tf.MixtralConfig, {"sliding_window": 25}, num_local_experts=8, num_experts_per_tok=2, sliding_window=24,
             rope_parameters=THETA, mlx_lm=24, gguf="theirs"),
        case("command r", tf.CohereConfig, {"logit_scale": 0.5, "layer_norm_eps": 0.5}, logit_scale=0.25, rope_parameters=THETA),
        case("qwen2", tf.Qwen2Config, rope_parameters=THETA),
        case("qwen2, window", tf.Qwen2Config, {"use_sliding_window": False, "sliding_window": 25,
             "layer_types": ["sliding_attention"] * 3}, use_sliding_window=True, sliding_window=24, max_window_layers=1,
             rope_parameters=YARN, mlx_lm=24, gguf="theirs"),
        case("qwen2.5", tf.Qwen2Config, {"tie_word_embeddings": False, "rope_parameters.rope_theta": 1e4}, num_attention_heads=7,
             num_key_value_heads=1, hidden_size=224, tie_word_embeddings=True, rope_parameters={**THETA, "rope_theta": 1e6}),
        case("qwen3", tf.Qwen3Config, {"rms_norm_eps": 0.5}, head_dim=24, rope_parameters={**THETA, "rope_theta": 1e6}),
        case("qwen3 moe", tf.Qwen3MoeConfig, {"num_experts_per_tok": 2, "norm_topk_prob": False, "rms_norm_eps": 0.5}, head_dim=24,
             num_experts=12, num_experts_per_tok=4, moe_intermediate_size=32, norm_topk_prob=True,
             rope_parameters={**THETA, "rope_theta": 1e6}),
        # llama.cpp knows neither layers without experts in such a model nor weights that do not sum up to 1.
        case("qwen3 moe, some layers", tf.Qwen3MoeConfig, {"norm_topk_prob": True}, num_hidden_layers=4, num_experts=5,
             num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=False, mlp_only_layers=[1], rope_parameters=THETA,
             gguf="none"),
        case("phi2", tf.PhiConfig, {"rope_parameters.partial_rotary_factor": 0.25, "layer_norm_eps": 0.5},
             num_key_value_heads=4, intermediate_size=256, rope_parameters={**THETA, "partial_rotary_factor": 0.5}),
        case("phi3", tf.Phi3Config, {"sliding_window": None}, sliding_window=24, rope_parameters=THETA,
             mlx_lm=24, gguf="ours"),
        case("phi3, long", tf.Phi3Config, {"rope_parameters.long_factor": [1.0] * 6, "max_position_embeddings": 8192,
             "rope_parameters.partial_rotary_factor": None}, original_max_position_embeddings=64, crossing=64,
             rope_parameters={**LONGROPE, "partial_rotary_factor": 0.75}),
        case("phi3, short", tf.Phi3Config, {"rope_parameters.short_factor": [1.0] * 6}, context=256,
             original_max_position_embeddings=256, rope_parameters={**LONGROPE, "original_max_position_embeddings": 256,
             "partial_rotary_factor": 0.75}),
        case("phi4", tf.Phi3Config, {"rope_parameters.rope_theta": 1e4}, num_attention_heads=8, sliding_window=None,
             rope_parameters={**THETA, "rope_theta": 2.5e5}),
        case("phi4 mini", tf.Phi3Config, {"tie_word_embeddings": False, "rope_parameters.partial_rotary_factor": 0.5},
             tie_word_embeddings=True, num_attention_heads=6, num_key_value_heads=2, hidden_size=96, crossing=64,
             original_max_position_embeddings=64, rope_parameters={**LONGROPE, "partial_rotary_factor": 0.75}),
        case("gemma2", tf.Gemma2Config, {"attn_logit_softcapping": None, "final_logit_softcapping": None, "sliding_window": 25,
             "query_pre_attn_scalar": 40, "layer_types": ["full_attention"] * 3}, attn_logit_softcapping=8.0,
             final_logit_softcapping=2.0, rope_parameters=THETA, mlx_lm=24, gguf="theirs",
             **GEMMA),
        case("gemma2, as in GGUF", tf.Gemma2Config, attn_logit_softcapping=8.0, final_logit_softcapping=2.0,
             rope_parameters=THETA, mlx_lm=24, **{**GEMMA, "query_pre_attn_scalar": 24}),
        # mlx-lm's has no windows.
        case("gemma2, all seen", tf.Gemma2Config, attn_logit_softcapping=8.0, final_logit_softcapping=2.0, rope_parameters=THETA,
             layer_types=["full_attention"] * 3, gguf="theirs", **GEMMA),
        case("gemma3", tf.Gemma3TextConfig, {"rope_parameters.sliding_attention.rope_theta": 500.0, "sliding_window": 25,
             "rope_parameters.full_attention.factor": 2.0, "query_pre_attn_scalar": 40,
             "layer_types": ["full_attention"] * 7}, num_hidden_layers=7, rope_parameters={
                 "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}, "sliding_attention": THETA},
             gguf="theirs", **GEMMA),
        case("gemma3, as in GGUF", tf.Gemma3TextConfig, num_hidden_layers=7, rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}, "sliding_attention": THETA},
             **{**GEMMA, "query_pre_attn_scalar": 24}),
        Case("gemma3, with pictures", gemma3_with_pictures(), {"text_config.sliding_window": 25,
             "text_config.rope_parameters.full_attention.factor": 2.0}, gguf="theirs"),
        case("smollm3", tf.SmolLM3Config, {"no_rope_layers": [1] * 5}, num_hidden_layers=5, rope_parameters=THETA),
        case("smollm3, window", tf.SmolLM3Config, {"sliding_window": 25}, num_hidden_layers=5, use_sliding_window=True,
             sliding_window=24, no_rope_layers=[1, 0, 0, 1, 0], rope_parameters=THETA, gguf="theirs"),
        case("olmo2", tf.Olmo2Config, {"rms_norm_eps": 0.5}, rope_parameters=THETA),
        case("olmo3", tf.Olmo3Config, {"sliding_window": 25, "layer_types": ["full_attention"] * 4}, num_hidden_layers=4,
             sliding_window=24, rope_parameters={"full_attention": YARN, "sliding_attention": THETA}),
        case("gpt-oss", tf.GptOssConfig, {"num_experts_per_tok": 2, "sliding_window": 25, "layer_types": ["full_attention"] * 4,
             "rope_parameters.factor": 2.0, "rope_parameters.truncate": True}, **GPT_OSS,
             rope_parameters={**YARN, "truncate": False}, gguf="theirs", mlx_lm_keys={"rope_parameters.truncate": True}),
        case("gpt-oss, plain", tf.GptOssConfig, plain=True, **GPT_OSS, rope_parameters=YARN),
        # mlx-lm has groups of 64 in down_proj.
        case("granite", tf.GraniteConfig, {"attention_multiplier": 0.5, "embedding_multiplier": 3.0,
             "residual_multiplier": 0.9, "logits_scaling": 2.0}, attention_multiplier=0.2, embedding_multiplier=6.0,
             residual_multiplier=0.4, logits_scaling=4.0, intermediate_size=128, rope_parameters=THETA),
    ]  # fmt: skip


def scaled_weights(model, generator):
    """Random weights of a size that keeps activations near 1, and scores of attention far from equal."""
    zero_centred = "Gemma" in type(model).__name__
    gpt_oss = "GptOss" in type(model).__name__
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1 and "norm" in name and name.endswith("weight"):
            sharp = 2.5 if "q_norm" in name or "k_norm" in name else 1.0
            values = sharp * (0.3 * values + 1.0) - (1.0 if zero_centred else 0.0)
        elif parameter.dim() == 1:
            values = 0.5 * values
        else:
            sharp = any(part in name for part in ("q_proj", "k_proj", "qkv_proj"))
            inputs = parameter.shape[-2] if gpt_oss and "experts" in name else parameter.shape[-1]
            size = 2.0 if sharp else 1.2
            if gpt_oss and "gate_up_proj" in name:
                size = 4.0  # past the clamps
            if gpt_oss and "down_proj" in name:
                size = 0.2
            values = 0.5 * values if name.endswith("_bias") else size * values * inputs**-0.5
        parameter.data.copy_(values)


# What Mixtral calls its experts' matrices, by Qwen's names.
PROJECTIONS = {"w1.weight": "gate_proj.weight", "w3.weight": "up_proj.weight", "w2.weight": "down_proj.weight"}


def set_parameter(model, name, values):
    """Sets a parameter by its name in mlx-lm's files; transformers has the gates and ups of a layer's experts in one."""
    layer, switch, projection = name.partition(".switch_mlp.")
    if not switch:
        names = {".block_sparse_moe.": ".mlp.", "language_model.model.": "model.language_model."}
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)
        place = model.get_parameter(name)
    elif projection == "down_proj.weight":
        place = model.get_submodule(layer.replace(".block_sparse_moe", ".mlp")).experts.down_proj
    else:
        both = model.get_submodule(layer.replace(".block_sparse_moe", ".mlp")).experts.gate_up_proj
        place = both.data.chunk(2, dim=1)[projection == "up_proj.weight"]
    place.copy_(values)


def make(case, folder, seed):
    """Writes the model into `folder` and gives it back."""
    model = tf.AutoModelForCausalLM.from_config(case.config, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        scaled_weights(model, torch.Generator().manual_seed(seed))
    model.save_pretrained(folder)
    if case.mxfp4:
        round_experts(model, folder)
    return model


def round_experts(model, folder):
    """Experts in MXFP4, as gpt-oss comes: blocks and scales in `folder`, and what they mean in the model."""
    import mlx.core as mx

    path = Path(folder) / "model.safetensors"
    weights = mx.load(str(path))
    for name in [name for name in weights if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        packed, scales = mx.quantize(weights.pop(name).swapaxes(1, 2), mode="mxfp4")
        weights[f"{name}_blocks"] = packed.view(mx.uint8).reshape(*scales.shape, 16)
        weights[f"{name}_scales"] = scales
        values = mx.dequantize(packed, scales, mode="mxfp4", dtype=mx.float32)
        model.get_parameter(name).data.copy_(torch.from_numpy(np.array(values)).transpose(1, 2))
    mx.save_safetensors(str(path), weights, metadata={"format": "pt"})
    config = json.loads((Path(folder) / "config.json").read_text()) | {"quantization_config": {"quant_method": "mxfp4"}}
    (Path(folder) / "config.json").write_text(json.dumps(config))
