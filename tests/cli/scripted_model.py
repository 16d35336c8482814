"""A tiny GGUF model that says a given sequence of tokens, for tests of what the program makes of them."""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))

from gguf_builder import F32, I32, STRING, TENSOR_F32, U32, Gguf, byte_characters

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def matrix(n_rows, n_columns, places, value):
    """0 but at these (row, column)."""
    values = [0.0] * (n_rows * n_columns)
    for row, column in places:
        values[row * n_columns + column] = value
    return floats(values)


class Scripted:
    """Tokens are the 256 bytes, `words` (ASCII without spaces) and `special` (name → type). `script`: what is said, by
    the names of tokens; after any other token it begins again. The keys may be changed before build()."""

    def __init__(self, script, special, words=("AAA", "BBB", "CCC"), eos=None, bos=None, template=PLAIN, sharpness=8.0):
        names, types, merges = byte_characters(), [NORMAL] * 256, []
        for word in words:
            for i in range(1, len(word)):
                if word[:i + 1] not in names:
                    merges.append(f"{word[:i]} {word[i]}")
                    names.append(word[:i + 1])
                    types.append(NORMAL)
        for name, kind in special.items():
            names.append(name)
            types.append(kind)
        self.ids = {name: i for i, name in enumerate(names)}
        self.n = len(names)
        said = [self.ids[name] for name in script]
        follows = {i: said[0] for i in range(self.n)}
        follows.update(zip(said, said[1:]))
        dim = (self.n + 31) // 32 * 32
        heads = dim // 32
        self.file = Gguf().set("general.architecture", STRING, "llama").set("general.name", STRING, "scripted")
        for key, value in (("block_count", 1), ("embedding_length", dim), ("feed_forward_length", dim), ("context_length", 512),
                           ("attention.head_count", heads), ("attention.head_count_kv", heads), ("vocab_size", self.n)):
            self.file.set("llama." + key, U32, value)
        self.file.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)
        self.file.set("tokenizer.ggml.model", STRING, "gpt2").set("tokenizer.ggml.pre", STRING, "gpt-2")
        self.file.set_array("tokenizer.ggml.tokens", STRING, names).set_array("tokenizer.ggml.token_type", I32, types)
        self.file.set_array("tokenizer.ggml.merges", STRING, merges)
        for key, name in (("eos", eos), ("bos", bos)):
            if name is not None:
                self.file.set(f"tokenizer.ggml.{key}_token_id", U32, self.ids[name])
        if template is not None:
            self.file.set("tokenizer.chat_template", STRING, template)
        ones, zeros = floats([1.0] * dim), bytes(4 * dim * dim)
        add = self.file.add_tensor
        add("token_embd.weight", [dim, self.n], TENSOR_F32, matrix(self.n, dim, {(i, i) for i in range(self.n)}, 1.0))
        add("output.weight", [dim, self.n], TENSOR_F32, matrix(self.n, dim, {(b, a) for a, b in follows.items()}, sharpness))
        for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
            add(name + ".weight", [dim], TENSOR_F32, ones)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            add(f"blk.0.{name}.weight", [dim, dim], TENSOR_F32, zeros)

    def build(self):
        return self.file.build()
