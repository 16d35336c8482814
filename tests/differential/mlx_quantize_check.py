"""Checks the folders that `emelex quantize --mlx` writes, and the GGUF files that it makes of folders.

    mlx_quantize_check.py EMELEX LOGITS_TOOL [MODEL.gguf]

- mlx-lm opens a folder made of the demo model. With its numbers widened to float32 its logits are those of emelex's float
  backend, its tokenizer gives emelex's ids, and its greedy text is ours up to a near tie.
- No matrix errs more than mx.quantize's of the same numbers does.
- A folder that transformers wrote becomes a GGUF file whose logits in llama.cpp are transformers' own.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1")

import gguf
import llama_cpp
import mlx.core as mx
import numpy as np
import torch
import transformers
from mlx_lm import load

from logits_files import run_logits

PROMPTS = ["The capital of France is", "def fibonacci(n):\n", "Der Himmel ist blau, weil", "  1234 \n\n\tété 日本語 🙂"]
CHAT = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <|endoftext|><|im_end|>\n"
GREEDY_TOKENS = 24
FORMATS = [(4, 64), (8, 32)]


def quantize(emelex, source, target, *arguments):
    command = [emelex, "quantize", source, target, "--requantize", "--force", *map(str, arguments)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return target


def ids_of(emelex, model, text, *arguments):
    found = subprocess.run([emelex, "tokenize", model, "--ids", *arguments], input=text.encode(), capture_output=True, check=True)
    return [int(line) for line in found.stdout.split()]


def relative(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def widened(path):
    """mlx-lm's model with every plain number, scale and bias in float32, which holds them exactly."""
    model, tokenizer = load(str(path))
    model.set_dtype(mx.float32, predicate=lambda dtype: mx.issubdtype(dtype, mx.floating))
    mx.eval(model.parameters())
    return model, tokenizer


def check_folder(emelex, tool, source, folder, bits, group_size, failures):
    path = quantize(emelex, source, folder / f"mlx{bits}", "--mlx", "--bits", bits, "--group-size", group_size)
    model, tokenizer = widened(path)
    lists = [ids_of(emelex, path, text) for text in PROMPTS]
    if lists != [tokenizer.encode(text, add_special_tokens=False) for text in PROMPTS]:
        failures.append(f"{bits} bits: other tokens")
    if ids_of(emelex, path, CHAT, "--special") != tokenizer.encode(CHAT, add_special_tokens=False):
        failures.append(f"{bits} bits: other special tokens")
    if tokenizer.eos_token_id != 2 or tokenizer.bos_token_id != 1:
        failures.append(f"{bits} bits: texts begin or end with other tokens")
    generated = run_logits(tool, path, lists, "float", 512, GREEDY_TOKENS)
    texts = [ids + more for ids, more in zip(lists, generated, strict=True)]
    ours = run_logits(tool, path, texts, "float")
    errors, equal, margins = [], 0, [0.0]
    for ids, text, found in zip(lists, texts, ours, strict=True):
        logits = np.array(model(mx.array([text]))[0].astype(mx.float32))
        errors.append(relative(found, logits))
        steps = logits[len(ids) - 1 : -1]
        margin = steps.max(axis=-1) - steps[np.arange(GREEDY_TOKENS), text[len(ids) :]]
        equal += not margin.any()
        margins.append(float(margin.max()))
    print(f"{bits} bits, groups of {group_size}: relative L2 to mlx-lm {max(errors):.2e}, "
          f"{equal} of {len(texts)} greedy texts equal, largest margin {max(margins):.1e}")  # fmt: skip
    if max(errors) > 1e-4 or max(margins) > 1e-3:
        failures.append(f"{bits} bits: mlx-lm computes something else")
    check_errors(source, path, bits, group_size, failures)


def check_errors(source, path, bits, group_size, failures):
    """Our squared errors beside those of mx.quantize, over matrices whose rows keep GGUF's order."""
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    weights = mx.load(str(path / "model.safetensors"))
    ratios = []
    for layer in (0, 7, 15, 29):
        for name, module in (("ffn_down", "mlp.down_proj"), ("ffn_gate", "mlp.gate_proj"), ("attn_v", "self_attn.v_proj")):
            tensor = tensors[f"blk.{layer}.{name}.weight"]
            values = mx.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
            base = f"model.layers.{layer}.{module}"
            parts = {p: weights[f"{base}.{p}"] for p in ("weight", "scales", "biases")}
            mlx_parts = mx.quantize(values.astype(mx.float16), group_size, bits)
            errors = []
            for weight, scales, biases in (parts.values(), mlx_parts):
                back = mx.dequantize(
                    weight, scales.astype(mx.float32), biases.astype(mx.float32), group_size=group_size, bits=bits
                )
                errors.append(float(mx.sqrt(mx.mean((back - values) ** 2))))
            ratios.append(errors[0] / errors[1])
    print(f"  root mean square error {min(ratios):.3f} to {max(ratios):.3f} of mx.quantize's")
    if max(ratios) > 1:
        failures.append(f"{bits} bits: larger errors than mx.quantize's")


def check_from_folder(emelex, tool, tokenizer_folder, folder, failures):
    """A tiny Llama by transformers → GGUF → llama.cpp."""
    torch.manual_seed(3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    config = transformers.LlamaConfig(
        vocab_size=49152, hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
        rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                             high_freq_factor=4.0, original_max_position_embeddings=8192),
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).float().eval()
    for parameter in model.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=2.0 / parameter.shape[1] ** 0.5)
    source = folder / "hf"
    model.save_pretrained(source)
    tokenizer.save_pretrained(source)
    target = quantize(emelex, source, folder / "from-hf.gguf", "--type", "f32")
    exact = dict(type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)  # else keys and values are float16
    llama = llama_cpp.Llama(str(target), n_ctx=256, logits_all=True, verbose=False, **exact)
    errors = []
    for text in PROMPTS + [Path(__file__).read_text()[:600]]:
        ids = tokenizer.encode(text, add_special_tokens=False)
        if llama.tokenize(text.encode(), add_bos=False) != ids or ids_of(emelex, source, text) != ids:
            failures.append(f"from a folder: other tokens for {text!r}")
        llama.reset()
        llama.eval(ids)
        with torch.inference_mode():
            expected = model(torch.tensor([ids])).logits[0].numpy()
        found = [llama.scores[: len(ids)]] + [run_logits(tool, path, [ids], "float")[0] for path in (source, target)]
        errors.append([relative(logits, expected) for logits in found])
    worst = np.max(errors, axis=0)
    print(f"folder → GGUF: relative L2 to transformers' logits: llama.cpp {worst[0]:.2e}, "
          f"emelex with the folder {worst[1]:.2e}, with the file {worst[2]:.2e}")  # fmt: skip
    if worst[0] > 1e-3 or max(worst[1:]) > 1e-5:
        failures.append("from a folder: other logits")


def main():
    emelex, tool = sys.argv[1:3]
    root = Path(__file__).resolve().parents[2]
    source = Path(sys.argv[3]) if len(sys.argv) > 3 else root / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    mx.set_default_device(mx.cpu)
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for bits, group_size in FORMATS:
            check_folder(emelex, tool, source, folder, bits, group_size, failures)
        check_from_folder(emelex, tool, folder / "mlx4", folder, failures)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
