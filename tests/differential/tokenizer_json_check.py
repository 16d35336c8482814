"""Compares emelex's tokenizers with Hugging Face's `tokenizers`, id by id, for a tokenizer.json of each family's kind.

The files are made here: each has the normalizers, pre-tokenizers, model, decoder, added tokens and post-processor of a
family of models, and a vocabulary trained on the texts of corpus.py.

    tokenizer_json_check.py TOKENIZE_TOOL [COUNT [NAME…]]
"""

import json
import os
import random
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

import sentencepiece
from corpus import SENTENCES, draw
from token_strings import (make_strings, report, run_decode, run_tool, unicode_version_known,
                           without_newer_marks)
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

os.environ["TOKENIZERS_PARALLELISM"] = "false"

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+")
SPECIALS = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
WORDS = [" strip both ", "single", "normalized É", "<tool>"]


def texts():
    rng = random.Random(7)
    return SENTENCES * 3 + draw(rng, 300)


def add_tokens(tokenizer, normalized=False):
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=normalized) for token in SPECIALS])
    tokenizer.add_tokens([
        AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False),
        AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("single", single_word=True, normalized=False), AddedToken("<tool>", normalized=False),
        AddedToken("Norm", normalized=True), AddedToken("<mask>", lstrip=True, normalized=True)])


def train_bpe(pre_tokenizer, normalizer=None, byte_level=True, size=3000, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    specials = [] if byte_level else ["<unk>"] + BYTES
    tokenizer.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet,
                                                               special_tokens=specials, show_progress=False))
    return tokenizer


def byte_level_bpe(pre_tokenizer, normalizer=None, post=None, normalized=False, **options):
    tokenizer = train_bpe(pre_tokenizer, normalizer, **options)
    tokenizer.decoder = decoders.ByteLevel()
    add_tokens(tokenizer, normalized)
    if post:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


def bos_template(tokenizer):
    return processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                         special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])


def sequence(*steps):
    return pre_tokenizers.Sequence(list(steps))


def byte_level(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=options.pop("add_prefix_space", False), **options)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def spm_like(pre_tokenizer, normalizer, decoder, fuse_unk=True, unk="<unk>"):
    """What convert_slow_tokenizer makes of a sentencepiece BPE model: bytes for what is unknown."""
    trained = train_bpe(pre_tokenizers.Metaspace(), byte_level=False, unk_token=unk)
    file = json.loads(trained.to_str())
    file["model"].update(unk_token=unk, fuse_unk=fuse_unk, byte_fallback=True)
    file.update(added_tokens=[], pre_tokenizer=None)
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    add_tokens(tokenizer)
    return tokenizer


LLAMA2_DECODER = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                    decoders.Strip(" ", 1, 0)])


def charsmap():
    """A precompiled map as sentencepiece makes it for "nmt_nfkc"."""
    prefix = str(Path(FOLDER) / "charsmap")
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(SENTENCES), model_prefix=prefix, vocab_size=2000,
                                             hard_vocab_limit=False, minloglevel=2)
    normalizer = dict(texts_of_message(Path(prefix + ".model").read_bytes()))[3]
    return dict(texts_of_message(normalizer))[2]


def texts_of_message(data):
    """The texts and messages in a message of a protocol buffer, by their numbers."""
    def number(at):
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at, shift, last = at + 1, shift + 7, data[at]
            if last < 0x80:
                return value, at

    at = 0
    while at < len(data):
        tag, at = number(at)
        if tag & 7 == 2:
            length, at = number(at)
            yield tag >> 3, data[at:at + length]
            at += length
        else:
            at = number(at)[1] if tag & 7 == 0 else at + (4 if tag & 7 == 5 else 8)


