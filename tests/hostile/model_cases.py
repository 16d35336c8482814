"""GGUF files that are well-formed and no model: sizes, vocabularies, values and templates that can't be meant."""

import math
import struct

from case import gguf_case
from gguf_builder import (BOOL, DIM, F32, F64, HEADS, HIDDEN, I32, I64, MERGES, STRING, TENSOR_F32, TENSOR_Q8_0, TOKENS, TYPES, U8,
                          U32, U64, array, number, tiny_model)

LARGE = 2**32 + 2  # 2 once cut to 32 bits


def model_case(*arguments, **options):
    """A flaw in what a model is made of, which whoever only tokenizes does not read."""
    return gguf_case(*arguments, commands=("run",), **options)


def size_cases():
    for key, values in (("block_count", (0, 2, 1000, LARGE, 2**63)), ("embedding_length", (0, 16, 2**31, 2**32 + DIM)),
                        ("feed_forward_length", (0, 32, 2**32 + HIDDEN)), ("context_length", (0, 2**40, 2**63)),
                        ("attention.head_count", (0, 3, 4097, 2**32 + HEADS)),
                        ("attention.head_count_kv", (0, 3, 2**32 + 1)), ("attention.key_length", (0, 7, 2**32 + 16)),
                        ("attention.value_length", (8, 2**32 + 16)), ("rope.dimension_count", (17, 34, 2**31, 2**32 + 16, 2**63)),
                        ("vocab_size", (1, 2**32 + len(TOKENS)))):
        for value in values:
            yield model_case(f"{key}-{value}", "dimensions" if value > 2**31 else "sizes", tiny_model().set("llama." + key, U64, value),
                            rf"expected .*({key}|blk\.\d+\.|token_embd|output_norm|head)")
        yield model_case(f"{key}-minus-1", "sizes", tiny_model().set("llama." + key, I64, -1), f"{key}.* got -1")
        yield model_case(f"{key}-text", "type", tiny_model().set("llama." + key, STRING, "1"), f"{key}.* a string")
    for key in ("attention.layer_norm_rms_epsilon", "rope.freq_base"):
        for value in (math.nan, math.inf, -1.0, -math.inf):
            yield model_case(f"{key}-{value}", "values", tiny_model().set("llama." + key, F32, value), f"{key}.* got")
        yield model_case(f"{key}-text", "type", tiny_model().set("llama." + key, STRING, "1"), f"{key}.* a string")
    for key in ("llama.block_count", "llama.embedding_length", "llama.attention.head_count", "general.architecture"):
        yield model_case(f"{key}-missing", "sizes", tiny_model().remove(key), f"'{key}' to be .* no such key")
    for factor in (math.nan, math.inf, -2.0):
        model = tiny_model().set("llama.rope.scaling.type", STRING, "linear").set("llama.rope.scaling.factor", F32, factor)
        yield model_case(f"rope-factor-{factor}", "values", model, "rope.scaling.factor.* got")
    yield model_case("architecture", "format", tiny_model().set("general.architecture", STRING, "none\x1b[2Jsuch"), r"'none\\x1b\[2Jsuch'")


