"""Compares emelex's logits with transformers' for every family of models, and from GGUF with llama.cpp's.

    families_check.py LOGITS_TOOL EMELEX [SEED [NAME…]]

Tiny random models (family_models.py) are made by transformers. The reference is transformers in float32. With float32 activations
emelex must agree with it to 1e-3 (largest difference over largest magnitude), on its own kernels and on MLX's; the prompt computed
at once, in chunks, and token by token. With another value for a flag the logits must be others. Then llama.cpp's converter makes a
GGUF file, from which emelex must give llama.cpp's logits, and the reference's where llama.cpp computes the same model; and every
matrix is rounded to MLX's 4 bits, against transformers with the same rounded weights. Last, the folders that `emelex quantize --mlx` and
mlx-lm's converter make of it, against mlx-lm.
Without SEED the models differ with every run.
"""

import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", TRANSFORMERS_VERBOSITY="error")

import numpy as np
import torch

import family_models
import llama_converter
from logits_files import run_logits

LIMIT = 1e-3
FLAG_DIFFERENCE = 1e-2
ROUNDING = 0.2  # to 4 bits, of the largest weight; other weights would be off by all of it
CHUNKS = {"float": [512, 7, 1], "mlx": [512, 1]}


def llama_limit(case):
    # llama.cpp's GELU is a table in float16, whose error attention makes larger; with transformers the limit stays.
    return 2e-2 if case.name.startswith(("gemma", "phi2")) else LIMIT


