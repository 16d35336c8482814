"""Compares emelex's tokenizers with the originals for files of their own kinds: sentencepiece's .model with sentencepiece,
Llama's with tiktoken, Mistral's tekken.json with mistral-common.

The files are Mistral's real ones of mistral-common, Llama's of llama-models (scripts/fetch-tokenizers), and sentencepiece
models trained here with every option that changes what text becomes.

    tokenizer_files_check.py TOKENIZE_TOOL [COUNT [NAME…]]
"""

import base64
import random
import sys
import tempfile
import time
from pathlib import Path

import mistral_common
import sentencepiece
import tiktoken
from corpus import SENTENCES, draw
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from token_strings import make_strings, report, run_decode, run_tool

ROOT = Path(__file__).resolve().parents[2]
LLAMA = ROOT / "build/models/tokenizers"
MISTRAL = Path(mistral_common.__file__).parent / "data"
SPECIALS = ["<s>", "</s>", "<unk>", "[INST]", "<0x41>", "▁▁", "<sep>", "new\u2581york", "<|eot_id|>", "<|begin_of_text|>"]

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
CASED = [r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"]
GPT4O = "|".join(CASED) + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# The options of sentencepiece's trainer; what they leave out is as its defaults have it.
TRAINED = {
    "bpe-plain": {"model_type": "bpe"},
    "bpe-bytes": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity",
                  "remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True, "split_digits": True},
    "bpe-symbols": {"model_type": "bpe", "user_defined_symbols": ["<sep>", "ab", "abc", "▁▁"], "byte_fallback": True},
    "bpe-no-prefix": {"model_type": "bpe", "add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "bpe-across-words": {"model_type": "bpe", "split_by_whitespace": False},
    "bpe-suffix": {"model_type": "bpe", "treat_whitespace_as_suffix": True},
    "bpe-unused": {"model_type": "bpe", "byte_fallback": True},
    "unigram-plain": {"model_type": "unigram"},
    "unigram-bytes": {"model_type": "unigram", "byte_fallback": True, "normalization_rule_name": "nfkc"},
    "unigram-symbols": {"model_type": "unigram", "user_defined_symbols": ["<sep>"],
                        "control_symbols": ["<ctl>"], "normalization_rule_name": "nmt_nfkc_cf"},
    "unigram-inner-symbols": {"model_type": "unigram", "user_defined_symbols": ["<sep>", "ab", "abc"],
                              "control_symbols": ["<ctl>"], "normalization_rule_name": "nmt_nfkc_cf"},
    "unigram-unused": {"model_type": "unigram", "byte_fallback": True},
    "unigram-spaces": {"model_type": "unigram", "remove_extra_whitespaces": False, "add_dummy_prefix": False,
                       "normalization_rule_name": "identity"},
}


class SentencePiece:
    def __init__(self, path):
        self.path = path
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.size = self.model.vocab_size()
        # What is unknown decodes to a sign of its own there; emelex shows no special token.
        self.ids = [i for i in range(self.size) if not self.model.is_unknown(i)]

    def encode(self, text):
        return self.model.encode(text)

    def decode(self, ids):
        return self.model.decode(ids)


class Tiktoken:
    def __init__(self, path, pattern):
        self.path = path
        lines = (line.split() for line in path.read_bytes().splitlines() if line)
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        self.model = tiktoken.Encoding(path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.size = len(ranks)
        self.ids = range(self.size)

    def encode(self, text):
        return self.model.encode_ordinary(text)

    def decode(self, ids):
        return self.model.decode(ids)


class Tekken:
    def __init__(self, path):
        self.path = path
        self.model = Tekkenizer.from_file(path)
        self.size = self.model.n_words
        self.ids = range(self.model.num_special_tokens, self.size)

    def encode(self, text):
        return self.model.encode(text, bos=False, eos=False)

    def decode(self, ids):
        return self.model.decode(ids)


def train(name, folder):
    texts = SENTENCES * 3 + draw(random.Random(3), 200)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in texts for line in text.splitlines()), model_prefix=str(folder / name),
        vocab_size=1800, hard_vocab_limit=False, minloglevel=2, **TRAINED[name])
    if name.endswith("-unused"):
        make_some_unused(folder / f"{name}.model")
    return SentencePiece(folder / f"{name}.model")


def make_some_unused(path):
    """Every third ordinary piece: "type", the third field of a piece, becomes UNUSED; the last of several counts. A file begins with
    its pieces: tag 0x0A, length, message, each shorter than 128 bytes."""
    data, made, at, number = path.read_bytes(), bytearray(), 0, 0
    while data[at] == 0x0A:
        length = data[at + 1]
        assert length < 126
        piece = data[at + 2:at + 2 + length]
        number += 1
        ordinary = b"\x18" not in piece[-2:-1]  # the default needs no field
        if ordinary and number % 3 == 0:
            piece += b"\x18\x05"
        made += bytes([0x0A, len(piece)]) + piece
        at += 2 + length
    path.write_bytes(bytes(made) + data[at:])


def references(folder):
    """A name: a function that makes the reference."""
    made = {path.name: lambda path=path: SentencePiece(path) for path in sorted(MISTRAL.glob("*.model.v*"))
            if not path.name.endswith("m1")}
    made |= {path.name: lambda path=path: Tekken(path) for path in sorted(MISTRAL.glob("tekken_*.json"))}
    made["llama3"] = lambda: Tiktoken(LLAMA / "llama3.model", GPT4)
    made["llama4"] = lambda: Tiktoken(LLAMA / "llama4.model", GPT4O)
    return made | {name: lambda name=name: train(name, folder) for name in TRAINED}


def invalid_utf8(strings):
    rng = random.Random(11)
    bad = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80"]
    return [string.encode()[rng.randrange(4):] + rng.choice(bad) + string.encode()[:rng.randrange(40)]
            for string in strings]


def compare(tool, name, reference, count):
    strings = make_strings(count, SPECIALS)
    if isinstance(reference, SentencePiece):
        # A text so long that the scores of its beginning would drown what tells its last tokens apart.
        strings.insert(0, " ".join(strings))
    start = time.perf_counter()
    expected = [reference.encode(string) for string in strings]
    theirs = time.perf_counter() - start
    got, load, ours = run_tool(tool, reference.path, strings, "text")
    failures = report(name, strings, expected, got,
                      f"; load {load * 1000:.0f} ms, encode {ours:.2f} s, theirs {theirs:.2f} s")
    if isinstance(reference, SentencePiece):
        broken = invalid_utf8(strings[-count:])
        got, *_ = run_tool(tool, reference.path, broken, "text")
        failures += report(f"{name}, invalid UTF-8", broken, [reference.encode(string) for string in broken], got)
    # What is not encoded as anything but <unk> comes back; every id alone and after itself.
    lists = expected[-count:] + [[i] for i in reference.ids] + [[i, i] for i in reference.ids]
    lists = [[i for i in ids if i in set_of(reference)] for ids in lists]
    decoded = [reference.decode(ids) for ids in lists]
    return failures + report(f"{name}, decoded", lists, decoded, run_decode(tool, reference.path, lists))


def set_of(reference):
    if not hasattr(reference, "id_set"):
        reference.id_set = set(reference.ids)
    return reference.id_set


def main():
    tool = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    if not (LLAMA / "llama4.model").exists():
        print("tokenizer_files_check: scripts/fetch-tokenizers was not run")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        made = references(Path(folder))
        failures = sum(compare(tool, name, made[name](), count) for name in sys.argv[3:] or made)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
