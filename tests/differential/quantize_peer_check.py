"""Compares the error of emelex's quantization with that of llama.cpp's, through the ggml in llama-cpp-python.

For each type and each tensor: the root mean square error of what emelex wrote and of what ggml_quantize_chunk wrote,
both read by ggml, without an importance matrix and, for random tensors, with one, when a column's squared errors count
as its importance says. Ours may be larger by 0.1%. Types that ggml rounds by a plain rule must come out in the same
bytes. The tensors are random ones of several kinds, and those of the demo model where it has been
fetched. At the end, the megabytes of float32 that one core takes in a second.

Blocks of random bytes are also read by both, and must have the same bits.

    quantize_peer_check.py QUANT_TOOL [MODEL.gguf]
"""

import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

SAME_BYTES = "F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0".split()
UNWEIGHTED = "MXFP4 TQ1_0 TQ2_0".split()  # ggml takes no importance matrix for these
SEARCHED = "Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4 TQ1_0 TQ2_0".split()
READ_ONLY = "IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S".split()
COLUMNS = 768


class TypeTraits(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("block_size", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
    ]


class Ggml:
    def __init__(self):
        (path,) = (Path(llama_cpp.__file__).parent / "lib").glob("libggml-base.so")
        self.lib = ctypes.CDLL(str(path))
        self.lib.ggml_get_type_traits.restype = ctypes.POINTER(TypeTraits)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [
            ctypes.c_int64
        ] * 3 + [ctypes.c_void_p]

    def quantize(self, kind, values, importance):
        block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        out = np.zeros(values.size // block_size * block_bytes, np.uint8)
        rows, columns = values.shape
        matrix = None if importance is None else importance.ctypes.data
        size = self.lib.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, rows, columns, matrix)
        assert size == out.size, (size, out.size)
        return out.tobytes()

    def dequantize(self, kind, data):
        block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        traits = self.lib.ggml_get_type_traits(kind).contents
        assert (traits.block_size, traits.block_bytes) == (block_size, block_bytes), traits.name
        data = np.frombuffer(data, np.uint8)
        out = np.zeros(data.size // block_bytes * block_size, np.float32)
        traits.to_float(data.ctypes.data, out.ctypes.data, out.size)
        return out


def run_tool(tool, mode, name, data, importance=None):
    """The tool's output, and what it printed: megabytes a second where it quantized."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(data)
        command = [tool, mode, name, source, result]
        if importance is not None:
            command.append(Path(folder, "importance"))
            command[-1].write_bytes(importance.tobytes())
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        return result.read_bytes(), float(done.stdout or 0)


def random_tensors(random, rows):
    shape = (rows, COLUMNS)
    normal = random.standard_normal(shape)
    row_scales = 10.0 ** random.uniform(-1, 1, (rows, 1))
    yield "normal", normal * 0.02
    yield "row scales", normal * row_scales * 0.01
    yield "heavy tail", random.standard_t(3, shape) * 0.02
    yield "laplace", random.laplace(size=shape)
    yield "uniform", random.uniform(-1, 1, shape)
    yield "positive", random.uniform(0.5, 1.5, shape)
    yield "outliers", np.where(random.random(shape) < 0.005, 30, 1) * normal * 0.01
    yield "tiny", normal * 1e-4
    yield "large", normal * 300


def model_tensors(path):
    """A few matrices as they are in the file, and a product of two, whose values lie on no grid."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}

    def matrix(name):
        return gguf.quants.dequantize(tensors[name].data, tensors[name].tensor_type)

    for name in ["blk.0.attn_q.weight", "blk.14.ffn_down.weight", "blk.29.ffn_gate.weight"]:
        yield name, matrix(name).reshape(-1, COLUMNS)
    product = matrix("blk.3.ffn_down.weight") @ matrix("blk.3.ffn_up.weight")
    yield "blk.3 down · up", product.reshape(-1)[: product.size // COLUMNS * COLUMNS].reshape(-1, COLUMNS)


def rmse(values, other, importance):
    squares = (values.astype(np.float64) - other.reshape(values.shape)) ** 2
    return float(np.sqrt(np.average(squares.mean(axis=0), weights=importance)))


def check_read(tool, ggml, name, random):
    kind = gguf.GGMLQuantizationType[name]
    block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, 400_000 // block_size * block_bytes, dtype=np.uint8).tobytes()
    ours = np.frombuffer(run_tool(tool, "dequantize", name, data)[0], np.float32)
    theirs = ggml.dequantize(kind, data)
    same = (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))
    print(f"read {name}: {ours.size} compared, {int((~same).sum())} differ")
    return bool(same.all())


def check_same_bytes(tool, ggml, name, tensors):
    kind = gguf.GGMLQuantizationType[name]
    other = [
        title
        for title, values in tensors
        if run_tool(tool, "quantize", name, values.tobytes())[0] != ggml.quantize(kind, values, None)
    ]
    print(f"write {name}: {len(tensors)} tensors, other bytes in {other or 'none'}")
    return not other


def check_error(tool, ggml, name, title, values, importance=None):
    """Whether our error is small enough; its ratio to ggml's; the speed."""
    kind = gguf.GGMLQuantizationType[name]
    ours, speed = run_tool(tool, "quantize", name, values.tobytes(), importance)
    theirs = ggml.quantize(kind, values, importance)
    error, reference = (rmse(values, ggml.dequantize(kind, data), importance) for data in (ours, theirs))
    ratio = error / reference if reference > 0 else 1.0 if error == 0 else np.inf
    good = ratio <= 1.001
    title += " (importance)" if importance is not None else ""
    print(f"{name:8} {title:24} {error:12.6g} {reference:12.6g} {ratio:8.4f}{'' if good else '  LARGER'}")
    return good, ratio, speed


def main():
    tool = sys.argv[1]
    model = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    random = np.random.default_rng(20240602)
    ggml = Ggml()
    as_floats = [
        (title, np.ascontiguousarray(values, np.float32)) for title, values in random_tensors(random, rows=256)
    ]
    importance = random.chisquare(1, COLUMNS).astype(np.float32)
    weighted = as_floats[:4]
    if model is not None and model.exists():
        as_floats += [(title, np.ascontiguousarray(values, np.float32)) for title, values in model_tensors(model)]

    good = [check_read(tool, ggml, name, random) for name in SAME_BYTES + SEARCHED + READ_ONLY]
    good += [check_same_bytes(tool, ggml, name, as_floats) for name in SAME_BYTES]
    print(f"\n{'type':8} {'tensor':24} {'our RMSE':>12} {'reference':>12} {'ratio':>8}")
    summary = []
    for name in SEARCHED:
        results = [check_error(tool, ggml, name, title, values) for title, values in as_floats]
        if name not in UNWEIGHTED:
            results += [check_error(tool, ggml, name, title, values, importance) for title, values in weighted]
        good += [result[0] for result in results]
        ratios, speeds = [result[1] for result in results], [result[2] for result in results]
        summary.append(f"{name:8} {min(ratios):8.4f} {max(ratios):8.4f} {np.median(speeds):10.0f}")
    print(f"\n{'type':8} {'least':>8} {'largest':>8} {'MB/s':>10}", *summary, sep="\n")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
