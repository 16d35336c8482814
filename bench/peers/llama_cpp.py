"""llama.cpp, as the package llama-cpp-python carries it: the libraries and headers of the wheel under a small program."""

import os
from pathlib import Path

from . import Reading, child
from .emelex import prompt


class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, emelex, venv, build_folder, threads):
        self.emelex, self.venv, self.build_folder, self.threads = emelex, venv, build_folder, threads

    def program(self):
        packages = next(iter(sorted(Path(self.venv).glob("lib/python3*/site-packages/llama_cpp"))), None)
        if packages is None:
            raise child.Failure(f"llama-cpp-python is not installed in {os.path.relpath(self.venv)}")
        libraries = packages.resolve() / "lib"
        flags = [f"-I{packages.parent / 'include'}", f"-L{libraries}", "-lllama", "-lggml", "-lggml-base", "-lggml-cpu",
                 f"-Wl,-rpath,{libraries}"]
        return child.build(Path(__file__).parent / "llama_cpp_peer.cpp", self.build_folder / "llama_cpp_peer", flags)

    def version(self):
        package = next(iter(sorted(Path(self.venv).glob("lib/python3*/site-packages/llama_cpp_python-*.dist-info"))), None)
        ggml = child.run([self.program(), "version"], 60).output.strip()
        return (package.name.removesuffix(".dist-info").replace("-", " ") + ", " if package else "") + f"ggml {ggml}"

    def run(self, model, test, timeout):
        if os.path.isdir(model["path"]):
            raise child.Failure("reads no folders")
        what = [self.program(), model["path"], self.threads]
        if test.kind == "first":
            outcome = child.run([*what, "first", prompt(self.emelex, model["path"], test.tokens), test.tokens], timeout)
            return Reading(outcome.seconds_to_output, outcome.peak_bytes, outcome.others)
        outcome = child.run([*what, test.kind, test.tokens, test.depth, test.batch], timeout)
        return Reading(float(outcome.output), outcome.peak_bytes, outcome.others)
