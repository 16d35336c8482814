"""emelex's logits by tests/differential/logits_tool.cpp, whose files are plain arrays of numbers."""

import os
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def run_logits(tool, model, lists, kernels, chunk=None, greedy=None, context=None):
    """Logits of each list of token ids, [tokens, vocabulary]; or, with `greedy`, that many ids that follow each.

    With `context`, in a session of so many tokens whose cache holds float32.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, got = Path(folder) / "lists", Path(folder) / "got"
        given.write_bytes(b"".join(struct.pack(f"<{len(ids) + 1}i", len(ids), *ids) for ids in lists))
        arguments = [str(x) for x in (chunk, greedy) if x is not None]
        if context is not None:
            arguments = [str(chunk or 512), str(greedy or 0), str(context)]
        environment = dict(os.environ, EMELEX_KERNELS=kernels)
        subprocess.run([tool, str(model), given, got, *arguments], env=environment, check=True)
        found = np.fromfile(got, dtype=np.float32 if greedy is None else np.int32)
    if greedy is not None:
        return found.reshape(len(lists), greedy).tolist()
    flat = found.reshape(sum(map(len, lists)), -1)
    return np.split(flat, np.cumsum([len(ids) for ids in lists])[:-1])


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
