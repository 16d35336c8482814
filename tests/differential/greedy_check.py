"""Greedy text of real models: emelex's is llama.cpp's, up to ties.

    greedy_check.py LOGITS_TOOL [MODEL…]

emelex writes TOKENS tokens after each prompt, by its float32 and its int8 kernels. llama.cpp then reads each text: every token has to be
its own first choice, or one so near to it that rounding decides. Without MODEL these are SmolLM2 135M (Q4_1) and Qwen2.5-Coder 0.5B
(Q4_K, Q5_0, Q6_K, Q8_0), which scripts/fetch-demo-model and scripts/fetch-peers-model get.
"""

import subprocess
import sys
from pathlib import Path

import llama_cpp
import numpy as np

from logits_files import run_logits

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 200
TIE = 0.3  # between two logits, each of which llama.cpp's rounding of activations to 8 bits moves by some 0.1

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PROMPTS = [CHAT.format("What is the capital of France, and what is it known for?"),
           CHAT.format("Write a Python function that returns the n-th prime number."),
           CHAT.format("Erkläre in drei Sätzen, warum der Himmel blau ist."),
           "Once upon a time there was a lighthouse keeper who",
           "def quicksort(items):\n    \"\"\"Sorts a list.\"\"\"\n",
           "The three laws of thermodynamics are:\n1.",
           "#include <vector>\n\n// Returns the largest element.\nint largest(const std::vector<int>& values) {\n",
           "东京是日本的首都，"]  # fmt: skip


class Llama:
    def __init__(self, path):
        self.model = llama_cpp.Llama(str(path), n_ctx=512, n_batch=512, logits_all=True, verbose=False,
                                     type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)  # fmt: skip

    def tokens(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return self.model.scores[: len(ids)].copy()


def check(tool, path):
    llama = Llama(path)
    prompts = [llama.tokens(text) for text in PROMPTS]
    good = True
    for kernels in ("float", "fast"):
        ours = run_logits(tool, path, prompts, kernels, 512, TOKENS)
        margins = []
        for ids, text in zip(prompts, ours, strict=True):
            logits = llama.logits(ids + text)[len(ids) - 1 : -1]
            margins.append(logits.max(axis=-1) - logits[np.arange(TOKENS), text])
        same = sum(not margin.any() for margin in margins)
        first = sum(int((margin == 0).sum()) for margin in margins)
        worst = max(float(margin.max()) for margin in margins)
        print(f"{path.name}, {kernels}: {same} of {len(prompts)} texts of {TOKENS} tokens are llama.cpp's; {first} of {len(prompts) * TOKENS} "
              f"tokens are its first choice, the others within {worst:.3f} of it (a tie is below {TIE})", flush=True)  # fmt: skip
        good = good and worst < TIE
    return good


def fetched(script):
    done = subprocess.run([ROOT / "scripts" / script], stdout=subprocess.PIPE, text=True, check=True)
    return ROOT / done.stdout.strip()


def main():
    models = [Path(name) for name in sys.argv[2:]] or [fetched("fetch-demo-model"), fetched("fetch-peers-model")]
    results = [check(sys.argv[1], path) for path in models]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