def shape_cases():
    for name, dimensions, size in (("token_embd.weight", [DIM, len(TOKENS) - 1], 4 * DIM * (len(TOKENS) - 1)),
                                   ("token_embd.weight", [DIM * len(TOKENS)], 4 * DIM * len(TOKENS)),
                                   ("blk.0.attn_q.weight", [DIM // 2, 2 * DIM], 4 * DIM * DIM), ("output_norm.weight", [1], 4),
                                   ("blk.0.ffn_down.weight", [DIM, HIDDEN], 4 * DIM * HIDDEN)):
        model = tiny_model().add_tensor(name, dimensions, TENSOR_F32, bytes(size))
        yield model_case(f"shape-of-{name}-{len(dimensions)}d", "sizes", model, rf"expected .*{name}")
    model = tiny_model()
    del model.tensors["blk.0.ffn_up.weight"]
    yield model_case("tensor-missing", "sizes", model, "'blk.0.ffn_up.weight'.* no such tensor")
    divisors = tiny_model().add_tensor("rope_freqs.weight", [3], TENSOR_F32, bytes(12))
    yield model_case("rope-divisors-too-few", "sizes", divisors, "'rope_freqs.weight' of shape")
    for value in (0.0, math.nan, -1.0):
        divisors = tiny_model().add_tensor("rope_freqs.weight", [8], TENSOR_F32, struct.pack("<8f", *[value] * 8))
        yield model_case(f"rope-divisors-{value}", "values", divisors, "rope_freqs.weight")


def with_array(key, kind, values, **lies):
    return tiny_model().set_array("tokenizer.ggml." + key, kind, values, **lies)


def vocabulary_cases():
    for key in ("model", "pre", "tokens", "token_type", "merges"):
        yield gguf_case(f"{key}-missing", "vocabulary", tiny_model().remove("tokenizer.ggml." + key), rf"tokenizer\.ggml\.{key}")
    for key, kind, values in (("tokens", U8, [1] * 260), ("token_type", F32, [1.0] * 260), ("token_type", STRING, ["1"] * 260),
                              ("merges", I32, [1, 2]), ("tokens", BOOL, [1] * 260)):
        yield gguf_case(f"{key}-of-type-{kind}", "type", with_array(key, kind, values), rf"tokenizer\.ggml\.{key}.* an array of")
    yield gguf_case("tokens-no-array", "type", tiny_model().set("tokenizer.ggml.tokens", STRING, "abc"), "an array of strings, got a string")
    for n in (0, 1, 259, 261, 1000):
        yield gguf_case(f"token-types-{n}", "vocabulary", with_array("token_type", I32, [1] * n), f"got {n} numbers")
    for value in (0, 7, -1, 2**31 - 1):
        yield gguf_case(f"token-type-is-{value}", "vocabulary", with_array("token_type", I32, TYPES[:-1] + [value]), f"got {value}")
    yield gguf_case("no-tokens", "vocabulary", with_array("tokens", STRING, []), "1 to 16777216 tokens, got 0")
    for n in (1, 259, 261):
        model = with_array("tokens", STRING, (TOKENS + ["more"])[:n]).set_array("tokenizer.ggml.token_type", I32, (TYPES + [1])[:n])
        # One token more than the table has rows is right for a tokenizer alone. So is one less: the end of turn that is
        # then beyond the vocabulary is left out with a warning.
        make = model_case if n > 1 else gguf_case
        yield make(f"tokens-{n}", "vocabulary", model, r"tokenizer\.ggml|token_embd.weight has rows")
    yield gguf_case("token-twice", "vocabulary", with_array("tokens", STRING, TOKENS[:257] + ["he"] + TOKENS[258:]), "'he' as tokens 256 and 257")
    special = with_array("tokens", STRING, TOKENS[:258] + ["<|im_end|>", "<|im_end|>"])
    yield gguf_case("special-token-twice", "vocabulary", special, r"'<\|im_end\|>' as tokens 258 and 259")
    yield gguf_case("token-of-70000-bytes", "vocabulary", with_array("tokens", STRING, ["x" * 70_000] + TOKENS[1:]), "at most 65536 bytes")
    lying = array(STRING, TOKENS[:-1], length=len(TOKENS)) + number(U64, 2**63) + b"x"
    yield gguf_case("token-length-2-to-63", "vocabulary", tiny_model().set_raw("tokenizer.ggml.tokens", 9, lying), "at most 16777216 bytes")
    for label, merge, says in (("without-space", "he", "two tokens parted by one space"), ("of-spaces", "   ", "parted by one space"),
                               ("of-unknown", "zz h", "two tokens of the vocabulary"), ("without-product", "h h", "makes a token"),
                               ("twice", MERGES[0], "each merge once"), ("empty", "", "parted by one space"),
                               ("of-no-bytes", "\u4e00 \u4e01", "byte-level alphabet"), ("invalid", b"\xff \xfe", "byte-level alphabet")):
        yield gguf_case("merge-" + label, "vocabulary", with_array("merges", STRING, [*MERGES, merge]), says)
    for key in ("bos_token_id", "eos_token_id", "eot_token_id"):
        for kind, value in ((U64, 2**64 - 1), (F64, 1.0)):  # others beyond the vocabulary are left out with a warning
            yield gguf_case(f"{key}-{value}", "vocabulary", tiny_model().set("tokenizer.ggml." + key, kind, value), f"{key}.* got")
    yield gguf_case("bos-wanted-and-missing", "vocabulary", tiny_model().set("tokenizer.ggml.add_bos_token", BOOL, 1), "bos_token_id.* got none")
    yield gguf_case("pre-unknown", "vocabulary", tiny_model().set("tokenizer.ggml.pre", STRING, "no\x1bsuch"), r"tokenizer\.ggml\.pre")
    for token in ("<0x-1>", "<0x>", "<0x100>", "<0xZZ>", "<0x41", "<0x 4>", "<0xFFFFFFFFFFFFFFFF41>"):
        # Of a kind of vocabulary with tokens for single bytes, as those of sentencepiece.
        model = with_array("tokens", STRING, [token] + TOKENS[1:]).set_array("tokenizer.ggml.token_type", I32, [6] + TYPES[1:])
        model.set("tokenizer.ggml.model", STRING, "llama").set_array("tokenizer.ggml.scores", F32, [0.0] * 260)
        yield gguf_case(f"byte-token-{token.strip('<>').replace(' ', '_')}", "type", model, r"tokenizer\.ggml\.model|byte")
    yield gguf_case("tokenizer-unknown", "vocabulary", tiny_model().set("tokenizer.ggml.model", STRING, "none\nsuch"), r"tokenizer\.ggml\.model")


def value_cases():
    """Refused when the first token is to be chosen: whoever only tokenizes needs no weights."""
    for label, scale in (("nan", b"\x00\x7e"), ("infinite", b"\x00\x7c")):
        block = scale + bytes([1] * 32)
        model = tiny_model().add_tensor("output_norm.weight", [DIM], TENSOR_F32, struct.pack("<f", math.nan) * DIM) if label == "nan" else tiny_model()
        model.add_tensor("token_embd.weight", [DIM, len(TOKENS)], TENSOR_Q8_0, block * len(TOKENS))
        yield gguf_case(f"scales-{label}", "values", model, "no values to compute with", commands=("run",))
    for value in (math.nan, math.inf):
        data = struct.pack("<f", value) * DIM * len(TOKENS)
        model = tiny_model().add_tensor("token_embd.weight", [DIM, len(TOKENS)], TENSOR_F32, data)
        yield gguf_case(f"weights-{value}", "values", model, "no values to compute with", commands=("run",))


def template_cases():
    long = "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}"
    for label, template in (
            ("include", "{% include '/etc/passwd' %}"), ("import", "{% import '/etc/passwd' as x %}"),
            ("class", "{{ ''.__class__.__mro__[1].__subclasses__() }}"), ("open", "{{ open('/etc/passwd').read() }}"),
            ("import-os", "{{ cycler.__init__.__globals__.os.popen('id').read() }}"), ("endless", long),
            ("range", "{% for i in range(10**18) %}{% endfor %}"), ("power", "{{ 'x' * (10 ** 12) }}"),
            ("growing", "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(64) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}"),
            ("recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), ("deep", "{{ " + "(" * 100_000),
            ("deep-blocks", "{% if true %}" * 100_000), ("deep-lists", "{{ " + "[" * 50_000 + "]" * 50_000 + " }}"),
            ("unfinished", "{% for m in messages %}"), ("raise", "{{ raise_exception('a\nb\x1b[2J') }}"),
            ("negative-index", "{{ messages[-9223372036854775808].content }}"), ("divide", "{{ 1 // 0 }}")):
        model = tiny_model().set("tokenizer.chat_template", STRING, template)
        yield gguf_case("template-" + label, "template", model, r"\[chat template\]", commands=("run",))


def request_cases():
    for label, arguments, says in (("context", ("--context", "-1"), "--help"), ("tokens", ("--max-tokens", "-9223372036854775808"), "--help"),
                                   ("threads", ("--threads", "99999999999999999999"), "--help"), ("top-k", ("--top-k", "-1"), "--help"),
                                   ("seed", ("--seed", "18446744073709551616"), "--help"), ("temperature", ("--temperature", "1e999"), "--help"),
                                   ("min-p", ("--min-p", "nan"), "--help"), ("penalty", ("--repeat-penalty", "-inf"), "--help")):
        yield gguf_case(f"request-{label}", "request", tiny_model(), says, commands=("run",), arguments=arguments, exit=2)
    yield gguf_case("request-context-larger", "request", tiny_model(), "a context of at most", commands=("run",), arguments=("--context", "2147483647"))


def private_key_cases():
    """Keys that emelex sets for itself when it reads other formats, given by a file."""
    for i, value in enumerate(("{}", "[]", "null", "7", "{", '{"model": 7}', '{"model": {"type": "BPE"}, "added_tokens": [{}]}')):
        yield gguf_case(f"private-tokenizer-json-{i}", "private", tiny_model().set("emelex.tokenizer_json", STRING, value), "emelex")
    for name, kind, value in (("tokenizer_problem", STRING, "\x1b[2J"), ("tokenizer_file", STRING, "\x1b]52;c;eA==\x07"),
                              ("sentencepiece", BOOL, True), ("ranks_are_ids", BOOL, True), ("space_is_suffix", BOOL, True),
                              ("split_pattern", STRING, "(" * 10_000), ("rope.interleaved", BOOL, True),
                              ("special_token.bos_token", STRING, "x"), ("", STRING, "x"), ("no_such_key", STRING, "x")):
        yield gguf_case("private-" + name, "private", tiny_model().set("emelex." + name, kind, value), "emelex")
    for name, kind, values in (("only_added_ids", I32, [-1, 2**31 - 1]), ("merge_names", STRING, ["a"]), ("eos_token_ids", I32, [-5])):
        yield gguf_case("private-" + name, "private", tiny_model().set_array("emelex." + name, kind, values), "emelex")


def cases():
    for group in (size_cases, shape_cases, vocabulary_cases, value_cases, template_cases, request_cases, private_key_cases):
        yield from group()
