"""Hugging Face folders whose header, index or config.json lies."""

import json
import random
import struct

from case import Case
from gguf_builder import DIM, HEAD_DIM, HEADS, HIDDEN, HUGE, KV_HEADS, TOKENS
from gguf_cases import POINTER

CONFIG = {"model_type": "llama", "hidden_size": DIM, "num_hidden_layers": 1, "num_attention_heads": HEADS,
          "num_key_value_heads": KV_HEADS, "intermediate_size": HIDDEN, "vocab_size": len(TOKENS), "rms_norm_eps": 1e-5,
          "max_position_embeddings": 512, "tie_word_embeddings": True}
SHAPES = {"model.embed_tokens.weight": [len(TOKENS), DIM], "model.norm.weight": [DIM]}
for _name, _shape in {"input_layernorm": [DIM], "self_attn.q_proj": [HEADS * HEAD_DIM, DIM],
                      "self_attn.k_proj": [KV_HEADS * HEAD_DIM, DIM], "self_attn.v_proj": [KV_HEADS * HEAD_DIM, DIM],
                      "self_attn.o_proj": [DIM, HEADS * HEAD_DIM], "post_attention_layernorm": [DIM],
                      "mlp.gate_proj": [HIDDEN, DIM], "mlp.up_proj": [HIDDEN, DIM], "mlp.down_proj": [DIM, HIDDEN]}.items():
    SHAPES[f"model.layers.0.{_name}.weight"] = _shape

MODEL_ALONE = ("bench",)  # needs no tokenizer, which the folders here don't have


