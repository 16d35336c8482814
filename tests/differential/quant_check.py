"""Compares emelex's stored number formats with the `gguf` package, bit for bit.

Dequantization: random blocks, with random bits as scales (zeros, subnormals, infinities and NaNs among them), and every
float16 and bfloat16 that there is. Two NaNs are equal whatever their payload: it depends on the processor.
Quantization: random numbers of many magnitudes. Types that are searched for need not be the same, but no worse;
quantize_peer_check.py compares those that the package does not write.

    quant_check.py QUANT_TOOL [BLOCKS]
"""

import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import gguf
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}; see tests/requirements.txt")
    sys.exit(77)  # ctest's sign for skipped, see tests/quant/CMakeLists.txt

# Types that are rounded as the package rounds them; those of the others that it writes; all that are read.
ROUNDED = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
SEARCHED = ["MXFP4", "TQ1_0", "TQ2_0"]
TYPES = ROUNDED + """
    Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4 IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S TQ1_0 TQ2_0
""".split()


def run_tool(tool, mode, name, data):
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(data)
        subprocess.run([tool, mode, name, source, result], check=True, stdout=subprocess.DEVNULL)
        return result.read_bytes()


def same(ours, theirs):
    """Whether float32 arrays have the same bits, or a NaN in the same place."""
    return (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))


def report(mode, name, n, n_wrong):
    print(f"{mode} {name}: {n} compared, {n_wrong} differ")
    return n_wrong == 0


def check_dequantize(tool, name, blocks, random):
    kind = gguf.GGMLQuantizationType[name]
    block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = max(1, blocks * 32 // block_size)
    data = random.integers(0, 256, (blocks, block_bytes), dtype=np.uint8)
    if name in ("F16", "BF16"):
        data = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    with np.errstate(all="ignore"):
        theirs = gguf.quants.dequantize(data.reshape(1, -1), kind).ravel()
    ours = np.frombuffer(run_tool(tool, "dequantize", name, data.tobytes()), dtype=np.float32)
    assert ours.size == theirs.size, (ours.size, theirs.size)
    return report("dequantize", name, ours.size, int((~same(ours, theirs)).sum()))


def check_quantize(tool, name, blocks, random):
    kind = gguf.GGMLQuantizationType[name]
    values = random.standard_normal((blocks, 32)) * 10.0 ** random.uniform(-6, 3, (blocks, 1))
    values[: blocks // 100] = 0
    values = values.astype(np.float32)
    theirs = gguf.quants.quantize(values, kind).tobytes()
    ours = run_tool(tool, "quantize", name, values.tobytes())
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    wrong = np.frombuffer(ours, np.uint8) != np.frombuffer(theirs, np.uint8)
    return report("quantize", name, wrong.size, int(wrong.sum()))


def check_error(tool, name, blocks, random):
    """Searched scales: no larger a squared error than the package's rule, which has no search."""
    kind = gguf.GGMLQuantizationType[name]
    values = random.standard_normal((blocks // 8, 256)) * 10.0 ** random.uniform(-3, 3, (blocks // 8, 1))
    values = values.astype(np.float32)

    def error(data):
        return np.mean((gguf.quants.dequantize(data.reshape(len(values), -1), kind) - values) ** 2, dtype=np.float64)

    ours = error(np.frombuffer(run_tool(tool, "quantize", name, values.tobytes()), np.uint8))
    theirs = error(gguf.quants.quantize(values, kind))
    print(f"quantize {name}: {np.sqrt(ours / theirs):.4f} of the package's root mean square error")
    return bool(ours <= theirs)


def main():
    tool = sys.argv[1]
    blocks = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    random = np.random.default_rng(20240601)
    good = [check_dequantize(tool, name, blocks, random) for name in TYPES]
    good += [check_quantize(tool, name, blocks, random) for name in ROUNDED]
    good += [check_error(tool, name, blocks, random) for name in SEARCHED]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