def difference(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def set_flag(config, key, value):
    """Another value for "key" or "key.key"."""
    *outer, last = key.split(".")
    place = config
    for name in outer:
        place = place[name]
    assert place.get(last, "nothing") != value, f"{key} is {value} already"
    place[last] = value


def with_flag(folder, key, value):
    """Changes config.json, whose text before that is given back."""
    path = Path(folder) / "config.json"
    text = path.read_text()
    config = json.loads(text)
    set_flag(config, key, value)
    path.write_text(json.dumps(config))
    return text


def sharpness(model, ids):
    """The mean of the largest weight that attention gives, over the later half of the positions."""
    weights = model(torch.tensor([ids]), output_attentions=True).attentions
    return float(torch.stack([layer[0, :, len(ids) // 2 :].amax(-1).mean() for layer in weights]).mean())


def check_crossing(case, tool, model, folder, ids):
    """Tokens generated across the border of LongRoPE's lists, where transformers computes everything anew."""
    start, count = case.crossing - 20, 40
    expected = model.generate(torch.tensor([ids[:start]]), max_new_tokens=count, do_sample=False, eos_token_id=None)[0, start:].tolist()
    return [f"{kernels} generates other tokens past the border of {case.crossing}" for kernels in CHUNKS
            if run_logits(tool, folder, [ids[:start]], kernels, greedy=count, context=case.context)[0] != expected]  # fmt: skip


def check_flags(case, tool, folder, ids, expected):
    failures = []
    for key, value in case.flags.items():
        before = with_flag(folder, key, value)
        try:
            found = run_logits(tool, folder, [ids], "float", context=case.context)[0]
            changed = difference(found, expected)
        except subprocess.CalledProcessError:
            changed = float("inf")  # refused, so it was read
        (Path(folder) / "config.json").write_text(before)
        if not changed > FLAG_DIFFERENCE:
            failures.append(f"{key} = {value} changes the logits by {changed:.1e} alone")
    return failures


def experts_joined(weights):
    """Experts' matrices as mlx-lm has them, all of a layer in one."""
    import mlx.core as mx
    from mlx_lm.models import gpt_oss

    if any("gate_up_proj_blocks" in name for name in weights):
        return gpt_oss.Model.sanitize(None, weights)
    joined = {}
    for name in list(weights):
        layer, _, rest = name.partition(".experts.")
        if not rest.startswith("0."):
            continue
        part = rest.removeprefix("0.")
        n = sum(other.startswith(f"{layer}.experts.") and other.endswith(f".{part}") for other in weights)
        all_of_layer = [weights.pop(f"{layer}.experts.{i}.{part}") for i in range(n)]
        joined[f"{layer}.switch_mlp.{family_models.PROJECTIONS.get(part, part)}"] = mx.stack(all_of_layer)
    return weights | joined


def check_mlx(case, tool, model, folder, ids):
    """Every matrix rounded to MLX's 4 bits; the reference is transformers with the rounded weights."""
    import mlx.core as mx

    path = Path(folder) / "model.safetensors"
    weights = {}
    quantization = {"group_size": 32, "bits": 4}
    for name, values in experts_joined(mx.load(str(path))).items():
        if name.endswith(".scales"):
            quantization[name.removesuffix(".scales")] = {"group_size": 32, "bits": 4, "mode": "mxfp4"}
        pictures = name.startswith(("vision_tower.", "multi_modal_projector."))
        if pictures or not name.endswith("weight") or values.ndim < 2 or values.shape[-1] % 32 != 0 or values.dtype == mx.uint32:
            weights[name] = values
            continue
        base = name.removesuffix("weight")
        packed = mx.quantize(values, group_size=32, bits=4)
        weights |= {name: packed[0], base + "scales": packed[1], base + "biases": packed[2]}
        rounded = mx.dequantize(*packed, group_size=32, bits=4)
        family_models.set_parameter(model, name, torch.from_numpy(np.array(rounded)))
    target = Path(folder) / "mlx"
    target.mkdir()
    mx.save_safetensors(str(target / path.name), weights, metadata={"format": "mlx"})
    config = json.loads((Path(folder) / "config.json").read_text()) | {"quantization": quantization}
    config.pop("quantization_config", None)
    (target / "config.json").write_text(json.dumps(config))
    expected = model(torch.tensor([ids])).logits[0].numpy()
    words, failures = ["MLX 4-bit"], []
    for kernels in CHUNKS:
        found = run_logits(tool, target, [ids], kernels, context=case.context)[0]
        words.append(f"{kernels} {difference(found, expected):.1e}")
        if not difference(found, expected) <= LIMIT:
            failures.append(f"MLX-quantized, {kernels} is off")
    return words, failures


def for_mlx_lm(case, config):
    """config.json with what mlx-lm reads at the places where it looks for it; transformers now has RoPE's in one object."""
    for key, value in case.mlx_lm_keys.items():
        set_flag(config, key, value)
    if "text_config" in config:  # its Gemma 3 has the size of the vocabulary outside
        for_mlx_lm(case, config["text_config"])
        return config | {"vocab_size": case.vocab_size}
    if "num_local_experts" in config:  # which Qwen's own files call so
        config["num_experts"] = config["num_local_experts"]
    if config.get("head_dim") is None:
        config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]
    rope = config.get("rope_parameters", {})
    if "full_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    config["rope_theta"] = rope.get("rope_theta")
    config["partial_rotary_factor"] = rope.get("partial_rotary_factor", 1.0)
    kind = rope.get("rope_type", "default")
    if kind != "default":
        config["rope_scaling"] = {**rope, "type": kind}
    if kind == "longrope" and case.length <= rope["original_max_position_embeddings"]:
        config["rope_scaling"]["long_factor"] = rope["short_factor"]  # it has no other list than the longer one
    return config


def folder_by_emelex(case, emelex, folder):
    target = Path(folder) / "mlx-by-emelex"
    command = [emelex, "quantize", folder, target, "--mlx", "--bits", "4", "--group-size", "32"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    path = target / "config.json"
    path.write_text(json.dumps(for_mlx_lm(case, json.loads(path.read_text()))))
    return target


def loaded_by_mlx_lm(case, folder):
    """The model as it was, and its config."""
    from mlx_lm.utils import load_model

    config = for_mlx_lm(case, json.loads((Path(folder) / "config.json").read_text()))
    return load_model(Path(folder), model_config=config)


def folder_by_mlx_lm(case, folder):
    """What mlx_lm.convert does, which would also want a tokenizer."""
    import mlx.core as mx
    from mlx_lm.utils import quantize_model, save_config, save_model

    target = Path(folder) / "mlx-by-mlx-lm"
    model, config = loaded_by_mlx_lm(case, folder)
    model.set_dtype(mx.bfloat16)
    with contextlib.redirect_stdout(io.StringIO()):
        model, config = quantize_model(model, config, 32, 4)
    save_model(target, model)
    save_config(config, target / "config.json")
    return target


def rounding(found, model):
    """The largest error of a rounded model's tensor, over its largest magnitude."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.utils import dequantize_model

    def plain(some):
        return {name: np.array(values.astype(mx.float32)) for name, values in tree_flatten(dequantize_model(some).parameters())}

    before, after = plain(model), plain(found)
    assert before.keys() == after.keys()
    return max(difference(after[name], values) for name, values in before.items())


def check_mlx_lm(case, tool, emelex, folder, ids):
    """Folders for mlx-lm, made by emelex and by mlx-lm: of both emelex's logits are mlx-lm's, all that is not rounded in float32."""
    import mlx.core as mx
    from mlx_lm.utils import load_model

    folders = {"emelex": folder_by_emelex(case, emelex, folder)}
    if not case.plain:  # mlx-lm reads gpt-oss's experts in MXFP4 alone
        folders["mlx-lm"] = folder_by_mlx_lm(case, folder)
    ids = ids[: case.mlx_lm or case.length]
    words, failures = [], []
    for maker, target in folders.items():
        model, _ = load_model(target)
        model.set_dtype(mx.float32)
        theirs = np.array(model(mx.array([ids]))[0])
        words.append(f"mlx-lm of {maker}'s")
        for kernels in CHUNKS:
            found = difference(run_logits(tool, target, [ids], kernels, context=case.context)[0], theirs)
            words.append(f"{kernels} {found:.1e}")
            if not found <= LIMIT:
                failures.append(f"{kernels}: of {maker}'s folder for mlx-lm the logits are not mlx-lm's")
        if maker == "emelex" and not case.plain and not rounding(model, loaded_by_mlx_lm(case, folder)[0]) <= ROUNDING:
            failures.append("the folder for mlx-lm has other weights than the model")
    return words, failures


def llama_logits(path, ids, context):
    import llama_cpp

    model = llama_cpp.Llama(str(path), n_ctx=context, n_batch=context, logits_all=True, verbose=False, n_threads=1,
                            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)  # fmt: skip
    model.eval(ids)
    return model.scores[: len(ids)].copy()


def requantized(path, name, file_type):
    """The file in another type, by llama.cpp."""
    import llama_cpp
    from llama_cpp._logger import set_verbose

    set_verbose(False)
    target = path.with_name(f"{name}.gguf")
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype, parameters.allow_requantize = 1, file_type, True
    assert llama_cpp.llama_model_quantize(str(path).encode(), str(target).encode(), parameters) == 0
    return target


def check_gguf(case, tool, conversion, folder, ids, expected):
    path = llama_converter.convert(conversion, folder, Path(folder) / "model.gguf")
    # llama.cpp rounds activations where weights are rounded: it gets rounded weights as float32.
    theirs = llama_logits(requantized(path, "unrounded", 0) if case.mxfp4 else path, ids, case.context)
    ours = run_logits(tool, path, [ids], "float", context=case.context)[0]
    words, failures = [], []
    if case.gguf != "theirs":
        words.append(f"GGUF {difference(ours, expected):.1e}")
        if not difference(ours, expected) <= LIMIT:
            failures.append("from GGUF the logits are not the reference's")
    if case.gguf != "ours":
        words.append(f"llama.cpp {difference(ours, theirs):.1e}")
        if not difference(ours, theirs) <= llama_limit(case):
            failures.append("from GGUF the logits are not llama.cpp's")
        path = requantized(path, "q8_0", 7)
        theirs = llama_logits(requantized(path, "widened", 0), ids, case.context)
        rounded = difference(run_logits(tool, path, [ids], "float", context=case.context)[0], theirs)
        words.append(f"Q8_0 {rounded:.1e}")
        if not rounded <= llama_limit(case):
            failures.append("from Q8_0 the logits are not llama.cpp's")
    return words, failures


def check(case, tool, emelex, conversion, seed):
    rng = random.Random(seed)
    ids = [rng.randrange(3, case.vocab_size - 4) for _ in range(case.length)]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        model = family_models.make(case, folder, seed)
        expected = model(torch.tensor([ids])).logits[0].numpy()
        words, failures = [f"{case.name:20} sharpness {sharpness(model, ids):.2f}"], []
        for kernels, chunks in CHUNKS.items():
            for chunk in chunks:
                if case.length > 600 and chunk < 7:
                    continue
                found = run_logits(tool, folder, [ids], kernels, chunk, context=case.context)[0]
                words.append(f"{kernels}/{chunk} {difference(found, expected):.1e}")
                if not difference(found, expected) <= LIMIT:
                    failures.append(f"{kernels} in chunks of {chunk} is off")
        failures += check_flags(case, tool, folder, ids, expected)
        if case.crossing > 0:
            failures += check_crossing(case, tool, model, folder, ids)
        gguf = check_gguf(case, tool, conversion, folder, ids, expected) if case.gguf != "none" else ([], [])
        mlx = ([], []) if case.plain else check_mlx(case, tool, model, folder, ids)
        mlx_lm = check_mlx_lm(case, tool, emelex, folder, ids)
        for more in (gguf, mlx, mlx_lm):
            words += more[0]
            failures += more[1]
    print("  ".join(words), flush=True)
    for failure in failures:
        print(f"FAILED: {case.name}: {failure}", flush=True)
    return len(failures)


def main():
    tool, emelex = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    names = sys.argv[4:]
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        conversion = llama_converter.load(folder)
        cases = [c for c in family_models.cases() if not names or any(c.name.startswith(n) for n in names)]
        failures = sum(check(case, tool, emelex, conversion, seed + i) for i, case in enumerate(cases))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
