"""mlx-lm on MLX's CPU backend. It computes less than a token a second of a model of 3B, so it gets only a few tokens."""

import os
from pathlib import Path

from . import Reading, child

PROMPT, GENERATE = 16, 4


class MlxLm:
    name = "mlx-lm (CPU)"

    def __init__(self, venv):
        self.python = Path(venv) / "bin/python"

    def version(self):
        code = "import importlib.metadata as m; print('mlx-lm', m.version('mlx-lm'), 'on MLX', m.version('mlx'))"
        return child.run([self.python, "-c", code], 60).output.strip() + f"; float32; at most pp{PROMPT} and tg{GENERATE}"

    def run(self, model, test, timeout):
        if not os.path.isdir(model["path"]):
            raise child.Failure("reads folders only")
        if test.kind == "first" or test.depth or test.batch > 1:
            raise child.Failure("too slow for it")
        tokens = min(test.tokens, PROMPT if test.kind == "prompt" else GENERATE)
        outcome = child.run([self.python, Path(__file__).with_name("mlx_lm_run.py"), model["path"], test.kind, tokens],
                            timeout, dict(os.environ, HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error"))
        return Reading(float(outcome.output), outcome.peak_bytes, outcome.others)
