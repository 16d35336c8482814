"""GGUF files whose header, metadata or list of tensors lies."""

from case import gguf_case
from gguf_builder import (ARRAY, BOOL, F32, HUGE, STRING, TENSOR_F32, TENSOR_Q8_0, U8, U32, U64, I64, Gguf, number, text,
                          tiny_model)

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 98362432\n"


def format_cases():
    whole = tiny_model().build()
    for name, start, says in (
            ("empty", b"", "an empty one"), ("three-bytes", b"GGU", "'GGU'"), ("text", b"This is no model.\n", "'This is '"),
            ("lfs-pointer", POINTER, "Git LFS pointer"), ("ggjt", b"tjgg" + bytes(64), "older than GGUF"),
            ("zip", b"PK\x03\x04" + bytes(64), "zip file or PyTorch"), ("terminal", b"\x1b[2J\x07\r\n", r"'\\x1b\[2J"),
            ("safetensors", b"\x02" + bytes(7) + b"{}", "SafeTensors"), ("magic-alone", b"GGUF", "the version"),
            ("big-endian-3", b"GGUF\0\0\0\3" + whole[8:], "big-endian"), ("big-endian-2", b"GGUF\0\0\0\2" + bytes(16), "big-endian")):
        yield gguf_case("format-" + name, "format", start, says)
    for version in (0, 1, 4, 2**32 - 1):
        model = tiny_model()
        model.version = version
        yield gguf_case(f"version-{version}", "format", model, f"version 2 or 3, got version {version}")
    for part in (23, 24, 200, 5000, len(whole) - 1):
        yield gguf_case(f"cut-{part}", "range", whole[:part], r"\[gguf\] expected .*model\.gguf")


def count_cases():
    for name, count, says in (("minus-1", HUGE, "a negative or huge number"), ("40-bits", 2**40, "at most 65536"),
                              ("more-than-there-are", 60_000, r"only \d+ bytes|end|at most|expected")):
        for what in ("n_tensors", "n_keys"):
            model = tiny_model()
            setattr(model, what, count)
            yield gguf_case(f"{what}-{name}", "length", model, says)
    few = tiny_model()
    few.n_keys = 3  # the rest is read as tensors
    yield gguf_case("n_keys-3", "length", few, r"\[gguf\] expected")


def length_cases():
    for name, length in (("minus-1", HUGE), ("2-to-63", 2**63), ("beyond-the-file", 16_000_000)):
        key = Gguf()
        key.n_keys, key.more_entries = 1, number(U64, length) + b"abc"
        yield gguf_case("key-length-" + name, "length", key, "a metadata key of at most 65535 bytes")
        value = tiny_model().set_raw("general.name", STRING, number(U64, length) + b"abc")
        yield gguf_case("string-length-" + name, "length", value, "at most 16777216 bytes|only .* bytes up to the end")
        tensor = tiny_model()
        tensor.more_entries, tensor.n_keys = text("last") + number(U32, STRING) + number(U64, length), len(tensor.keys) + 1
        yield gguf_case("last-string-length-" + name, "length", tensor, "at most 16777216 bytes|only .* bytes up to the end")
    for kind in (U8, U32, U64, F32, BOOL, STRING):
        for name, length in (("minus-1", HUGE), ("wraps-as-bytes", 2**61), ("wraps-as-words", 2**62), ("32-bits", 2**32),
                             ("beyond-the-file", 10_000_000)):
            model = tiny_model().set_array("general.tags", kind, [], length=length)
            yield gguf_case(f"array-of-{kind}-length-{name}", "length", model,
                            "at most 16777216 values in an array|only .* bytes up to the end")
    long_key = tiny_model().set("k" * 70_000, U8, 1)
    yield gguf_case("key-of-70000-bytes", "dimensions", long_key, "a metadata key of at most 65535 bytes")


def metadata_type_cases():
    for kind in (13, 99, 2**31, 2**32 - 1):
        yield gguf_case(f"value-type-{kind}", "type", tiny_model().set_raw("general.x", kind, bytes(8)), f"type {kind}")
        model = tiny_model().set_array("general.x", U8, [1], kind_number=kind)
        yield gguf_case(f"array-type-{kind}", "type", model, f"type {kind}")
    nested = (number(U32, ARRAY) + number(U64, 1)) * 100_000
    yield gguf_case("arrays-100000-deep", "type", tiny_model().set_raw("general.x", ARRAY, nested), "an array of arrays")
    yield gguf_case("boolean-2", "type", tiny_model().set_raw("general.x", BOOL, b"\2"), "a boolean of 0 or 1, got 2")
    twice = tiny_model()
    twice.more_entries, twice.n_keys = text("general.name") + number(U32, U8) + b"\1", len(twice.keys) + 1
    yield gguf_case("key-twice", "type", twice, "'general.name' to be there once, got it twice")
    for alignment in (0, 1, 4, 24, 33, 2**31, 2**32 - 1):
        model = tiny_model().set("general.alignment", U32, alignment)
        yield gguf_case(f"alignment-{alignment}", "type", model, f"general.alignment.* got {alignment}")
    for name, kind, value, says in (("negative", I64, -32, "-32"), ("64-bits", U64, 2**32 + 32, "4294967328"),
                                    ("text", STRING, "32", "a string"), ("float", F32, 32.0, "a number")):
        model = tiny_model().set("general.alignment", kind, value)
        yield gguf_case("alignment-" + name, "type", model, f"general.alignment.*{says}")


