"""Compares whole files of `emelex quantize` with those of llama.cpp's quantizer.

    quantize_model_check.py EMELEX LOGITS_TOOL [MODEL.gguf]

- Every mixture gives each tensor the type that llama.cpp gives it, and so the same size: on the demo model, whose rows of
  576 no block of 256 divides, and on made ones: shared heads and an output of its own, eight experts, eighty layers.
- No tensor's root mean square error is larger than llama.cpp's (by more than 0.1%).
- llama-cpp-python opens the files, and its greedy text is ours up to a near tie. It rounds activations to 8 bits, which
  moves its logits; the margin where a text leaves ours is set beside the root mean square of that.
- KL divergence from the float16 model orders as the bits do, on a model with heavy-tailed, correlated weights and rows of
  a multiple of 256. The demo model's are printed alone: its weights come from Q4_1, whose grid some types hit by chance.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

from logits_files import log_softmax, run_logits
from made_models import MADE_MODELS, write_made_model

FILE_TYPES = dict(
    f32=0, f16=1, bf16=32, q8_0=7, q6_k=18, q5_k_m=17, q5_k_s=16, q5_1=9, q5_0=8, q4_k_m=15, q4_k_s=14, q4_1=3, q4_0=2,
    iq4_nl=25, iq4_xs=30, q3_k_l=13, q3_k_m=12, q3_k_s=11, q2_k=10, tq2_0=37, tq1_0=36, mxfp4_moe=38,
)  # fmt: skip
IN_ORDER = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0"]
GREEDY = ["q8_0", "q6_k", "q5_k_m", "q4_k_m", "iq4_xs", "q4_0", "q3_k_m"]
GREEDY_TOKENS = 48
NEAR_TIE = 6  # root mean squares of the difference between llama.cpp's logits and ours
PROMPTS = ["The capital of France is", "def fibonacci(n):\n", "Der Himmel ist blau, weil", "Once upon a time there was"]


def ours(emelex, source, target, mixture):
    command = [emelex, "quantize", source, target, "--type", mixture, "--requantize", "--force"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return target


def theirs(source, target, mixture):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype, parameters.allow_requantize = 2, FILE_TYPES[mixture], True
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), parameters)
    assert status == 0, f"llama.cpp made no {mixture} of {source}"
    return target


def tensors_of(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def values_of(tensor):
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)


def check_types(emelex, source, folder):
    """Tensors of another type, over all mixtures; the files stay for what follows."""
    wrong = 0
    for mixture in FILE_TYPES:
        a = tensors_of(ours(emelex, source, folder / f"ours-{mixture}.gguf", mixture))
        b = tensors_of(theirs(source, folder / f"theirs-{mixture}.gguf", mixture))
        assert a.keys() == b.keys()
        other = [f"{n} {a[n].tensor_type.name} {b[n].tensor_type.name}" for n in a if a[n].tensor_type != b[n].tensor_type]
        sizes = [sum(int(t.n_bytes) for t in part.values()) for part in (a, b)]
        note = f"  OTHER TYPES: {other[:3]}" if other else ""
        print(f"  {mixture:10} {sizes[0]:12,} bytes, llama.cpp {sizes[1]:12,}{note}")
        wrong += len(other) + (sizes[0] != sizes[1])
    return wrong


def check_errors(source, folder):
    """The largest ratio of our root mean square error to llama.cpp's, tensor by tensor."""
    reference = {name: values_of(tensor) for name, tensor in tensors_of(source).items()}
    worst = 0.0
    for mixture in FILE_TYPES:
        a, b = (tensors_of(folder / f"{who}-{mixture}.gguf") for who in ("ours", "theirs"))
        ratios, sums = [], np.zeros(3)
        for name, values in reference.items():
            error = [float(((values_of(part[name]) - values) ** 2).sum()) for part in (a, b)]
            sums += (*error, float((values**2).sum()))
            ratios += [(error[0] / error[1]) ** 0.5 if error[1] > 0 else float(error[0] > 0)]
        relative = np.sqrt(sums[:2] / sums[2])
        worst = max(worst, *ratios)
        print(f"  {mixture:10} relative error {relative[0]:.3e}, llama.cpp {relative[1]:.3e}, "
              f"largest ratio of a tensor {max(ratios):.4f}")  # fmt: skip
    return worst


