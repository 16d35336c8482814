"""Greedy text of real models: emelex writes what an independent float32 computation of the same file would, up to ties.

    greedy_check.py LOGITS_TOOL [MODEL…] [--prompts N]

emelex writes TOKENS tokens after each prompt, by its float32 and its fast kernels, and so does llama.cpp. transformers then reads each
text in float32, with the file's weights dequantized: every token has to be its first choice, or one whose logit is so near to that of the
first choice that rounding decides. Without MODEL these are SmolLM2 135M (Q4_1) and Qwen2.5-Coder 0.5B (Q4_K, Q5_0, Q6_K, Q8_0), which
scripts/fetch-demo-model and scripts/fetch-peers-model get.

SmolLM2, all prompts (1,600 tokens): emelex's float32 kernels choose the reference's first choice each time. Its fast kernels do so 1,586
times, and the others are within 0.149 of it. llama.cpp does so 1,571 times, and the others are within 0.282. So the limit of the fast
kernels is what llama.cpp's rounding of activations to 8 bits does, and that of the float32 kernels allows for the order of sums alone.
Qwen2.5-Coder, the first prompt (200 tokens): 200, 199 within 0.036, and 200.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", TRANSFORMERS_VERBOSITY="error")

import llama_cpp
import numpy as np
import torch
import transformers as tf

from logits_files import run_logits

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 200
TIES = {"float": 0.01, "fast": 0.3}  # most that a chosen logit may lie below the reference's largest

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
        self.model = llama_cpp.Llama(str(path), n_ctx=512, n_batch=512, verbose=False, type_k=llama_cpp.GGML_TYPE_F32,
                                     type_v=llama_cpp.GGML_TYPE_F32)  # fmt: skip

    def tokens(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=True)

    def greedy(self, ids):
        self.model.reset()
        self.model.eval(ids)
        text = []
        for _ in range(TOKENS):
            logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.model.ctx), shape=(self.model.n_vocab(),))
            text.append(int(logits.argmax()))
            self.model.eval(text[-1:])
        return text


class Reference:
    """transformers in float32."""

    def __init__(self, path):
        self.model = tf.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32,
                                                             attn_implementation="eager").eval()  # fmt: skip

    @torch.inference_mode()
    def margins(self, ids, text):
        """By how much each token's logit is below the largest."""
        logits = self.model(torch.tensor([ids + text])).logits[0, len(ids) - 1 : -1].numpy()
        return logits.max(axis=-1) - logits[np.arange(len(text)), text]


def check(tool, path, n_prompts):
    llama = Llama(path)
    prompts = [llama.tokens(text) for text in PROMPTS[:n_prompts]]
    texts = {kernels: run_logits(tool, path, prompts, kernels, 512, TOKENS) for kernels in TIES}
    texts["llama.cpp"] = [llama.greedy(ids) for ids in prompts]
    llama.model.close()
    reference = Reference(path)
    good = True
    for writer, lists in texts.items():
        margins = np.array([reference.margins(ids, text) for ids, text in zip(prompts, lists, strict=True)])
        limit = TIES.get(writer)
        print(f"{path.name}, {writer}: {int((margins == 0).sum())} of {margins.size} tokens are the reference's first choice, the others "
              f"within {margins.max():.4f} of it" + (f" (a tie is below {limit})" if limit else ""), flush=True)  # fmt: skip
        good = good and (limit is None or margins.max() < limit)
    return good


def fetched(script):
    done = subprocess.run([ROOT / "scripts" / script], stdout=subprocess.PIPE, text=True, check=True)
    return ROOT / done.stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    given = parser.parse_args()
    models = given.models or [fetched("fetch-demo-model"), fetched("fetch-peers-model")]
    results = [check(given.tool, path, given.prompts) for path in models]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
