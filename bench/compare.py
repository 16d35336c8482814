"""emelex beside other programs: same file, same threads, in turn, several rounds, with probes of the machine in between.

Machines are shared and drift, so a round runs all programs and a ratio is taken within the round. Run it through
bench/compare, which installs what it needs.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import machine
import picture
import report
from peers import Test, child
from peers.emelex import Emelex, describe
from peers.llama_bench import LlamaBench
from peers.llama_cpp import LlamaCpp
from peers.mlx_lm import MlxLm
from suite import ROWS, Entry, cpu_suite, provide

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/compare"


def numbers(text):
    return [int(number) for number in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("models", nargs="*", type=Path, metavar="MODEL", help=".gguf files or MLX folders; without any, the demo model")
    add("--suite", choices=["cpu"], help="the demo model and random ones, made in build/models where missing (10 GB)")
    add("--shape", default="llama-3.2-3b", help="of the suite's random models, as random_model.py knows it")
    add("--rows", type=lambda text: text.split(","), metavar="ROW,…", help="only these: " + ", ".join(ROWS))
    add("-p", "--prompt", type=numbers, default=[512], metavar="N,…", help="tokens of a prompt, a row for each [512]")
    add("-n", "--generate", type=int, default=128, help="tokens to generate [128]")
    add("-s", "--short", type=int, default=32, help="tokens to generate at depth and by each of several sequences [32]")
    add("-d", "--depth", type=int, default=4096, help="tokens in the cache in the deep rows [4096]")
    add("-b", "--batch", type=numbers, default=[32], metavar="N,…", help="sequences in the batch rows [32]")
    add("--device", choices=["cpu", "gpu"], default="cpu", help="what emelex computes on [cpu]")
    add("--bandwidth", type=float, metavar="GB/S", help="of the GPU's memory, for the limits; on a CPU it is probed")
    add("-t", "--threads", type=int, default=machine.cores(), help="of every program [one a physical core]")
    add("-r", "--rounds", type=int, default=3, help="[3]")
    add("--peer", action="append", choices=["llama.cpp", "mlx-lm", "none"], help="may be repeated [llama.cpp]")
    add("--llama-bench", action="append", default=[], metavar="[NAME=]PATH", help="any llama-bench, with flags of its own after "
        "the path; may be repeated")
    add("--beside", type=Path, metavar="MODEL", help="another model for emelex to run, compared as if it were a peer")
    add("--emelex", default=str(ROOT / "build/release/emelex"), help="the program [build/release/emelex]")
    add("--timeout", type=float, default=1800, help="seconds that one run may take [1800]")
    for name in ("md", "json", "svg"):
        add(f"--{name}", type=Path, metavar="FILE", help=f"write the {'picture' if name == 'svg' else 'result'} there")
    arguments = parser.parse_args()
    unknown = set(arguments.rows or []) - set(ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    if min(*arguments.prompt, arguments.generate, arguments.short, arguments.depth, *arguments.batch, arguments.threads,
           arguments.rounds) < 1:
        parser.error("expected numbers of 1 or more")
    return arguments


def make_tests(arguments, rows):
    """[(row, its test)]"""
    tests = {
        "prefill": [Test("prompt", n) for n in arguments.prompt],
        "decode": [Test("generate", arguments.generate)],
        "decode-deep": [Test("generate", arguments.short, depth=arguments.depth)],
        "prefill-deep": [Test("prompt", n, depth=arguments.depth) for n in arguments.prompt],
        "batch": [Test("generate", arguments.short, batch=n) for n in arguments.batch],
        "first": [Test("first", 16)],
    }
    return [(row, test) for row in rows for test in tests[row]]


def make_peers(arguments):
    peers = []
    for peer in arguments.peer or ["llama.cpp"]:
        if peer == "llama.cpp":
            peers.append(LlamaCpp(arguments.emelex, ROOT / ".venv-peers", BUILD, arguments.threads))
        if peer == "mlx-lm":
            peers.append(MlxLm(ROOT / ".venv-peers"))
    runs = 5 if arguments.device == "gpu" else 1  # with CUDA the first after its warm-up is slower than the others
    return peers + [LlamaBench(command, arguments.threads, arguments.emelex, runs) for command in arguments.llama_bench]


def make_entries(arguments):
    entries = [Entry(path, ROWS, beside=arguments.beside) for path in arguments.models]
    if arguments.suite:
        entries += cpu_suite(ROOT, arguments.emelex, arguments.shape)
    return entries or [Entry(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf", ROWS, beside=arguments.beside)]


class Comparison:
    def __init__(self, arguments):
        self.arguments = arguments
        self.emelex = Emelex(arguments.emelex, arguments.threads, device=arguments.device)
        self.peers = make_peers(arguments)
        self.probe = machine.Probe(BUILD, arguments.threads)
        self.result = {"machine": machine.describe(arguments.threads), "rounds": arguments.rounds, "versions": {},
                       "probes": [], "models": [], "interrupted": False}

    def note(self, *words):
        print("bench/compare:", *words, file=sys.stderr, flush=True)

    def probed(self, model):
        if self.arguments.device == "gpu":
            return {"read": self.arguments.bandwidth}
        try:
            self.result["probes"].append(self.probe(model["path"]))
        except child.Failure as failure:
            self.note("no probe:", failure)
            self.result["probes"].append({})
        return self.result["probes"][-1]

    def measure(self, entry):
        model = {"title": entry.path.name, "tests": [], "failure": "interrupted"}
        self.result["models"].append(model)
        try:
            if not entry.path.exists() and entry.make:
                self.note("making", entry.path.name)
            provide(entry)
            model.update(describe(self.arguments.emelex, entry.path))
            model["failure"] = None
            model["title"] = entry.path.name if model["name"] in ("", entry.path.name) else f"{model['name']} ({entry.path.name})"
        except child.Failure as failure:
            model["failure"] = str(failure)
            self.note(f"{entry.path.name}: {failure}")
            return
        programs = [self.emelex, *self.peers]
        if entry.beside:
            other = Emelex(self.arguments.emelex, self.arguments.threads, f"emelex on {entry.beside.name}", entry.beside,
                           self.arguments.device)
            programs.insert(1, other)
        names = [row for row in ROWS if row in (self.arguments.rows or entry.rows)]
        tests = make_tests(self.arguments, names)
        for _, test in tests:
            model["tests"].append(vars(test) | {"name": test.name, "programs": {
                p.name: {"readings": [], "failure": None, "same_model": getattr(p, "model", None) is None}
                for p in programs}})
        machine.put_in_page_cache(entry.path)
        for number in range(self.arguments.rounds):
            for (row, test), rows in zip(tests, model["tests"]):
                for _ in range(2 if row in entry.twice else 1):
                    self.take_turns(model, test, rows, programs, f"round {number + 1}, {test.name},")

    def take_turns(self, model, test, rows, programs, words):
        before = None
        for program in programs:
            row = rows["programs"][program.name]
            reading = None
            if row["failure"] is None:
                before = before or self.probed(model)
                try:
                    taken = program.run(model, test, self.arguments.timeout)
                except child.Failure as failure:
                    row["failure"] = str(failure)
                    self.note(words, f"{program.name}: {failure}")
                else:
                    after = self.probed(model)
                    reading = vars(taken).copy()
                    for key in ("read", "int8"):
                        around = report.present([before.get(key), after.get(key)])
                        reading[key] = sum(around) / len(around) if around else None
                    reading["read"] = taken.memory or reading["read"]
                    before = after
                    self.note(words, f"{program.name}: {report.number(taken.value)} {'s' if test.kind == 'first' else 'tok/s'}")
            row["readings"].append(reading)

    def versions(self):
        for program in [self.emelex, *self.peers]:
            try:
                yield program.name, program.version()
            except child.Failure as failure:
                yield program.name, str(failure)

    def finish(self):
        """Writes what there is."""
        self.result["machine"]["load_after"] = os.getloadavg()
        self.result["versions"] = dict(self.versions())
        text = report.markdown(self.result)
        print(text, end="")
        for path, content in ((self.arguments.md, lambda: text), (self.arguments.svg, lambda: picture.svg(self.result)),
                              (self.arguments.json, lambda: json.dumps(self.result, indent=1) + "\n")):
            if path:
                path.write_text(content())


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    comparison = Comparison(arguments)
    try:
        for entry in make_entries(arguments):
            comparison.measure(entry)
    except KeyboardInterrupt:
        comparison.result["interrupted"] = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what there is shall be written whole
    comparison.finish()
    return 130 if comparison.result["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main())
