"""Compares emelex's logits on MLX-quantized folders with mlx-lm's, which makes the folders.

    mlx_folder_check.py LOGITS_TOOL [SEED]

A small random Llama is quantized by mlx-lm in every mode and number of bits, with layers of their own and in several
files among them. The reference is mlx-lm reading the folder, computing in float32 on the CPU. With float32 activations,
on emelex's kernels and on MLX's, emelex must agree with it to 1e-5 (relative L2). With rounded activations, the error is
bounded loosely: rows are short and weights random, so nothing averages out.
Without SEED the models differ with every run.
"""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models import llama
from mlx_lm.utils import load_model, quantize_model, save_config, save_model

LIMITS = {"float": 1e-5, "mlx": 1e-5, "fast": 3e-2}
CONFIG = {
    "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "intermediate_size": 640,
    "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 523,
    "max_position_embeddings": 512, "rope_theta": 10000.0, "tie_word_embeddings": False,
}


def mixed(path, module):
    """Formats of their own for some modules, and some that stay plain."""
    if path.endswith("o_proj"):
        return False
    if path.endswith("down_proj"):
        return {"bits": 8, "group_size": 32, "mode": "affine"}
    if path.endswith("v_proj"):
        return {"bits": 4, "group_size": 32, "mode": "mxfp4"}
    if path == "lm_head":
        return {"bits": 6}  # in groups of 64, MLX's own default, whatever holds for the others
    return True


# name, bits, group size, mode, type of the plain weights and the scales, options
CASES = [
    ("2 bits", 2, 32, "affine", mx.bfloat16, {}),
    ("2 bits", 2, 128, "affine", mx.float32, {}),
    ("3 bits", 3, 64, "affine", mx.float16, {}),
    ("4 bits", 4, 64, "affine", mx.bfloat16, {}),
    ("4 bits", 4, 64, "affine", mx.float16, {"tied": True}),
    ("4 bits", 4, 32, "affine", mx.float32, {"shards": True}),
    ("5 bits", 5, 64, "affine", mx.bfloat16, {}),
    ("6 bits", 6, 128, "affine", mx.float16, {"tied": True}),
    ("8 bits", 8, 64, "affine", mx.bfloat16, {}),
    ("mixed", 4, 128, "affine", mx.bfloat16, {"predicate": mixed}),
    ("mxfp4", 4, 32, "mxfp4", mx.bfloat16, {"tied": True}),
    ("mxfp8", 8, 32, "mxfp8", mx.bfloat16, {}),
    ("nvfp4", 4, 16, "nvfp4", mx.bfloat16, {"shards": True}),
]


def save_shards(folder, model):
    """As save_model, in two files; it would begin a second only after 5 GB."""
    weights = sorted(dict(tree_flatten(model.parameters())).items())
    index = {}
    for i in range(2):
        name = f"model-{i + 1:05d}-of-00002.safetensors"
        part = dict(weights[i::2])  # so that a module's tensors lie in both
        mx.save_safetensors(str(folder / name), part, metadata={"format": "mlx"})
        index |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def write_folder(folder, bits, group_size, mode, dtype, options):
    config = dict(CONFIG, tie_word_embeddings=options.get("tied", False))
    model = llama.Model(llama.ModelArgs.from_dict(config))
    model.set_dtype(dtype)
    model, config = quantize_model(model, config, group_size, bits, mode, quant_predicate=options.get("predicate"))
    if options.get("shards"):
        save_shards(folder, model)
    else:
        save_model(folder, model)
    save_config(config, folder / "config.json")
    if options.get("predicate"):  # mlx-lm notes what is quantized in a way of its own, and not what stays plain
        path = folder / "config.json"
        config = json.loads(path.read_text())
        config["quantization"]["model.layers.0.self_attn.o_proj"] = False
        path.write_text(json.dumps(config))


def reference_logits(folder, ids):
    model, _ = load_model(folder)
    model.set_dtype(mx.float32)
    return np.array(model(mx.array([ids]))[0].astype(mx.float32))


def emelex_logits(tool, kernels, folder, ids):
    with tempfile.TemporaryDirectory() as scratch:
        given, got = Path(scratch) / "lists", Path(scratch) / "got"
        given.write_bytes(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
        environment = dict(os.environ, EMELEX_KERNELS=kernels)
        subprocess.run([tool, folder, given, got], env=environment, check=True)
        return np.fromfile(got, dtype=np.float32).reshape(len(ids), -1)


def main():
    tool = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    mx.set_default_device(mx.cpu)
    mx.random.seed(seed)
    rng = random.Random(seed)
    failures = 0
    for name, bits, group_size, mode, dtype, options in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_folder(folder, bits, group_size, mode, dtype, options)
            ids = [rng.randrange(CONFIG["vocab_size"]) for _ in range(90)]
            expected = reference_logits(folder, ids)
            words = [f"{name:7} in groups of {group_size:<3} scales {str(dtype).split('.')[-1]:9}"]
            for kernels, limit in LIMITS.items():
                difference = emelex_logits(tool, kernels, folder, ids) - expected
                error = float(np.linalg.norm(difference) / np.linalg.norm(expected))
                words.append(f"{kernels} {error:.2e}")
                if not error <= limit:
                    words.append("FAILED")
                    failures += 1
            print("  ".join(words + [key for key in options if key != "predicate"]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
