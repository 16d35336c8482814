"""Tokenizers' own files that are cut short, contradict themselves, or ask for more than any text is worth."""

import base64
import json
import struct

from case import Case

COMMANDS = ("tokenize",)
MERGES = ["a b", "ab c"]
VOCABULARY = {"<s>": 0, "a": 1, "b": 2, "c": 3, "ab": 4, "abc": 5}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


# tokenizer.json --------------------------------------------------------------------------------------------------------

def tokenizer_json(model=None, **more):
    whole = {"added_tokens": [{"id": 0, "content": "<s>", "special": True}], "pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL,
             "model": {"type": "BPE", "vocab": VOCABULARY, "merges": MERGES, **(model or {})}}
    return json.dumps({**whole, **more})


def json_case(name, kind, says, text):
    data = text if isinstance(text, bytes) else text.encode()
    return Case("tokenizer-json-" + name, kind, {"tokenizer.json": data}, says, open="tokenizer.json", commands=COMMANDS)


def charsmap_case(name, blob):
    step = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()}
    return json_case("charsmap-" + name, "length", "charsmap", tokenizer_json(normalizer=step))


def json_cases():
    whole = tokenizer_json()
    for i, length in enumerate((0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1)):
        yield json_case(f"cut-{i}", "json", r"JSON|tokenizer\.json", whole[:length])
    yield json_case("not-utf8", "json", "JSON", whole.encode().replace(b'"abc"', b'"\xff\xc3"'))
    yield json_case("list", "json", "JSON object", "[]")
    yield json_case("deep", "json", "tokenizer.json", "[" * 100_000)
    for i, vocabulary in enumerate((None, 7, "a", [], {}, [["a"]], [[1, 2]], {"a": "b"}, {"a": -1}, {"a": 0.5})):
        yield json_case(f"vocabulary-{i}", "vocabulary", "token|model.vocab|name|JSON", tokenizer_json({"vocab": vocabulary}))
    for i, identity in enumerate((2**24, 2**31, 2**32 + 1, 2**63, 2**64 - 1, 5_000_000)):
        yield json_case(f"far-id-{i}", "vocabulary", "token ids below", tokenizer_json({"vocab": {**VOCABULARY, "x": identity}}))
        added = [{"id": identity, "content": "<x>", "special": True}]
        yield json_case(f"far-added-id-{i}", "vocabulary", "token ids below", tokenizer_json(added_tokens=added))
    yield json_case("one-id-twice", "vocabulary", "each token id once", tokenizer_json({"vocab": {**VOCABULARY, "x": 3}}))
    for i, added in enumerate(([7], [{}], [{"id": "1"}], [{"id": -1}])):
        yield json_case(f"added-{i}", "vocabulary", "added_tokens", tokenizer_json(added_tokens=added))
    for i, merges in enumerate((["a x"], ["x a"], ["c a"], ["a"], ["a b c"], [["a"]], [["a", "b", "c"]], [7], ["a b", "a b"], [" "])):
        yield json_case(f"merges-{i}", "vocabulary", "merge", tokenizer_json({"merges": merges}))
    yield json_case("no-merges", "vocabulary", "merges", tokenizer_json({"merges": None}))
    yield json_case("model", "format", "model.type", tokenizer_json({"type": "\x1b[2J"}))
    for part, key in (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")):
        name = part.replace("_", "-")
        others = {"pre_tokenizer": None} if part == "decoder" else {}  # a decoder of bytes needs no steps
        yield json_case(f"unknown-{name}", "format", part, tokenizer_json(**{**others, part: {"type": "No\x1bSuch"}}))
        steps = {"type": "Sequence", key: [{"type": "Replace" if part == "decoder" else "ByteLevel"}] * 5000}
        yield json_case(f"many-{name}s", "sizes", "steps", tokenizer_json(**{**others, part: steps}))
    for i, pattern in enumerate(("(", "[z-a]", "a{99999}", "[[a]&&[b]]", "(?P<n>" * 300, "x" * 70_000, r"(?<=a+)b")):
        step = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
        yield json_case(f"pattern-{i}", "template", "regular expression", tokenizer_json(pre_tokenizer=step))
    double = {"type": "Replace", "pattern": {"String": "l"}, "content": "ll"}
    yield json_case("doubling", "template", "64", tokenizer_json(normalizer={"type": "Sequence", "normalizers": [double] * 60}))
    prefixed = {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False}
    bytes_twice = {"type": "Sequence", "pretokenizers": [prefixed] * 60}
    yield json_case("doubling-bytes", "template", "64", tokenizer_json({"vocab": {"a": 0}, "merges": []}, added_tokens=[],
                                                                   pre_tokenizer=bytes_twice))
    yield json_case("long-prefix", "sizes", "256 bytes", tokenizer_json(normalizer={"type": "Prepend", "prepend": "x" * 100_000}))
    unit = struct.pack("<I", 1 << 10)
    yield charsmap_case("short", b"\x01")
    yield charsmap_case("longer-than-it-is", struct.pack("<I", 0xFFFFFFFC) + unit)
    yield charsmap_case("of-no-units", struct.pack("<I", 0) + b"x\0")
    yield charsmap_case("of-part-of-a-unit", struct.pack("<I", 3) + unit)
    yield charsmap_case("of-long-texts", struct.pack("<I", 4) + unit + b"x" * 5_000_000)
    yield json_case("charsmap-not-base64", "length", "base64",
                    tokenizer_json(normalizer={"type": "Precompiled", "precompiled_charsmap": "?"}))


# sentencepiece's .model ------------------------------------------------------------------------------------------------

def number(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(no, value):
    if isinstance(value, int):
        return number(no << 3) + number(value)
    return number(no << 3 | 2) + number(len(value)) + value


def piece(text, score=0.0, kind=1):
    return field(1, field(1, text) + number(2 << 3 | 5) + struct.pack("<f", score) + field(3, kind))


PIECES = [piece(b"<unk>", 0, 2), piece(b"<s>", 0, 3), piece(b"</s>", 0, 3), piece("\u2581".encode(), -1), piece(b"l", -2),
          piece(b"ll", -3)]
BPE = field(2, field(3, 2))


def model_case(name, kind, says, data):
    return Case("sentencepiece-" + name, kind, {"tokenizer.model": data}, says, open="tokenizer.model", commands=COMMANDS)


def sentencepiece_cases():
    whole = b"".join(PIECES) + BPE
    for i, length in enumerate((1, 2, 9, len(whole) // 2, len(whole) - 1)):
        yield model_case(f"cut-{i}", "length", r"tokenizer\.model", whole[:length])
    yield model_case("long-length", "length", "bytes", whole + number(1 << 3 | 2) + b"\xff" * 9 + b"\x01")
    yield model_case("long-number", "length", "number", whole + number(3 << 3) + b"\xff" * 20)
    yield model_case("group", "format", "field of a known kind", whole + number(1 << 3 | 3))
    yield model_case("unknown-type", "vocabulary", "types 1 to 6", whole + piece(b"x", 0, 77))
    yield model_case("piece-twice", "vocabulary", "once", whole + piece(b"ll", -4))
    yield model_case("byte-piece", "type", "tokens for bytes", whole + piece(b"<0x-1>", 0, 6))
    yield model_case("score-nan", "values", "finite", whole + piece(b"x", float("nan")))
    yield model_case("score-infinite", "values", "finite", whole + piece(b"x", float("-inf")))
    yield model_case("long-piece", "vocabulary", "bytes", whole + piece(b"x" * 100_000))
    yield model_case("model-of-words", "format", "model_type|model type|type", b"".join(PIECES) + field(2, field(3, 3)))
    yield model_case("charsmap", "length", "charsmap", whole + field(3, field(2, b"\xff\xff\xff\x7f")))
    yield model_case("charsmap-of-long-texts", "length", "charsmap",
                     whole + field(3, field(2, struct.pack("<II", 4, 1 << 10) + b"x" * 1_000_000)))


# tiktoken's and tekken.json --------------------------------------------------------------------------------------------

def tiktoken_case(name, says, text):
    return Case("tiktoken-" + name, "vocabulary", {"vocabulary.tiktoken": text}, says, open="vocabulary.tiktoken", commands=COMMANDS)


def tekken(vocabulary, size=9, specials=3, pattern=r"\p{L}+|[^\p{L}]", **more):
    return json.dumps({"config": {"pattern": pattern, "default_vocab_size": size, "default_num_special_tokens": specials},
                       "vocab": vocabulary, **more}).encode()


def tekken_case(name, kind, says, data):
    return Case("tekken-" + name, kind, {"tekken.json": data}, says, open="tekken.json", commands=COMMANDS)


def rank(number, text="YQ=="):
    return {"rank": number, "token_bytes": text}


def line_cases():
    yield tiktoken_case("empty", "expected a file with content", b"")
    yield tiktoken_case("few", "128000 tokens of Llama 3", b"YQ== 0\nYg== 1\n")
    yield tiktoken_case("not-base64", "base64", b"?Q== 0\n")
    yield tiktoken_case("not-utf8", "base64", b"\xff\xfe 0\n")
    yield tiktoken_case("no-rank", "rank", b"YQ==\n")
    yield tiktoken_case("negative", "rank", b"YQ== -1\n")
    yield tiktoken_case("wrapping", "rank|ids below", b"YQ== 18446744073709551616\n")
    yield tiktoken_case("far", "ids below", b"YQ== 16000000\n")
    yield tiktoken_case("twice", "each id once", b"YQ== 0\nYg== 0\n")
    whole = tekken([rank(0)])
    yield tekken_case("cut", "json", "JSON", whole[:len(whole) // 2])
    yield tekken_case("no-config", "json", "config", b"{}")
    yield tekken_case("base64", "vocabulary", "base64", tekken([rank(0, "?")]))
    yield tekken_case("empty-token", "vocabulary", "base64", tekken([rank(0, "")]))
    yield tekken_case("twice", "vocabulary", "each id once", tekken([rank(0), rank(0, "Yg==")]))
    yield tekken_case("gap", "vocabulary", "a token for each id|ids below", tekken([rank(4)]))
    for i, value in enumerate((-1, "0", None, 0.5)):
        yield tekken_case(f"rank-{i}", "vocabulary", "rank", tekken([rank(value)]))
    yield tekken_case("far-rank", "vocabulary", "ids below", tekken([rank(16_000_000)], size=2**24))
    yield tekken_case("many-specials", "sizes", "default_num_special_tokens", tekken([rank(0)], 2**24, 2**24 - 1))
    yield tekken_case("huge-size", "sizes", "default_vocab_size", tekken([rank(0)], 2**40))
    yield tekken_case("pattern", "template", "regular expression", tekken([rank(0)], 4, pattern="(((a)"))
    yield tekken_case("specials", "vocabulary", "special_tokens", tekken([rank(0)], special_tokens=[{"rank": 7, "token_str": "x"}]))


def whole_cases():
    """The files without a flaw."""
    yield json_case("whole", "", "", tokenizer_json())
    yield json_case("whole-with-decoder", "", "", tokenizer_json(pre_tokenizer=None, decoder={"type": "Fuse"}))
    yield model_case("whole", "", "", b"".join(PIECES) + BPE)
    yield tekken_case("whole", "", "", tekken([rank(0), rank(1, "YWE=")], size=5))


def cases():
    yield from json_cases()
    yield from sentencepiece_cases()
    yield from line_cases()
