"""llama.cpp's logits, asked for in a process of their own, as some files abort it: Worker().logits(path, ids)."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np


class Worker:
    def __init__(self, context=512):
        self.context, self.process = context, None

    def _start(self):
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)  # fmt: skip

    def logits(self, path, ids):
        """[tokens, vocabulary], or None where llama.cpp refuses the file."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        with tempfile.TemporaryDirectory() as folder:
            given, got = Path(folder) / "ids.npy", Path(folder) / "got.npy"
            np.save(given, np.array(ids, np.int32))
            try:
                print(path, given, got, self.context, sep="\t", file=self.process.stdin, flush=True)
                answer = self.process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            if answer == "":  # it ended
                self.process.kill()
                self.process.wait()
                self.process = None
                return None
            return np.load(got) if answer == "done\n" else None


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what llama.cpp prints
    import llama_cpp

    for line in sys.stdin:
        path, given, got, context = line.rstrip("\n").split("\t")
        ids = np.load(given).tolist()
        try:
            model = llama_cpp.Llama(path, n_ctx=int(context), n_batch=int(context), logits_all=True, verbose=False, n_threads=1,
                                    type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)  # fmt: skip
            model.eval(ids)
            np.save(got, model.scores[: len(ids)].copy())
            model.close()
            answer = "done"
        except Exception:
            answer = "refused"
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
