"""Compares what `emelex eval` measures on the real model with llama.cpp, with transformers, and with dumped logits.

    perplexity_check.py EMELEX LOGITS_TOOL [SEED]

One text, prose in many languages, documentation and program text, is measured by each as llama.cpp's perplexity tool
does: fresh chunks of 512 tokens, second halves. The float32 kernels must agree with transformers in float32, which
reads the same file, to 0.01%, and with llama.cpp to 0.1%. For that llama.cpp gets the same weights as float32: where they
are quantized it rounds activations to 8 bits, and what that makes of it is printed and not judged, as are the figures of
the fast kernels. How these differ from the float ones must be what numpy finds from logits that logits_tool dumps.
Without SEED the text differs with every run.
"""

import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from pydoc_data import topics

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1")  # everything is read from the file, without progress bars

import llama_cpp
import numpy as np
import torch
import transformers

import corpus

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("EMELEX_TEST_MODEL") or str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

CONTEXT = 512
CHUNKS = 6
FIRST = CONTEXT // 2
EXACT_LIMIT = 1e-4
PEER_LIMIT = 1e-3
SAME_LIMIT = 1e-6  # between two sums of the same logits


def draw_text(rng, tokenizer):
    """At least CHUNKS chunks of tokens."""
    text = ""
    while len(tokenizer(text)) < CHUNKS * CONTEXT:
        documentation = topics.topics[rng.choice(sorted(topics.topics))]
        start = rng.randrange(0, max(1, len(documentation) - 3000))
        text += "\n\n".join([*corpus.draw(rng, 4), documentation[start : start + 3000], ""])
    return text


class Emelex:
    def __init__(self, program, tool, folder):
        self.program, self.tool, self.folder = program, tool, Path(folder)

    def eval(self, text, *arguments):
        file = self.folder / "text"
        file.write_text(text, encoding="utf-8")
        command = [self.program, "eval", MODEL, "-f", file, "--context", str(CONTEXT), "--chunks", str(CHUNKS), "--json"]
        return json.loads(subprocess.run([*command, *arguments], check=True, capture_output=True).stdout)

    def as_float32(self):
        """The model with its weights as the numbers that they stand for."""
        file = self.folder / "float32.gguf"
        command = [self.program, "quantize", MODEL, file, "--type", "f32", "--requantize"]
        subprocess.run(command, check=True, capture_output=True)
        return file

    def logits(self, ids, kernels):
        given, got = self.folder / "ids", self.folder / "logits"
        given.write_bytes(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids))
        subprocess.run([self.tool, MODEL, given, got], env=dict(os.environ, EMELEX_KERNELS=kernels), check=True)
        return np.fromfile(got, dtype=np.float32).reshape(len(ids), -1)


class LlamaCpp:
    def __init__(self, path):
        f32 = llama_cpp.GGML_TYPE_F32  # in the cache, as the float kernels have it
        self.model = llama_cpp.Llama(str(path), n_ctx=CONTEXT, n_batch=CONTEXT, logits_all=True, type_k=f32, type_v=f32,
                                     verbose=False)

    def tokenize(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=False)

    def logits(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return self.model.scores[: len(ids)]


class Transformers:
    def __init__(self):
        transformers.utils.logging.disable_progress_bar()
        path = Path(MODEL)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32)

    @torch.inference_mode()
    def logits(self, ids):
        return self.model(torch.tensor([ids])).logits[0].float().numpy()


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def predictions(logits, ids):
    """→ log probabilities of the second half's predictions, and the tokens that came"""
    return log_softmax(logits[FIRST : CONTEXT - 1]), np.array(ids[FIRST + 1 : CONTEXT])


def token_nll(logits, ids):
    rows, came = predictions(logits, ids)
    return -rows[np.arange(len(came)), came]


def perplexity(nll):
    """→ perplexity and its standard error"""
    value = float(np.exp(nll.mean()))
    return value, value * float(nll.std(ddof=1)) / len(nll) ** 0.5


def compare(own, other, ids):
    """→ for each prediction KL(other || own), whether both have the same first choice, and the change of p"""
    q, came = predictions(own, ids)
    p, _ = predictions(other, ids)
    kl = (np.exp(p) * (p - q)).sum(axis=-1)
    index = np.arange(len(came))
    return kl, p.argmax(axis=-1) == q.argmax(axis=-1), np.exp(q[index, came]) - np.exp(p[index, came])


def comparison(parts):
    kl, same, delta = (np.concatenate(part) for part in zip(*parts, strict=True))
    return {"kl": kl.mean(), "kl_error": kl.std(ddof=1) / len(kl) ** 0.5, "kl_median": np.quantile(kl, 0.5),
            "kl_90": np.quantile(kl, 0.9), "kl_99": np.quantile(kl, 0.99), "kl_999": np.quantile(kl, 0.999),
            "kl_max": kl.max(), "same_top": same.mean(), "mean_delta_p": delta.mean(),
            "rms_delta_p": (delta**2).mean() ** 0.5}


def main():
    program, tool = sys.argv[1:3]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    llama, exact = LlamaCpp(MODEL), Transformers()
    text = draw_text(random.Random(seed), llama.tokenize)
    ids = llama.tokenize(text)
    chunks = [ids[i * CONTEXT : (i + 1) * CONTEXT] for i in range(CHUNKS)]
    failures = []

    with tempfile.TemporaryDirectory() as folder:
        emelex = Emelex(program, tool, folder)
        reports = {kernels: emelex.eval(text, "--kernels", kernels) for kernels in ("float", "fast")}
        both = emelex.eval(text, "--kernels", "fast", "--against-kernels", "float")["comparison"]
        expected = comparison([compare(emelex.logits(chunk, "fast"), emelex.logits(chunk, "float"), chunk) for chunk in chunks])
        implementations = {"transformers": exact, "llama.cpp": llama, "llama.cpp f32": LlamaCpp(emelex.as_float32())}
        nll = {name: np.concatenate([token_nll(peer.logits(chunk), chunk) for chunk in chunks])
               for name, peer in implementations.items()}
    if reports["float"]["text_tokens"] != len(ids):
        failures.append(f"the text has {reports['float']['text_tokens']} tokens, to llama.cpp {len(ids)}")

    found = {name: perplexity(values) for name, values in nll.items()}
    for kernels, report in reports.items():
        found[f"emelex {kernels}"] = (report["perplexity"]["value"], report["perplexity"]["error"])
    reference = found["transformers"][0]
    off = {name: value / reference - 1 for name, (value, _) in found.items()}
    print(f"{len(nll['transformers'])} predictions in {CHUNKS} chunks of {CONTEXT} tokens")
    for name, (value, error) in found.items():
        print(f"{name:13} perplexity {value:.5f} +/- {error:.5f}   {100 * off[name]:+.4f}% of transformers")
    print("fast || float  " + "   ".join(f"{name} {value:.4g}" for name, value in both.items() if name in expected))

    if abs(off["emelex float"]) > EXACT_LIMIT:
        failures.append("the float kernels' perplexity is not transformers'")
    if abs(found["llama.cpp f32"][0] / found["emelex float"][0] - 1) > PEER_LIMIT:
        failures.append("the float kernels' perplexity is not llama.cpp's")
    for name, value in expected.items():
        if not np.isclose(both[name], value, rtol=SAME_LIMIT, atol=1e-12):
            failures.append(f"{name} is {both[name]}, from dumped logits {value}")
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
