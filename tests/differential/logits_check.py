"""Compares emelex's logits on the real model with transformers (float32) and with llama.cpp, position by position.

    logits_check.py LOGITS_TOOL [SEED]

The reference is transformers, reading the same GGUF file in float32. With float32 activations emelex must agree with it
to 1e-3 (relative L2). With int8 activations its error may not exceed llama.cpp's own on the same positions, in relative
L2 and in KL divergence. Greedy text must agree with the reference until two tokens are nearly as likely.
Without SEED the texts differ with every run.
"""

import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1")  # everything is read from the file, without progress bars

import llama_cpp
import numpy as np
import torch
import transformers

import corpus

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("EMELEX_TEST_MODEL") or str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

POSITIONS = 1000
FLOAT_LIMIT = 1e-3
GREEDY_TOKENS = 64
NEAR_TIE = 0.1  # between two logits: either may win


class Emelex:
    def __init__(self, tool, kernels):
        self.tool, self.kernels = tool, kernels

    def run(self, lists, dtype, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            given, got = Path(folder) / "lists", Path(folder) / "got"
            given.write_bytes(b"".join(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids) for ids in lists))
            environment = dict(os.environ, EMELEX_KERNELS=self.kernels)
            subprocess.run([self.tool, MODEL, given, got, *map(str, arguments)], env=environment, check=True)
            return np.fromfile(got, dtype=dtype)

    def logits(self, lists):
        flat = self.run(lists, np.float32).reshape(sum(map(len, lists)), -1)
        return np.split(flat, np.cumsum([len(ids) for ids in lists])[:-1])

    def greedy(self, lists, count):
        return self.run(lists, np.int32, 512, count).reshape(len(lists), count).tolist()


class Transformers:
    def __init__(self):
        transformers.utils.logging.disable_progress_bar()
        path = Path(MODEL)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32)

    @torch.inference_mode()
    def logits(self, lists):
        return [self.model(torch.tensor([ids])).logits[0].float().numpy() for ids in lists]


def llama_logits(lists):
    model = llama_cpp.Llama(MODEL, n_ctx=2048, logits_all=True, verbose=False)
    found = []
    for ids in lists:
        model.reset()
        model.eval(ids)
        found.append(model.scores[: len(ids)].copy())
    return found


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def errors(found, reference):
    """→ relative L2 over all positions together, mean KL divergence from the reference in nats, same first choice"""
    difference = norm = kl = same = 0.0
    for ours, theirs in zip(found, reference, strict=True):
        difference += float(((ours - theirs).astype(np.float64) ** 2).sum())
        norm += float((theirs.astype(np.float64) ** 2).sum())
        p, q = log_softmax(theirs), log_softmax(ours)
        kl += float((np.exp(p) * (p - q)).sum())
        same += float((ours.argmax(axis=-1) == theirs.argmax(axis=-1)).sum())
    positions = sum(len(part) for part in reference)
    return (difference / norm) ** 0.5, kl / positions, same / positions


def draw_lists(tokenizer, rng):
    lists = []
    while sum(map(len, lists)) < POSITIONS:
        lists += [tokenizer.encode(text, add_special_tokens=False)[:256] for text in corpus.draw(rng, 4)]
    return [ids for ids in lists if ids]


def check_greedy(kernels, tool, reference, rng):
    """Greedy text equals the reference's up to the first position where its two tokens are nearly as likely."""
    lists = [reference.tokenizer.encode(text, add_special_tokens=False)[:40] for text in corpus.draw(rng, 8)]
    equal, margins = 0, []
    for ids, generated in zip(lists, Emelex(tool, kernels).greedy(lists, GREEDY_TOKENS), strict=True):
        logits = reference.logits([ids + generated])[0][len(ids) - 1 : -1]
        margin = logits.max(axis=-1) - logits[np.arange(len(generated)), generated]
        leaves = np.flatnonzero(margin > 0)
        equal += leaves.size == 0
        margins += [float(margin[leaves[0]])] if leaves.size else []
    where = f"; the others leave it at margins of {', '.join(f'{m:.3f}' for m in margins)}" if margins else ""
    print(f"greedy, {kernels}: {equal} of {len(lists)} texts of {GREEDY_TOKENS} tokens equal the reference{where}")
    return max(margins, default=0) < NEAR_TIE


def main():
    tool = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    reference = Transformers()
    lists = draw_lists(reference.tokenizer, rng)
    expected = reference.logits(lists)
    print(f"{sum(map(len, lists))} positions in {len(lists)} texts")

    results = {
        "emelex float": errors(Emelex(tool, "float").logits(lists), expected),
        "emelex fast": errors(Emelex(tool, "fast").logits(lists), expected),
        "llama.cpp": errors(llama_logits(lists), expected),
    }
    for name, (l2, kl, same) in results.items():
        print(f"{name:13} relative L2 {l2:.3e}   KL {kl:.3e} nats   same first choice {100 * same:.1f}%")

    failures = []
    if results["emelex float"][0] > FLOAT_LIMIT:
        failures.append("the float kernels are off")
    if results["emelex fast"][0] > results["llama.cpp"][0] or results["emelex fast"][1] > results["llama.cpp"][1]:
        failures.append("the fast kernels' error is larger than llama.cpp's")
    if not check_greedy("float", tool, reference, rng):
        failures.append("greedy text differs where it is no near tie")
    check_greedy("fast", tool, reference, rng)  # for the record
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
