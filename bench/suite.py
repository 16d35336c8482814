"""The models of `bench/compare --suite cpu`: a small real one, and a large one's shape with random weights in several types,
made where they are missing."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from peers import child

ROWS = ["prefill", "decode", "decode-deep", "prefill-deep", "batch", "first"]
MAKING = 3600  # seconds


@dataclass
class Entry:
    path: Path
    rows: list
    beside: Path = None  # another model that emelex runs for comparison
    make: object = None  # → writes the path that it is given
    twice: tuple = ()  # rows that have two turns a round: programs so near to each other that one tells little


def cpu_suite(root, emelex, shape):
    models = root / "build/models"
    python = next((p for p in (root / ".venv-peers/bin/python", root / ".venv/bin/python") if p.exists()), "python3")
    made = {kind: models / f"random-{shape}.{kind}.gguf" for kind in ("q4_0", "q8_0", "q4_k_m")}

    def random(kind):
        return lambda target: child.run([python, root / "bench/random_model.py", shape, kind, target], MAKING)

    def rounded(*flags):
        def make(target):
            provide(Entry(made["q8_0"], [], make=random("q8_0")))
            child.run([emelex, "quantize", made["q8_0"], target, "--requantize", *flags], MAKING)
        return make

    plain = ["prefill", "decode", "batch", "first"]
    return [
        Entry(models / "SmolLM2-135M-Instruct.Q4_1.gguf", plain),
        Entry(made["q4_0"], ROWS, make=random("q4_0"), twice=("decode",)),
        Entry(made["q4_k_m"], plain, make=rounded("--type", "q4_k_m")),
        Entry(made["q8_0"], plain, make=random("q8_0"), twice=("decode",)),
        Entry(models / f"random-{shape}.mlx-4bit-g64", plain, beside=made["q4_0"],
              make=rounded("--mlx", "--bits", "4", "--group-size", "64")),
    ]


def provide(entry):
    """Makes the model if it is not there, under another name until it is whole. Raises Failure."""
    if entry.path.exists() or entry.make is None:
        return
    entry.path.parent.mkdir(parents=True, exist_ok=True)
    part = entry.path.with_name("part-" + entry.path.name)
    try:
        entry.make(part)
        os.rename(part, entry.path)
    finally:
        for rest in entry.path.parent.glob(f"*{part.name}*"):  # with what a tool keeps beside its output until that is whole
            if rest.is_dir():
                shutil.rmtree(rest)
            else:
                rest.unlink(missing_ok=True)
