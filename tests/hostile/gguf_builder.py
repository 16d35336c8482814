"""Writes GGUF files number by number, so that each can be wrong in any way, and a tiny model to be spoilt.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import random
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
HUGE = 2**64 - 1  # what -1 is, read as a size
TENSOR_F32, TENSOR_Q8_0 = 0, 8


def number(kind, value):
    return struct.pack("<" + FORMATS[kind], value)


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return number(U64, len(value)) + value


def scalar(kind, value):
    return text(value) if kind == STRING else number(kind, value)


def array(kind, values, length=None, kind_number=None):
    """An array's type, length and values, of which the first two may lie."""
    head = number(U32, kind if kind_number is None else kind_number) + number(U64, len(values) if length is None else length)
    return head + b"".join(scalar(kind, value) for value in values)


class Tensor:
    def __init__(self, name, dimensions, kind, data):
        self.name, self.dimensions, self.kind, self.data = name, list(dimensions), kind, data
        self.offset = None  # where it comes to lie
        self.n_dimensions = None  # as many as there are


class Gguf:
    """A file as it is going to be; the attributes that are None are as they should be."""

    def __init__(self):
        self.magic, self.version = b"GGUF", 3
        self.n_tensors = self.n_keys = None
        self.keys = {}  # name → (type, the value's bytes)
        self.tensors = {}
        self.alignment = 32
        self.more_entries = b""  # after the last key

    def set(self, name, kind, value):
        self.keys[name] = (kind, scalar(kind, value))
        return self

    def set_array(self, name, kind, values, **lies):
        self.keys[name] = (ARRAY, array(kind, values, **lies))
        return self

    def set_raw(self, name, kind, value):
        self.keys[name] = (kind, value)
        return self

    def remove(self, name):
        del self.keys[name]
        return self

    def add_tensor(self, name, dimensions, kind, data):
        """Dimensions as the file has them: the innermost first."""
        self.tensors[name] = Tensor(name, dimensions, kind, data)
        return self

    def change(self, tensor, **attributes):
        for attribute, value in attributes.items():
            setattr(self.tensors[tensor], attribute, value)
        return self

    def header(self):
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        n_keys = len(self.keys) if self.n_keys is None else self.n_keys
        out = self.magic + number(U32, self.version) + number(U64, n_tensors) + number(U64, n_keys)
        for name, (kind, value) in self.keys.items():
            out += text(name) + number(U32, kind) + value
        return out + self.more_entries

    def header_and_entries(self):
        """What stands before the tensors' data."""
        infos, at = b"", 0
        for tensor in self.tensors.values():
            n = len(tensor.dimensions) if tensor.n_dimensions is None else tensor.n_dimensions
            infos += text(tensor.name) + number(U32, n) + b"".join(number(U64, d) for d in tensor.dimensions)
            infos += number(U32, tensor.kind) + number(U64, at if tensor.offset is None else tensor.offset)
            at += len(tensor.data) + -len(tensor.data) % self.alignment
        out = self.header() + infos
        return out + bytes(-len(out) % self.alignment)

    def build(self):
        data = b"".join(tensor.data + bytes(-len(tensor.data) % self.alignment) for tensor in self.tensors.values())
        return self.header_and_entries() + data


def byte_characters():
    """The character that stands for each byte in the vocabularies of GPT-2's kind."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


TOKENS = byte_characters() + ["he", "ll", "<|im_start|>", "<|im_end|>"]
MERGES = ["h e", "l l"]
TYPES = [1] * 258 + [3, 3]
DIM, HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 32, 64, 2, 1, 16
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}<|im_start|>bot\n"


def tiny_tensors():
    """(name, [columns, rows] or [columns]) of a Llama with one layer."""
    return [("token_embd.weight", [DIM, len(TOKENS)]),
            ("blk.0.attn_norm.weight", [DIM]), ("blk.0.attn_q.weight", [DIM, HEADS * HEAD_DIM]),
            ("blk.0.attn_k.weight", [DIM, KV_HEADS * HEAD_DIM]), ("blk.0.attn_v.weight", [DIM, KV_HEADS * HEAD_DIM]),
            ("blk.0.attn_output.weight", [HEADS * HEAD_DIM, DIM]),
            ("blk.0.ffn_norm.weight", [DIM]), ("blk.0.ffn_gate.weight", [DIM, HIDDEN]),
            ("blk.0.ffn_up.weight", [DIM, HIDDEN]), ("blk.0.ffn_down.weight", [HIDDEN, DIM]),
            ("output_norm.weight", [DIM])]


def float_data(dimensions, seed):
    n = 1
    for dimension in dimensions:
        n *= dimension
    numbers = random.Random(seed)
    return struct.pack(f"<{n}f", *(numbers.uniform(-1, 1) for _ in range(n)))


def tiny_model():
    """A Llama that loads and runs, so that whatever is refused is refused for its flaw."""
    model = Gguf().set("general.architecture", STRING, "llama").set("general.name", STRING, "Tiny")
    for key, value in (("block_count", 1), ("embedding_length", DIM), ("feed_forward_length", HIDDEN),
                       ("context_length", 512), ("attention.head_count", HEADS),
                       ("attention.head_count_kv", KV_HEADS), ("rope.dimension_count", HEAD_DIM)):
        model.set("llama." + key, U32, value)
    model.set("llama.attention.layer_norm_rms_epsilon", F32, 1e-5)
    model.set("tokenizer.ggml.model", STRING, "gpt2").set("tokenizer.ggml.pre", STRING, "smollm")
    model.set_array("tokenizer.ggml.tokens", STRING, TOKENS).set_array("tokenizer.ggml.token_type", I32, TYPES)
    model.set_array("tokenizer.ggml.merges", STRING, MERGES).set("tokenizer.ggml.eos_token_id", U32, 259)
    model.set("tokenizer.chat_template", STRING, TEMPLATE)
    for seed, (name, dimensions) in enumerate(tiny_tensors()):
        model.add_tensor(name, dimensions, TENSOR_F32, float_data(dimensions, seed))
    return model
