"""Compares emelex's tokenizer with Hugging Face's `tokenizers`, id by id, on generated strings.

The reference is built from the same GGUF file's vocabulary and merges. Every pre-tokenizer rule is compared, each with
the published regular expressions of its models over this one vocabulary.

    tokens_check.py TOKENIZE_TOOL [COUNT]
"""

import os
import random
import sys
import time
from pathlib import Path

import gguf
from token_strings import SENTENCES, make_strings, report, run_tool, without_newer_marks
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("EMELEX_TEST_MODEL") or str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
QWEN2 = GPT4.replace(r"\p{N}{1,3}", r"\p{N}")
CASED = [r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"]
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = "|".join(CASED) + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = "|".join(part + SUFFIX for part in CASED) + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
             r"| ?[\p{P}\p{S}]+[\r\n]*|" + SPACES)


def split_by(*patterns):
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    return pre_tokenizers.Sequence(splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
# name: (pre-tokenizer, ignore_merges, NFC)
RULES = {
    "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT2]), False, False),
    "gpt-2": (GPT2, False, False),
    "llama-bpe": (split_by(GPT4), True, False),
    "dbrx": (split_by(GPT4), False, False),
    "qwen2": (split_by(QWEN2), False, True),
    "gpt-4o": (split_by(GPT4O), False, False),
    "tekken": (split_by(TEKKEN), True, False),
    "deepseek-v3": (split_by(r"\p{N}{1,3}", "[一-龥\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3), False, False),
}


def read_vocabulary(path):
    fields = gguf.GGUFReader(path).fields
    return [fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type")]


def make_reference(vocabulary, rule):
    tokens, merges, types = vocabulary
    pre_tokenizer, ignore_merges, nfc = RULES[rule]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                     merges=[tuple(merge.split(" ")) for merge in merges],
                                     ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False)
                                  for token, kind in zip(tokens, types) if kind == 3])
    return tokenizer


def compare(tool, vocabulary, rule, mode, strings):
    reference = make_reference(vocabulary, rule)
    reference.encode_special_tokens = mode == "text"
    if RULES[rule][2]:
        strings = [without_newer_marks(string) for string in strings]
    start = time.perf_counter()
    expected = [reference.encode(string, add_special_tokens=False).ids for string in strings]
    their_seconds = time.perf_counter() - start
    ours, load_seconds, our_seconds = run_tool(tool, MODEL, strings, mode, rule)
    return report(f"{rule:12} {mode:5}", strings, expected, ours,
                  f"; load {load_seconds * 1000:.0f} ms, encode {our_seconds:.2f} s, theirs {their_seconds:.2f} s")


def measure(tool, vocabulary):
    """Encoding a few megabytes, in one thread."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rng = random.Random(1)
    words = [bytes(token, "utf-8").decode().replace("Ġ", " ") for token in vocabulary[0][300:20000]]
    text = "".join(rng.choice(SENTENCES[:32]) + rng.choice(words) for _ in range(60000))
    for name, pieces in (("one text", [text]), ("by 500 bytes", [text[i:i + 500] for i in range(0, len(text), 500)])):
        reference = make_reference(vocabulary, "smollm")
        start = time.perf_counter()
        for piece in pieces:
            reference.encode(piece, add_special_tokens=False)
        theirs = time.perf_counter() - start
        _, _, ours = run_tool(tool, MODEL, pieces, "parse", "smollm")
        megabytes = len(text.encode()) / 1e6
        print(f"{name}: ours {megabytes / ours:.1f} MB/s, theirs {megabytes / theirs:.1f} MB/s")


def main():
    tool = sys.argv[1]
    if not Path(MODEL).exists():
        print(f"tokens_check: no model at {MODEL}")
        return 77
    vocabulary = read_vocabulary(MODEL)
    if sys.argv[2:] == ["speed"]:
        return measure(tool, vocabulary)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    specials = [token for token, kind in zip(vocabulary[0], vocabulary[2]) if kind == 3]
    strings = make_strings(count, specials)
    few = strings if len(sys.argv) > 2 else strings[:len(strings) - count + min(count, 2000)]
    failures = compare(tool, vocabulary, "smollm", "parse", strings)
    failures += compare(tool, vocabulary, "smollm", "text", few)
    for rule in RULES:
        if rule != "smollm":
            failures += compare(tool, vocabulary, rule, "parse", few)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
