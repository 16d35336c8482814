"""Compares emelex's GGUF reader and writer with the `gguf` package.

A file that the package wrote is read and written again by emelex; the package must find in both files the same metadata,
and the same tensors with the same bytes. Done for a file with every type, and for the demo model where it is there.

    gguf_check.py GGUF_TOOL
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import gguf
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}; see tests/requirements.txt")
    sys.exit(77)  # ctest's sign for skipped, see tests/weights/CMakeLists.txt

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("EMELEX_TEST_MODEL") or str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

SCALARS = [("uint8", 255), ("int8", -128), ("uint16", 65535), ("int16", -32768), ("uint32", 2**32 - 1),
           ("int32", -(2**31)), ("uint64", 2**64 - 1), ("int64", -(2**63)), ("float32", 0.1), ("float64", 0.1)]
ARRAYS = [[1, -2, 3], [0.5, 0.25], [True, False], ["", "a", "ä€😀"]]
TENSOR_TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"]


def write_example(path, alignment):
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "example")
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    for name, value in SCALARS:
        getattr(writer, f"add_{name}")(f"scalar.{name}", value)
    writer.add_bool("scalar.bool", True)
    writer.add_string("scalar.string", "text with ä and \n")
    for i, array in enumerate(ARRAYS):
        writer.add_array(f"array.{i}", array)
    for i, name in enumerate(TENSOR_TYPES):
        kind = gguf.GGMLQuantizationType[name]
        values = random.standard_normal([3, 2, 5, 64][-1 - i % 4:]).astype(np.float32)
        writer.add_tensor(f"tensor.{name}", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def content(path):
    reader = gguf.GGUFReader(path)
    metadata = {key: field.contents() for key, field in reader.fields.items()
                if not key.startswith("GGUF.")}
    tensors = {tensor.name: (tensor.tensor_type, [int(n) for n in tensor.shape], tensor.data.tobytes())
               for tensor in reader.tensors}
    return metadata, tensors


def types(path):
    return {key: field.types for key, field in gguf.GGUFReader(path).fields.items()}


def check(tool, path, copy):
    subprocess.run([tool, "copy", path, copy], check=True)
    (metadata, tensors), (copied_metadata, copied_tensors) = content(path), content(copy)
    assert metadata == copied_metadata, set(map(str, metadata.items())) ^ set(map(str, copied_metadata.items()))
    assert tensors.keys() == copied_tensors.keys()
    for name, tensor in tensors.items():
        assert tensor == copied_tensors[name], name
    print(f"{Path(path).name}: {len(metadata)} keys and {len(tensors)} tensors are the same")


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.gguf")
        for alignment in (32, 64):
            path = Path(folder, f"example-{alignment}.gguf")
            write_example(path, alignment)
            check(tool, path, copy)
        if os.path.exists(MODEL):
            check(tool, MODEL, copy)
            assert types(MODEL) == types(copy), "the widths of numbers differ"


if __name__ == "__main__":
    main()
