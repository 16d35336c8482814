"""Folders of MLX-quantized weights whose config.json and tensors contradict each other."""

import json

from case import Case
from gguf_builder import DIM, TOKENS
from safetensors_cases import CONFIG, MODEL_ALONE, SHAPES, raw

NAME = "model.embed_tokens"
FORMAT = {"group_size": 32, "bits": 4}


def tensors(bits=4, group=32, scales="F16", biases=True):
    """(name, dtype, shape, bytes of a value) of the tiny model with a quantized embedding."""
    rows = len(TOKENS)
    result = [(NAME + ".weight", "U32", [rows, DIM * bits // 32], 4), (NAME + ".scales", scales, [rows, DIM // group], 1 if scales == "U8" else 2)]
    if biases:
        result.append((NAME + ".biases", scales, [rows, DIM // group], 2))
    return result + [(name, "F32", shape, 4) for name, shape in SHAPES.items() if name != NAME + ".weight"]


def file_of(entries):
    header, at = {}, 0
    for name, dtype, shape, value_bytes in entries:
        size = value_bytes
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return raw(header, b"\x31" * at)


def folder(name, kind, says, quantization=None, entries=None, key="quantization", **options):
    config = dict(CONFIG)
    if quantization is not False:
        config[key] = FORMAT if quantization is None else quantization
    files = {"config.json": json.dumps(config).encode(), "model.safetensors": file_of(tensors() if entries is None else entries)}
    return Case("mlx-" + name, kind, files, says, open="model.safetensors", commands=MODEL_ALONE, **options)


def changed(suffix, dtype=None, shape=None, value_bytes=None):
    return [(name, dtype or was, shape or dimensions, value_bytes or size) if name == NAME + suffix else (name, was, dimensions, size)
            for name, was, dimensions, size in tensors()]


def cases():
    for i, value in enumerate((0, -1, 7, 63, 2**31, 2**32 + 4, 2**63, 2**64 + 4, 4.5, "4", [], True)):
        kind = "dimensions" if isinstance(value, int) and value > 2**31 else "sizes"
        yield folder(f"bits-{i}", kind, "quantization", dict(FORMAT, bits=value))
        yield folder(f"group-{i}", kind, "quantization|whole groups", dict(FORMAT, group_size=value))
        yield folder(f"module-bits-{i}", kind, "quantization", {**FORMAT, NAME: {"bits": value, "group_size": 32}})
    for i, value in enumerate(("none\x1b[2Jsuch", "", 7, "AFFINE")):
        yield folder(f"mode-{i}", "format", r"quantization\.mode", dict(FORMAT, mode=value))
    for i, value in enumerate((7, [], "affine", True)):
        yield folder(f"quantization-{i}", "type", "'quantization'", value)
    yield folder("unknown-method", "format", "quant_method", {"quant_method": "awq", "bits": 4}, key="quantization_config")
    yield folder("not-said", "sizes", "'quantization', which says", False)
    yield folder("plain-by-config", "sizes", "to be plain", {**FORMAT, NAME: False})
    # What the configuration says of a module by its name counts; of the others bits and groups follow from the shapes.
    for label, own in (("bits", {"bits": 8}), ("group", {"group_size": 64}), ("mode", {"mode": "mxfp4"})):
        yield folder(f"other-{label}", "sizes", "scales' of shape|whole groups|no biases|U8 for", {**FORMAT, NAME: {**FORMAT, **own}})
    rows = len(TOKENS)
    for label, kind, suffix, shape in (("scales-short", "range", ".scales", [rows - 1, 1]), ("scales-wide", "range", ".scales", [rows, 2]),
                                       ("biases-short", "range", ".biases", [1, 1]), ("scales-flat", "dimensions", ".scales", [rows]),
                                       ("weight-flat", "dimensions", ".weight", [rows * 4]), ("scales-empty", "range", ".scales", [0, 1]),
                                       ("weight-empty", "range", ".weight", [rows, 0]), ("weight-wide", "range", ".weight", [rows, 7]),
                                       ("weight-4d", "dimensions", ".weight", [rows, 1, 1, 4])):
        yield folder(label, kind, r"embed_tokens|token_embd", entries=changed(suffix, shape=shape))
    for label, suffix, dtype, size in (("scales-of-integers", ".scales", "I16", 2), ("scales-of-bytes", ".scales", "U8", 1),
                                       ("biases-of-another", ".biases", "BF16", 2), ("weight-signed", ".weight", "I32", 4),
                                       ("weight-floats", ".weight", "F32", 4)):
        yield folder(label, "type", r"embed_tokens|token_embd", entries=changed(suffix, dtype=dtype, value_bytes=size))
    for suffix in (".scales", ".biases", ".weight"):
        yield folder(f"without{suffix.replace('.', '-')}", "vocabulary" if suffix == ".weight" else "range", r"embed_tokens|token_embd",
                     entries=[entry for entry in tensors() if entry[0] != NAME + suffix])
