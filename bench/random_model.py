"""Writes a GGUF file of a well-known model's shape with random weights: for measuring speed, which does not depend on the
values. Needs the packages gguf and numpy.

    random_model.py SHAPE TYPE OUTPUT        for example: llama-3.2-3b q4_0 build/models/random-3b-q4_0.gguf
"""

import sys
from dataclasses import dataclass

import gguf
import numpy as np


@dataclass
class Shape:
    n_layers: int
    dim: int
    hidden_dim: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    vocab_size: int
    tied: bool
    n_experts: int = 0  # with hidden_dim each
    n_experts_used: int = 0
    architecture: str = "llama"


SHAPES = {
    "smollm2-135m": Shape(30, 576, 1536, 9, 3, 64, 49152, True),
    "llama-3.2-1b": Shape(16, 2048, 8192, 32, 8, 64, 128256, True),
    "llama-3.2-3b": Shape(28, 3072, 8192, 24, 8, 128, 128256, True),
    "llama-3-8b": Shape(32, 4096, 14336, 32, 8, 128, 128256, False),
    # The first layers of models with experts, which are as many gigabytes as others' all.
    "mixtral-8x7b-4-layers": Shape(4, 4096, 14336, 32, 8, 128, 32000, False, 8, 2),
    "qwen3-30b-a3b-8-layers": Shape(8, 2048, 768, 32, 4, 128, 151936, False, 128, 8, "qwen3moe"),
}
TYPES = {"f16": gguf.GGMLQuantizationType.F16, "q4_0": gguf.GGMLQuantizationType.Q4_0,
         "q4_1": gguf.GGMLQuantizationType.Q4_1, "q8_0": gguf.GGMLQuantizationType.Q8_0}


class RandomTensors:
    """Rows of random blocks whose scales keep the activations of every layer near 1."""

    def __init__(self, kind):
        self.kind, self.rng = TYPES[kind], np.random.default_rng(1)

    def matrix(self, rows, columns):
        spread = columns ** -0.5
        if self.kind == gguf.GGMLQuantizationType.F16:
            return (self.rng.standard_normal((rows, columns), dtype=np.float32) * spread).astype(np.float16)
        block, size = gguf.GGML_QUANT_SIZES[self.kind]
        data = self.rng.integers(0, 256, (rows, columns // block, size), dtype=np.uint8)
        steps = 74.0 if self.kind == gguf.GGMLQuantizationType.Q8_0 else 4.6  # root mean square of the random values
        data[:, :, :2] = np.frombuffer(np.float16(spread / steps).tobytes(), np.uint8)
        # Q4_0's values are -0.5 in the mean, which would make all tokens alike and send them to the same experts.
        if self.kind == gguf.GGMLQuantizationType.Q4_0:
            data[:, :, 1] ^= self.rng.integers(0, 2, data.shape[:2], dtype=np.uint8) << 7
        if self.kind == gguf.GGMLQuantizationType.Q4_1:
            data[:, :, 2:4] = np.frombuffer(np.float16(-7.5 * spread / steps).tobytes(), np.uint8)
        return data.reshape(rows, -1)


def vocabulary(size):
    """The bytes, as byte-level BPE writes them, and then all pairs and triples of them, each with its merge: as much to
    load as a real vocabulary of this size."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters = [chr(i) for i in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    tokens, merges = list(letters), []
    for left in tokens:  # which grows on the way
        for right in letters[: size - 2 - len(tokens)]:
            tokens.append(left + right)
            merges.append(f"{left} {right}")
        if len(tokens) == size - 2:
            return ["<s>", "</s>"] + tokens, merges


def add_metadata(writer, name, shape):
    writer.add_name(f"random {name}")
    writer.add_context_length(131072)
    writer.add_embedding_length(shape.dim)
    writer.add_block_count(shape.n_layers)
    writer.add_feed_forward_length(shape.hidden_dim)
    writer.add_head_count(shape.n_heads)
    writer.add_head_count_kv(shape.n_kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(500000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocab_size)
    if shape.n_experts:
        writer.add_expert_count(shape.n_experts)
        writer.add_expert_used_count(shape.n_experts_used)
        writer.add_expert_feed_forward_length(shape.hidden_dim)
    tokens, merges = vocabulary(shape.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (shape.vocab_size - 2))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)


def add_tensors(writer, shape, tensors):
    def matrix(name, rows, columns):
        data = tensors.matrix(rows, columns)
        writer.add_tensor(name, data, raw_dtype=tensors.kind)

    def norm(name, size=shape.dim):
        writer.add_tensor(name, np.ones(size, dtype=np.float32))

    def experts(name, rows, columns):
        data = tensors.matrix(shape.n_experts * rows, columns)
        writer.add_tensor(name, data.reshape(shape.n_experts, rows, -1), raw_dtype=tensors.kind)

    queries, keys = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    matrix("token_embd.weight", shape.vocab_size, shape.dim)
    norm("output_norm.weight")
    if not shape.tied:
        matrix("output.weight", shape.vocab_size, shape.dim)
    for i in range(shape.n_layers):
        block = f"blk.{i}."
        norm(block + "attn_norm.weight")
        norm(block + "ffn_norm.weight")
        if shape.architecture == "qwen3moe":
            norm(block + "attn_q_norm.weight", shape.head_dim)
            norm(block + "attn_k_norm.weight", shape.head_dim)
        for part, rows, columns in (("attn_q", queries, shape.dim), ("attn_k", keys, shape.dim),
                                    ("attn_v", keys, shape.dim), ("attn_output", shape.dim, queries)):
            matrix(f"{block}{part}.weight", rows, columns)
        if shape.n_experts:
            router = tensors.rng.standard_normal((shape.n_experts, shape.dim), dtype=np.float32)
            writer.add_tensor(block + "ffn_gate_inp.weight", router * shape.dim**-0.5)
        for part, rows, columns in (("ffn_gate", shape.hidden_dim, shape.dim), ("ffn_up", shape.hidden_dim, shape.dim),
                                    ("ffn_down", shape.dim, shape.hidden_dim)):
            if shape.n_experts:
                experts(f"{block}{part}_exps.weight", rows, columns)
            else:
                matrix(f"{block}{part}.weight", rows, columns)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in SHAPES or sys.argv[2] not in TYPES:
        sys.exit(f"usage: random_model.py {{{','.join(SHAPES)}}} {{{','.join(TYPES)}}} OUTPUT")
    name, kind, output = sys.argv[1:]
    writer = gguf.GGUFWriter(output, SHAPES[name].architecture, use_temp_file=True)
    add_metadata(writer, name, SHAPES[name])
    add_tensors(writer, SHAPES[name], RandomTensors(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
