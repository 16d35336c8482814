"""Compares a model split by the `gguf` package, as llama.cpp splits it, with the same model in one file.

emelex reads the split model by each of its parts and writes it as one file, in which the package must find the metadata,
the tensors and the bytes of the unsplit one. Done for a model of small tensors of several types, and for the demo
model; split by number of tensors, by size, and with a first part that has metadata alone.

    split_check.py GGUF_TOOL [MODEL.gguf]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np

EXAMPLE_SPLITS = [{"split_max_tensors": 1}, {"split_max_tensors": 7}, {"split_max_size": 4_000},
                  {"split_max_tensors": 5, "small_first_shard": True}]
MODEL_SPLITS = [{"split_max_tensors": 1}, {"split_max_tensors": 100}, {"split_max_size": 20_000_000},
                {"split_max_tensors": 50, "small_first_shard": True}]


def write_example(path):
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "example")
    writer.add_string("general.name", "example")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "ä"])
    for i, name in enumerate(["F32", "F16", "BF16", "Q4_0", "Q8_0"] * 5):
        kind = gguf.GGMLQuantizationType[name]
        values = random.standard_normal([3, 2, 5, 64][-1 - i % 4:]).astype(np.float32)
        writer.add_tensor(f"tensor.{i}", gguf.quants.quantize(values, kind), raw_dtype=kind)
    write(writer)


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def split(source, folder, options):
    """Writes the model again in parts, and returns them in order."""
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(Path(folder, "split.gguf"), architecture, **options)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kind = field.types[0]
        item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=item)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    write(writer)
    return sorted(Path(folder).glob("split-*.gguf"))


def content(path):
    reader = gguf.GGUFReader(path)
    metadata = {key: (field.types, field.contents()) for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    tensors = {tensor.name: (tensor.tensor_type, [int(n) for n in tensor.shape], tensor.data.tobytes())
               for tensor in reader.tensors}
    return metadata, tensors


def check(tool, source, options):
    with tempfile.TemporaryDirectory() as folder:
        parts = split(source, folder, options)
        assert len(parts) > 1, parts
        expected = content(source)
        joined = Path(folder, "joined.gguf")
        for part in {parts[0], parts[len(parts) // 2], parts[-1]}:
            subprocess.run([tool, "copy", part, joined], check=True)
            metadata, tensors = content(joined)
            assert metadata == expected[0], set(map(str, metadata.items())) ^ set(map(str, expected[0].items()))
            assert tensors.keys() == expected[1].keys()
            for name, tensor in tensors.items():
                assert tensor == expected[1][name], name
        print(f"{Path(source).name} {options}: {len(parts)} parts, {len(tensors)} tensors are the same")


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        example = Path(folder, "example.gguf")
        write_example(example)
        for options in EXAMPLE_SPLITS:
            check(tool, example, options)
    if len(sys.argv) > 2 and os.path.exists(sys.argv[2]):
        for options in MODEL_SPLITS:
            check(tool, sys.argv[2], options)


if __name__ == "__main__":
    main()