def check_greedy(tool, path):
    """How many texts are equal, and the largest margin at which llama.cpp's leaves ours, in its own errors."""
    model = llama_cpp.Llama(str(path), n_ctx=256, logits_all=True, verbose=False)
    prompts = [model.tokenize(text.encode(), add_bos=False) for text in PROMPTS]
    texts = [p + g for p, g in zip(prompts, run_logits(tool, path, prompts, "float", 512, GREEDY_TOKENS), strict=True)]
    largest, equal = 0.0, 0
    for prompt, text, exact in zip(prompts, texts, run_logits(tool, path, texts, "float"), strict=True):
        model.reset()
        model.eval(text)
        found = model.scores[: len(text)]
        error = float(((found - exact) ** 2).mean() ** 0.5)
        logits, generated = found[len(prompt) - 1 : -1], text[len(prompt) :]
        margin = logits.max(axis=-1) - logits[np.arange(GREEDY_TOKENS), generated]
        leaves = np.flatnonzero(margin > 0)
        equal += leaves.size == 0
        largest = max(largest, float(margin[leaves[0]]) / error) if leaves.size else largest
    return largest, equal


def divergence(tool, path, lists, reference):
    found = log_softmax(np.concatenate(run_logits(tool, path, lists, "float")))
    return float((np.exp(reference) * (reference - found)).sum(axis=-1).mean())


def check_order(name, tool, source, folder, lists):
    reference = log_softmax(np.concatenate(run_logits(tool, source, lists, "float")))
    found = []
    for mixture in IN_ORDER:
        found.append(divergence(tool, folder / f"ours-{mixture}.gguf", lists, reference))
        other = divergence(tool, folder / f"theirs-{mixture}.gguf", lists, reference)
        print(f"  {mixture:10} KL divergence {found[-1]:.3e} nats, of llama.cpp's file {other:.3e}")
    return name == "demo model" or all(a < b for a, b in zip(found, found[1:]))


def check_model(name, source, emelex, tool, folder, lists, failures):
    print(f"{name}: types and sizes")
    if check_types(emelex, source, folder):
        failures.append(f"{name}: other types or sizes")
    if lists is None:
        return
    print(f"{name}: errors")
    if check_errors(source, folder) > 1.001:
        failures.append(f"{name}: a tensor's error is larger than llama.cpp's")
    print(f"{name}: divergence")
    if not check_order(name, tool, source, folder, lists):
        failures.append(f"{name}: the divergences are out of order")


def main():
    emelex, tool = sys.argv[1:3]
    root = Path(__file__).resolve().parents[2]
    demo = Path(sys.argv[3]) if len(sys.argv) > 3 else root / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(4)
        source = ours(emelex, demo, folder / "demo-f16.gguf", "f16")
        llama = llama_cpp.Llama(str(source), vocab_only=True, verbose=False)
        texts = [Path(__file__).read_text()[:1500], (root / "README.md").read_text()[:1500]]
        lists = [llama.tokenize(text.encode(), add_bos=False)[:200] for text in texts]
        check_model("demo model", source, emelex, tool, folder, lists, failures)
        for mixture in GREEDY:
            margin, equal = check_greedy(tool, folder / f"ours-{mixture}.gguf")
            print(f"  {mixture:10} greedy: {equal} of {len(PROMPTS)} texts equal llama.cpp's, "
                  f"others leave at {margin:.1f} of its errors")  # fmt: skip
            if margin > NEAR_TIE:
                failures.append(f"{mixture}: llama.cpp's text differs")
        for name in MADE_MODELS:
            source = write_made_model(name, folder / "made.gguf", random)
            lists = [random.integers(2, 900, 160).tolist() for _ in range(2)] if name == "heavy tails" else None
            check_model(name, source, emelex, tool, folder, lists, failures)
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    sys.exit(main())