def tiny_header(names=None):
    """The header of the tiny model's tensors, and how many bytes of data it is about."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name in names or SHAPES:
        size = 4 * SHAPES[name][0] * (SHAPES[name][1:] or [1])[0]
        header[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": [at, at + size]}
        at += size
    return header, at


def data(n, seed=1):
    numbers = random.Random(seed)
    return struct.pack(f"<{n // 4}f", *(numbers.uniform(-1, 1) for _ in range(n // 4)))


def raw(header, content, length=None):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + content


def tiny_file():
    header, n = tiny_header()
    return raw(header, data(n))


def folder(name, kind, says, file=None, config=None, commands=("run",), **options):
    """There is no tokenizer in it, so commands that need no weights do not come to the flaw."""
    config = json.dumps(CONFIG if config is None else config).encode() if not isinstance(config, bytes) else config
    files = {"config.json": config, "model.safetensors": tiny_file() if file is None else file}
    return Case("safetensors-" + name, kind, files, says, open="model.safetensors", commands=commands, **options)


def changed(change):
    """The tiny model's file with one tensor's entry changed; others stay as they are."""
    header, n = tiny_header()
    change(header)
    return raw(header, data(n))


def entry(**members):
    def change(header):
        header["model.layers.0.self_attn.q_proj.weight"].update(members)
    return changed(change)


def file_cases():
    whole = tiny_file()
    for name, content, says in (("empty", b"", "an empty one"), ("seven-bytes", whole[:7], "the length of the header"),
                                ("header-cut", whole[:100], "only .* bytes up to the end"), ("data-cut", whole[:-1], "downloaded to its end"),
                                ("header-alone", whole[:whole.index(b"}}") + 2], "within 0 bytes|only .* bytes|a JSON|JSON"),
                                ("more-data", whole + b"x", "to end with the file"), ("lfs-pointer", POINTER, "Git LFS pointer"),
                                ("gguf", b"GGUF\3\0\0\0" + bytes(64), "a header of at most|starts with '{'")):
        yield folder("file-" + name, "format" if name in ("lfs-pointer", "gguf", "empty") else "range", says, content)
    for name, length in (("minus-1", HUGE), ("2-to-63", 2**63), ("wraps-with-8", 2**64 - 8), ("32-bits", 2**32), ("100-mb", 99_999_999)):
        header, n = tiny_header()
        yield folder("header-length-" + name, "length", "a header of at most|only .* bytes up to the end", raw(header, data(n), length=length))
    yield folder("header-length-0", "length", r"starts with '\{'", raw(b"", b"", length=0))
    yield folder("header-length-short", "length", r"JSON", raw(b"{}" + b" " * 60, b"", length=1))


def offset_cases():
    for name, kind, offsets, says in (
            ("past-the-end", "range", [2**30, 2**30 + 4096], "from 33"), ("huge", "wrap", [2**63, 2**63 + 4096], "from 33|within"),
            ("to-minus-1", "wrap", [0, HUGE], "4096 bytes of F32"), ("backwards", "range", [8192, 4096], "to begin before it ends"),
            ("negative", "range", [-4096, 0], "data_offsets of two integers"), ("floats", "type", [0.0, 4096.0], "data_offsets of two integers"),
            ("beyond-64-bits", "wrap", [0, 2**64 + 4096], "data_offsets of two integers"), ("one", "type", [0], "data_offsets of two integers"),
            ("three", "type", [0, 1, 2], "data_offsets of two integers"), ("text", "type", ["0", "4096"], "data_offsets of two integers"),
            ("overlap", "range", [0, 4096], "where the tensor before it ends"), ("nested", "type", [[0], [1]], "data_offsets of two integers|levels deep"),
            ("wrong-size", "range", [33536, 33540], "4096 bytes of F32")):
        yield folder("offsets-" + name, kind, rf"q_proj.*({says})|{says}", entry(data_offsets=offsets))

    def gap(header):
        del header["model.layers.0.self_attn.k_proj.weight"]
    yield folder("gap", "range", "where the tensor before it ends", changed(gap))

    def unsorted(header):  # allowed: the header's order is of no meaning
        header["model.norm.weight"] = dict(header.pop("model.norm.weight"), shape=[DIM, 1, 1, 1, 1, 1, 1, 1, 1])
    yield folder("dimensions-nine-and-unsorted", "dimensions", "at most 8 dimensions", changed(unsorted))


def shape_cases():
    for name, kind, shape, says in (
            ("32-bits-squared", "wrap", [2**32, 2**32], "overflow"), ("product-wraps-to-1024", "wrap", [2**62, 4, 256], "overflow"),
            ("62-bits", "wrap", [2**61, 2], "whole bytes, below"), ("minus-1", "dimensions", [-1, 32], "dimensions from 0"),
            ("2-to-63", "dimensions", [2**63], "dimensions from 0"), ("floats", "type", [32.0, 32.0], "dimensions from 0"),
            ("text", "type", "32x32", "a shape for"), ("zero", "sizes", [0, 2**62], "0 bytes of F32"),
            ("other", "sizes", [16, 32], "2048 bytes of F32"), ("nine", "dimensions", [1] * 9, "at most 8 dimensions"),
            ("a-million", "dimensions", [1] * 1_000_000, "at most 8 dimensions"), ("null", "type", None, "a shape for")):
        yield folder("shape-" + name, kind, rf"q_proj.*({says})|{says}", entry(shape=shape))
    for name, dtype, says in (("number", 7, "a dtype for"), ("none", None, "a dtype for"), ("long", "F" * 1000, "a dtype for"),
                              ("wider", "F64", "8192 bytes of F64")):
        yield folder("dtype-" + name, "type", says, entry(dtype=dtype))
    for dtype in ("I32", "F3"):
        yield folder("dtype-" + dtype, "type", f"a type that emelex has, got '{dtype}'", entry(dtype=dtype), commands=MODEL_ALONE)
    yield folder("shape-transposed", "sizes", "'blk.0.attn_q.weight' of shape", entry(shape=[64, 16]), commands=MODEL_ALONE)

    def missing(header):
        header["model.other.weight"] = header.pop("model.layers.0.mlp.up_proj.weight")
    yield folder("tensor-missing", "sizes", "no such tensor", changed(missing), commands=MODEL_ALONE)


def json_cases():
    nested = b'{"a":' * 1_000_000
    lists = b"[" * 1_000_000
    whole = json.dumps(tiny_header()[0]).encode()
    header_texts = {
        "deep": nested, "deep-lists": b'{"a":' + lists, "list": b"[1]", "text": b'"abc"', "two": b"{}{}", "unfinished": whole[:-1],
        "key-twice": whole[:-1] + b', "model.norm.weight": {"dtype":"F32","shape":[32],"data_offsets":[0,128]}}',
        "member-twice": b'{"a":{"dtype":"F32","dtype":"F16","shape":[0],"data_offsets":[0,0]}}',
        "zero-byte": whole + b"\0", "invalid-utf8": b'{"\xff\xfe": 1}', "lone-surrogate": b'{"\\ud800": 1}',
        "not-a-number": b'{"a": NaN}', "huge-number": b'{"a": 1' + b"0" * 1_000_000 + b"}", "infinity": b'{"a": 1e999}',
        "many-values": b'{"a":[' + b"0," * 4_500_000 + b"0]}", "many-objects": b"{" + b",".join(b'"%d":{}' % i for i in range(1_000_000)) + b"}",
        "metadata-numbers": b'{"__metadata__": {"a": 1}}',
        "comment": b"{/**/}", "long-name": b'{"' + b"n" * 1000 + b'": {"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        "entry-is-null": b'{"a": null}', "name-with-escape": b'{"\\u001b[2J\\n": 1}'}
    for name, header in header_texts.items():
        yield folder("header-" + name, "json", r"\[safetensors\] expected", raw(header, b""))
    text = json.dumps(CONFIG).encode()
    for name, config in {
            "empty": b"", "deep": nested, "deep-lists": b'{"a":' + lists, "list": b"[]", "unfinished": text[:-1], "two": text + text,
            "key-twice": text[:-1] + b', "hidden_size": "x"}', "zero-byte": text + b"\0", "byte-order-mark": b"\xff\xfe" + text,
            "huge-number": b'{"hidden_size": 1' + b"0" * 1_000_000 + b"}", "many-values": b"[" + b"0," * 1_500_000 + b"0]",
            "large": text[:-1] + b" " * (17 << 20) + b"}", "lfs-pointer": POINTER, "nan": b'{"hidden_size": NaN}'}.items():
        yield folder("config-" + name, "json", r"config\.json", config=config)


def config_cases():
    for key, values in (("hidden_size", (0, -1, 2**32 + DIM, 2**63, 1.5, "32", [], 64)), ("num_attention_heads", (0, -1, 2**40, "2", 3)),
                        ("num_hidden_layers", (0, -1, 2, 2**32 + 1, 2**64, True)), ("num_key_value_heads", (0, -1, 3, 2**32 + 1)),
                        ("intermediate_size", (0, -1, 2**32 + HIDDEN, 32)), ("vocab_size", (0, -1, 259, 2**32 + len(TOKENS))),
                        ("head_dim", (0, -16, 4097, 2**32 + 16, 8)), ("max_position_embeddings", (0, -1, 2**41)),
                        ("rms_norm_eps", (0, -1e-5, 1e999, "1")), ("rope_theta", (0, -1, 1e999, "1")), ("model_type", ("none\x1b[2Jsuch", 7)),
                        ("tie_word_embeddings", ("yes", 1)), ("eos_token_id", (-1, 2**63, [-1], ["a"], 1.5)), ("bos_token_id", (-1, 2**63, "1")),
                        ("rope_scaling", (7, {"rope_type": "none such"}, {"type": "linear"}, {"type": "linear", "factor": 0},
                                          {"type": "linear", "factor": 1e999}, {"rope_type": "llama3", "factor": 8}))):
        for i, value in enumerate(values):
            config = dict(CONFIG, **{key: value})
            kind = "dimensions" if isinstance(value, int) and value > 2**31 else "sizes"
            yield folder(f"config-{key}-{i}", kind, rf"{key}|blk\.0|token_embd|rope|head", config=config)
    for key in ("model_type", "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"):
        config = dict(CONFIG)
        del config[key]
        yield folder(f"config-{key}-missing", "sizes", f"'{key}'", config=config)
    untied = dict(CONFIG, tie_word_embeddings=False)
    yield folder("config-untied", "sizes", "lm_head.weight", config=untied)
    yield folder("config-quantized", "format", "quant_method", config=dict(CONFIG, quantization_config={"quant_method": "gptq"}))
    missing = folder("config-missing", "sizes", "config.json")
    del missing.files["config.json"]
    yield missing


SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def sharded(name, kind, says, change=None, text=None):
    """The tiny model in two files, with an index that `change` may spoil, or `text` in its place."""
    names = list(SHAPES)
    files, places = {"config.json": json.dumps(CONFIG).encode()}, {}
    for shard, part in zip(SHARDS, (names[:5], names[5:])):
        header, n = tiny_header(part)
        files[shard] = raw(header, data(n))
        places.update(dict.fromkeys(part, shard))
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    if change is not None:
        change(index, files)
    files["model.safetensors.index.json"] = json.dumps(index).encode() if text is None else text
    return Case("index-" + name, kind, files, says, open=SHARDS[0], commands=("run",))


def index_cases():
    for i, path in enumerate(("../outside.safetensors", "/etc/passwd", "/tmp/x.safetensors", "..", "", ".hidden.safetensors", "a/b.safetensors",
                              "..\\outside.safetensors", "C:x.safetensors", "a\0b.safetensors", "x" * 300 + ".safetensors", "passwd")):
        def change(index, _, path=path):
            index["weight_map"]["model.norm.weight"] = path
        yield sharded(f"path-{i}", "folder", r"'model.norm.weight', got|\.safetensors file beside it", change)

    def other(_, files):
        header, n = tiny_header(list(SHAPES)[5:] + list(SHAPES)[:1])
        files[SHARDS[1]] = raw(header, data(n))
    yield sharded("other-values", "split", f"{list(SHAPES)[0]}.*another one in", other)

    def gone(index, files):
        index["weight_map"]["x"] = "model-00003-of-00002.safetensors"
    yield sharded("missing-file", "split", "download it too", gone)

    def pointer(_, files):
        files[SHARDS[1]] = POINTER
    yield sharded("lfs-pointer", "format", "Git LFS pointer.*00002-of-00002", pointer)
    for name, text in {"empty": b"", "list": b"[]", "no-map": b"{}", "map-is-list": b'{"weight_map": []}', "number": b'{"weight_map": {"t": 1}}',
                       "deep": b'{"weight_map":' + b'{"a":' * 1_000_000, "twice": b'{"weight_map": {"t": "a.safetensors", "t": "b.safetensors"}}',
                       "unfinished": b'{"weight_map": {', "zero-byte": b"{}\0", "many": b'{"a": [' + b"0," * 2_500_000 + b"0]}"}.items():
        yield sharded(name, "json", r"model\.safetensors\.index\.json", text=text)


def cases():
    for group in (file_cases, offset_cases, shape_cases, json_cases, config_cases, index_cases):
        yield from group()
