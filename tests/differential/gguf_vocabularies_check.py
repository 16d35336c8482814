"""Compares emelex's tokenizers with llama.cpp's, id by id, for the vocabularies that llama.cpp keeps as .gguf files.

Where llama.cpp itself differs from the `tokenizers` library, which models are trained with, emelex has to give what that
library gives: such strings are counted, with the reason, and everything else is a failure.

    gguf_vocabularies_check.py TOKENIZE_TOOL [COUNT [NAME…]]
"""

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import llama_sources
from token_strings import make_strings, report, run_tool, without_newer_marks
from tokenizer_json_check import old_unicode, print_ranges
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

SPECIALS = ["<s>", "</s>", "<unk>", "<|endoftext|>", "<|begin_of_text|>", "<|im_start|>", "[CLS]", "<bos>", "<0x41>"]
FEW = 20000  # strings that are also compared as text in which no special token counts, beside every character
NO_PRE = {"aquila", "gpt-neox"}  # old files that don't say how text is cut into words


class Llama:
    def __init__(self, path):
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)

    def encode(self, text, parse):
        data = text.encode()
        ids = (llama_cpp.llama_token * (2 * len(data) + 16))()
        return list(ids[:llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, len(ids), False, parse)])

    def close(self):
        llama_cpp.llama_model_free(self.model)


@contextlib.contextmanager
def quiet():
    """llama.cpp writes pages to stderr."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


# The pipelines of the models' own tokenizer.json ------------------------------------------------------------------------

def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def byte_level(*steps):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?LETTERS|\p{N}| ?[^\s\p{L}MARKS\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")


def deepseek(kind):
    """Its patterns as llama.cpp has them, by the engine that the model was trained with."""
    source = llama_sources.files("src", ".cpp")["llama-vocab.cpp"].decode()
    block = source.split(f"case LLAMA_VOCAB_PRE_TYPE_DEEPSEEK_{kind}:")[1].split("break;")[0]
    patterns = [text.replace("\\\\", "\\") for text in re.findall(r'"((?:[^"\\]|\\.)*)"', block)]
    return byte_level(*map(split, patterns))


BYTE_LEVEL = {
    "falcon": lambda: pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(False), split("[0-9][0-9][0-9]")]),
    "deepseek-coder": lambda: deepseek("CODER"),
    "deepseek-llm": lambda: deepseek("LLM"),
    "qwen2": lambda: byte_level(split(QWEN.replace("LETTERS", r"\p{L}+").replace("MARKS", ""))),
    "qwen35": lambda: byte_level(split(QWEN.replace("LETTERS", r"[\p{L}\p{M}]+").replace("MARKS", r"\p{M}"))),
}
REASONS = {
    "falcon": "llama.cpp leaves out the end of GPT-2's pattern", "deepseek-coder": "llama.cpp's classes of characters",
    "deepseek-llm": "llama.cpp's classes of characters", "qwen2": "llama.cpp does not compose characters",
    "qwen35": "llama.cpp does not compose characters", "bert-bge": "llama.cpp decomposes and cleans other characters",
    "phi-3": "llama.cpp strips only ASCII's white space after special tokens",
}


def read(path, key):
    field = gguf.GGUFReader(path).fields.get(f"tokenizer.ggml.{key}")
    return field and field.contents()


def add_tokens(tokenizer, path):
    kinds = list(zip(read(path, "tokens"), read(path, "token_type")))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token, kind in kinds if kind == 3])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token, kind in kinds if kind == 4])
    return tokenizer


def original(name, path):
    tokens = read(path, "tokens")
    if name == "bert-bge":
        names = [t if t.startswith("[") and t.endswith("]") else t[1:] if t.startswith("▁") else "##" + t for t in tokens]
        # GGUF has no key for the length from which a word is unknown.
        tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(names)}, unk_token="[UNK]",
                                               max_input_chars_per_word=1 << 30))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return add_tokens(tokenizer, path)
    merges = [tuple(merge.split(" ")) for merge in read(path, "merges")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = BYTE_LEVEL[name]()
    if name.startswith("qwen"):
        tokenizer.normalizer = normalizers.NFC()
    return add_tokens(tokenizer, path)


def phi3_differs(string):
    """Whether a special token has white space after it that llama.cpp leaves."""
    return any(after[:1].isspace() and not after.lstrip(" \t\n\v\f\r")[:1] == after.lstrip()[:1]
               for after in string.split("</s>")[1:])


def compare(tool, name, path, strings, parse):
    with quiet():
        llama = Llama(path)
        expected = [llama.encode(string, parse) for string in strings]
        llama.close()
    got, *_ = run_tool(tool, path, strings, "parse" if parse else "text")
    different = [i for i, ids in enumerate(expected) if ids != got[i]]
    excused = []
    if different and name == "phi-3":
        excused = [i for i in different if parse and phi3_differs(strings[i])]
    elif different and name in REASONS:
        tokenizer = original(name, path)
        tokenizer.encode_special_tokens = not parse
        excused = [i for i in different if tokenizer.encode(strings[i], add_special_tokens=False).ids == got[i]]
    for i in excused:
        expected[i] = got[i]
    why = f"; {len(excused)} more where {REASONS[name]}" if excused else ""
    return report(f"{name} {'parse' if parse else 'text'}", strings, expected, got, why)


def check(tool, name, data, count):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.gguf"
        path.write_bytes(data)
        strings = [without_newer_marks(string) for string in make_strings(count, SPECIALS)]
        if name == "bert-bge":
            left_out = old_unicode()
            print_ranges(left_out)
            strings = ["".join(c for c in string if c not in left_out) for string in strings]
        if name in NO_PRE:
            try:
                run_tool(tool, path, strings[:1], "text")
            except RuntimeError as error:
                print(f"{name}: {str(error).strip()}")
                return 0 if "expected tokenizer.ggml.pre" in str(error) else 1
            print(f"{name}: taken although it does not say how text is cut")
            return 1
        few = strings[:len(strings) - count + min(count, FEW)]
        return compare(tool, name, path, strings, True) + compare(tool, name, path, few, False)


def main():
    tool = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    vocabularies = {Path(name).stem.removeprefix("ggml-vocab-"): data for name, data in llama_sources.files("models", ".gguf").items()}
    if len(vocabularies) < 19:
        raise SystemExit(f"expected llama.cpp's 19 vocabularies, got {sorted(vocabularies)}")
    chosen = sys.argv[3:] or sorted(vocabularies)
    failures = sum(check(tool, name, vocabularies[name], count) for name in chosen)
    print(f"{len(chosen)} vocabularies, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
