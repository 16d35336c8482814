"""Tokens a second of mlx-lm on the CPU, after a token that is not counted: mlx_lm_run.py FOLDER (prompt | generate) TOKENS"""

import sys
import time
from pathlib import Path

sys.path.pop(0)  # this folder, in which mlx_lm is another file

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model


def main():
    folder, kind, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    mx.set_default_device(mx.cpu)
    model, _ = load_model(folder)
    model.set_dtype(mx.float32)  # many times faster there than float16
    cache = make_prompt_cache(model)
    token = mx.argmax(model(mx.array([[13]]), cache=cache)[:, -1], axis=-1)
    mx.eval(token)
    begin = time.perf_counter()
    if kind == "prompt":
        mx.eval(model(mx.array([[13 + i for i in range(count)]]), cache=cache)[:, -1])
    else:
        for _ in range(count):
            token = mx.argmax(model(token[:, None], cache=cache)[:, -1], axis=-1)
            mx.eval(token)
    print(count / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