def tensor_cases():
    name = "blk.0.attn_q.weight"
    for label, kind, dimensions in (
            ("32-bits-squared", "wrap", [2**32, 2**32]), ("16-bits-to-the-4th", "wrap", [2**16] * 4),
            ("31-bits-squared-times-4", "wrap", [2**31, 2**31]), ("62-bits", "wrap", [2**62]),
            ("product-wraps-to-2", "wrap", [3, 0x5555555555555556]), ("product-wraps-to-0", "wrap", [2**63 - 1, 2, 2]),
            ("minus-1", "wrap", [32, HUGE]), ("2-to-63", "wrap", [2**63]), ("zero", "wrap", [32, 0]),
            ("five", "dimensions", [1, 1, 1, 1, 1024]), ("a-thousand", "dimensions", [1] * 1000), ("none", "dimensions", [])):
        yield gguf_case("dimensions-" + label, kind, tiny_model().change(name, dimensions=dimensions),
                        r"expected .*dimension.*'blk.0.attn_q.weight'|'blk.0.attn_q.weight'.*overflow")
    for n in (5, 2**31, 2**32 - 1):
        yield gguf_case(f"dimensions-count-{n}", "dimensions", tiny_model().change(name, n_dimensions=n), f"1 to 4 dimensions.*got {n}")
    for label, kind, offset, says in (
            ("past-the-end", "range", 2**20, "within .* bytes, got 4096 bytes from 1048576"),
            ("ends-past-the-end", "range", 70_400, "within .* bytes"), ("wraps-to-0", "wrap", 2**64 - 4096, "within .* bytes"),
            ("huge", "wrap", 2**63, "within .* bytes"), ("not-aligned", "type", 36, "a multiple of 32, got 36"),
            ("shared", "range", 0, "overlap")):
        yield gguf_case("offset-" + label, kind, tiny_model().change(name, offset=offset), f"'{name}'.*{says}|{says}")
    for number_ in (4, 9, 24, 31, 1000, 2**32 - 1):
        yield gguf_case(f"tensor-type-{number_}", "type", tiny_model().change(name, kind=number_), f"type {number_}.*'{name}'")
    model = tiny_model().change(name, kind=TENSOR_Q8_0, dimensions=[16, 64])
    yield gguf_case("row-of-half-a-block", "wrap", model, "multiple of 32 values .* rows of 16")
    yield gguf_case("larger-type-than-data", "range", tiny_model().change("output_norm.weight", dimensions=[2**20]), "within .* bytes")
    twice = tiny_model().add_tensor("again", [32], TENSOR_F32, bytes(128))
    yield gguf_case("tensor-twice", "range", twice.change("again", name="output_norm.weight"), "'output_norm.weight' twice")
    yield gguf_case("tensor-name-of-300-bytes", "dimensions", tiny_model().change(name, name="n" * 300), "at most 256 bytes")
    for label, bad in (("escape", "t\x1b]0;title\x07"), ("line", "t\nemelex: all is well"), ("bytes", b"\xff\xfe\0t")):
        yield gguf_case("tensor-name-with-" + label, "format", tiny_model().change(name, name=bad, kind=1000), r"'(t\\x|\\xff)")


def sparse_cases():
    """Small files on the disk that are large in name, full of zeros."""
    claims = tiny_model()
    claims.more_entries, claims.n_keys = text("x") + number(U32, ARRAY) + number(U32, STRING) + number(U64, 2**22), len(claims.keys) + 1
    yield gguf_case("sparse-2-to-22-empty-strings", "length", claims.header(), r"\[(gguf|metadata)\] expected",
                    sizes={"model.gguf": 40 << 20})
    more = tiny_model()
    more.n_keys = 65_000
    yield gguf_case("sparse-65000-keys", "length", more.header(), "'' to be there once", sizes={"model.gguf": 40 << 20})
    many = tiny_model()
    many.n_tensors = 65_000
    yield gguf_case("sparse-65000-tensors", "length", many.header(), "1 to 4 dimensions", sizes={"model.gguf": 40 << 20})
    giant = tiny_model().add_tensor("extra", [2**36], TENSOR_F32, b"")
    yield gguf_case("sparse-tensor-of-256-gb", "sizes", giant, "within", sizes={"model.gguf": 40 << 20})


def cases():
    for group in (format_cases, count_cases, length_cases, metadata_type_cases, tensor_cases, sparse_cases):
        yield from group()
