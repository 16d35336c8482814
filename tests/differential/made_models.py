"""Llama files in GGUF with random weights, made for comparisons of quantizers."""

from dataclasses import dataclass

import gguf
import numpy as np


@dataclass
class Made:
    layers: int
    dim: int
    hidden: int
    heads: int
    kv_heads: int
    tied: bool = False
    experts: int = 0
    vocabulary: int = 1024


MADE_MODELS = {
    "heavy tails": Made(8, 512, 1024, 8, 2),
    "few shared heads": Made(9, 256, 512, 8, 4, tied=True),
    "eight experts": Made(8, 256, 512, 8, 2, experts=8),
    "four experts": Made(5, 256, 512, 4, 4, experts=4),
    "eighty layers": Made(80, 64, 256, 8, 1),
    "rows of 96": Made(4, 96, 160, 4, 4),
    "rows of 48": Made(4, 48, 80, 4, 4, tied=True),
}


class Weights:
    """Heavy-tailed numbers with correlated rows and columns, of a size that keeps activations near 1."""

    def __init__(self, random):
        self.random = random

    def matrix(self, *shape):
        rows, columns = shape[-2:]
        rank = max(1, min(rows, columns) // 8)
        common = self.random.standard_normal((*shape[:-1], rank)) @ self.random.standard_normal((*shape[:-2], rank, columns))
        noise = self.random.standard_t(4, shape) * np.exp(0.5 * self.random.standard_normal((*shape[:-2], 1, columns)))
        return ((common / rank**0.5 + noise) * 0.7 * columns**-0.5).astype(np.float32)


def add_layer(writer, shape, weights, i):
    head_dim = shape.dim // shape.heads
    block = f"blk.{i}."
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"{block}{name}.weight", np.ones(shape.dim, np.float32))
    kv = shape.kv_heads * head_dim
    for name, rows, columns in (
        ("attn_q", shape.dim, shape.dim),
        ("attn_k", kv, shape.dim),
        ("attn_v", kv, shape.dim),
        ("attn_output", shape.dim, shape.dim),
    ):
        writer.add_tensor(f"{block}{name}.weight", weights.matrix(rows, columns))
    experts = (shape.experts,) if shape.experts else ()
    suffix = "_exps" if shape.experts else ""
    if shape.experts:
        writer.add_tensor(f"{block}ffn_gate_inp.weight", weights.matrix(shape.experts, shape.dim))
    writer.add_tensor(f"{block}ffn_gate{suffix}.weight", weights.matrix(*experts, shape.hidden, shape.dim))
    writer.add_tensor(f"{block}ffn_up{suffix}.weight", weights.matrix(*experts, shape.hidden, shape.dim))
    writer.add_tensor(f"{block}ffn_down{suffix}.weight", weights.matrix(*experts, shape.dim, shape.hidden))


def write_made_model(name, path, random):
    shape, weights = MADE_MODELS[name], Weights(random)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(2048)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.dim // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list([f"t{i}" for i in range(shape.vocabulary)])
    writer.add_token_types([gguf.TokenType.NORMAL] * shape.vocabulary)
    writer.add_token_merges(["t 0"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_tensor("token_embd.weight", weights.matrix(shape.vocabulary, shape.dim) * np.float32(shape.dim**0.5))
    writer.add_tensor("output_norm.weight", np.ones(shape.dim, np.float32))
    if not shape.tied:
        writer.add_tensor("output.weight", weights.matrix(shape.vocabulary, shape.dim))
    for i in range(shape.layers):
        add_layer(writer, shape, weights, i)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