def unigram(byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()),
                                                 normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = sequence(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace())
    specials = ["<pad>", "</s>", "<unk>"] + (BYTES if byte_fallback else [])
    tokenizer.train_from_iterator(texts(), trainers.UnigramTrainer(vocab_size=2000, unk_token="<unk>",
                                                                   special_tokens=specials, show_progress=False))
    if byte_fallback:
        vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
        vocabulary = [(token, score if score else -20.0) for token, score in vocabulary]
        tokenizer.model = models.Unigram(vocabulary, 2, True)
    tokenizer.decoder = decoders.Metaspace()
    add_tokens(tokenizer)
    return tokenizer


def bert(lowercase=True, strip_accents=None):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts(), trainers.WordPieceTrainer(
        vocab_size=3000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                                 normalizers.Strip(), normalizers.Nmt()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(texts(), trainers.WordLevelTrainer(vocab_size=3000, special_tokens=["<unk>"],
                                                                     show_progress=False))
    return tokenizer


NFC, NFKC = normalizers.NFC(), normalizers.NFKC()
METASPACE = pre_tokenizers.Metaspace

FAMILIES = {
    "gpt-2": lambda: byte_level_bpe(byte_level()),
    "roberta": lambda: byte_level_bpe(byte_level(add_prefix_space=True), post=lambda t: processors.RobertaProcessing(
        ("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))),
    "llama-3": lambda: byte_level_bpe(sequence(split(GPT4), byte_level(use_regex=False)), post=bos_template,
                                      ignore_merges=True),
    "qwen": lambda: byte_level_bpe(sequence(split(GPT4.replace("{1,3}", "")), byte_level(use_regex=False)), NFC),
    "starcoder": lambda: byte_level_bpe(sequence(pre_tokenizers.Digits(True), byte_level())),
    "falcon": lambda: byte_level_bpe(sequence(pre_tokenizers.Punctuation("contiguous"), byte_level(),
                                              pre_tokenizers.Digits(False), split("[0-9][0-9][0-9]"))),
    "deepseek-coder": lambda: byte_level_bpe(sequence(
        split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"),
        pre_tokenizers.Digits(True), byte_level(use_regex=False))),
    "deepseek-v3": lambda: byte_level_bpe(sequence(
        split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"),
        split(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
              r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), byte_level(use_regex=False))),
    "bloom": lambda: byte_level_bpe(sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level(use_regex=False))),
    "olmo": lambda: byte_level_bpe(byte_level(), NFC, normalized=True),
    "byte-normalizer": lambda: byte_level_bpe(split(r"\S+|\s+"), normalizers.ByteLevel()),
    "llama-2": lambda: spm_like(None, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
                                LLAMA2_DECODER),
    "mistral": lambda: spm_like(METASPACE(prepend_scheme="first", split=False), normalizers.Sequence([]), LLAMA2_DECODER),
    "gemma": lambda: spm_like(pre_tokenizers.Split(" ", "merged_with_previous"), normalizers.Replace(" ", "▁"),
                              decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])),
    "metaspace-always": lambda: spm_like(METASPACE(), NFKC, decoders.Metaspace()),
    "metaspace-never": lambda: spm_like(METASPACE(prepend_scheme="never"), normalizers.NFD(),
                                        decoders.Metaspace(prepend_scheme="never")),
    "t5": unigram,
    "unigram-bytes": lambda: unigram(byte_fallback=True),
    "bert": bert,
    "bert-cased": lambda: bert(lowercase=False),
    "bert-accents": lambda: bert(lowercase=True, strip_accents=False),
    "word-level": word_level,
    "behaviors": lambda: byte_level_bpe(sequence(
        split(r"\d", "merged_with_previous"), split("[aeiou]", "merged_with_next"), split(r"\W+", "contiguous", True),
        pre_tokenizers.CharDelimiterSplit("_"), split("q", "removed"), byte_level(use_regex=False))),
}


# These parts of the library follow Unicode 8 or 9: characters of which they say otherwise than Python are left out.
FOLLOW_OLD_UNICODE = {"falcon", "bert", "bert-cased", "bert-accents", "word-level", "metaspace-always", "metaspace-never"}


def old_unicode():
    """The characters that such parts see otherwise."""
    def seen_as(normalizer, character, expected):
        return normalizer.normalize_str(f"a{character}b") == f"a{expected}b"

    def nfd_without_nonspacing(character):
        return "".join(c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn")

    punctuation = pre_tokenizers.Punctuation("isolated")
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    strip = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False)
    marks = normalizers.StripAccents()
    forms = [("NFD", normalizers.NFD()), ("NFKC", NFKC), ("NFKD", normalizers.NFKD())]
    different = set()
    for code in unicode_version_known():
        c = chr(code)
        category = unicodedata.category(c)
        same = code < 128 or (
            (len(punctuation.pre_tokenize_str(f"a{c}b")) == 3) == (category[0] == "P")
            and seen_as(clean, c, "" if category[0] == "C" or c == "\ufffd" else " " if c.isspace() else c)
            and seen_as(strip, c, nfd_without_nonspacing(c))
            and seen_as(marks, c, "" if category[0] == "M" else c)
            and all(form.normalize_str(c) == unicodedata.normalize(name, c) for name, form in forms))
        if not same:
            different.add(c)
    return different


def print_ranges(characters):
    codes = sorted(map(ord, characters))
    starts = [code for code in codes if code - 1 not in codes]
    ends = [code for code in codes if code + 1 not in codes]
    ranges = (f"{a:04X}" if a == b else f"{a:04X}-{b:04X}" for a, b in zip(starts, ends))
    print("left out where the library follows an older Unicode:", *ranges)


def strings_for(name, count, different):
    strings = make_strings(count, SPECIALS + ["<left>", "  <right>  ", " <both> ", "single", "<tool>", "Norm", "<mask>"])
    if name in FOLLOW_OLD_UNICODE:
        strings = ["".join(c for c in string if c not in different) for string in strings]
    return [without_newer_marks(string) for string in strings]


def compare(tool, name, count, different):
    tokenizer = FAMILIES[name]()
    path = Path(FOLDER) / name / "tokenizer.json"
    path.parent.mkdir()
    tokenizer.save(str(path))
    strings = strings_for(name, count, different)
    failures = 0
    for mode in ("parse", "text"):
        tokenizer.encode_special_tokens = mode == "text"
        start = time.perf_counter()
        expected = [encoding.ids for encoding in tokenizer.encode_batch(strings, add_special_tokens=False)]
        theirs = time.perf_counter() - start
        got, load, ours = run_tool(tool, path, strings, mode)
        failures += report(f"{name} {mode}", strings, expected, got,
                           f"; load {load * 1000:.0f} ms, encode {ours:.2f} s, theirs {theirs:.2f} s")
        # Unlike the library, emelex makes no control token of text, even where a unigram model has it as a piece.
        pieces = ["<pad>", "</s>", "<unk>", "<0x"] if "unigram" in name or name == "t5" else []
        strings = [string for string in strings[-min(count, 2000):] if not any(piece in string for piece in pieces)]
    lists = expected + [[i] for i in range(tokenizer.get_vocab_size()) if tokenizer.id_to_token(i)]
    decoded = [tokenizer.decode(ids) for ids in lists]
    # Which bytes of what is no character become how many U+FFFD differs; emelex follows Unicode's advice.
    same = [i for i, text in enumerate(decoded) if "\ufffd" not in text]
    got = run_decode(tool, path, [lists[i] for i in same])
    return failures + report(f"{name} decode", [lists[i] for i in same], [decoded[i] for i in same], got)


def main():
    global FOLDER
    tool = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    different = old_unicode()
    print_ranges(different)
    with tempfile.TemporaryDirectory() as FOLDER:
        failures = sum(compare(tool, name, count, different) for name in sys.argv[3:] or FAMILIES)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
