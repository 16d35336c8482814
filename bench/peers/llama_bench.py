"""Any program with llama-bench's flags and JSON, such as llama.cpp's own and ik_llama.cpp's. What llama-bench does not
measure is asked of programs that lie beside it: llama-batched-bench for several sequences, and a llama_cpp_peer that is
linked with the same libraries for the time to the first token."""

import json
import os
import shlex
import statistics

from . import Reading, child
from .emelex import prompt


class LlamaBench:
    def __init__(self, command, threads, emelex, runs=1):
        """`command`: [NAME=]PATH and flags of its own, as a shell would split them. `emelex` finds prompts. Of `runs` runs
        after the warm-up the median counts."""
        name, equals, rest = command.partition("=")
        if not equals or "/" in name or " " in name:
            name, rest = "", command
        self.command, self.threads, self.emelex, self.runs = shlex.split(rest), threads, emelex, runs
        self.name = name or os.path.basename(self.command[0])
        self.build = None

    def version(self):
        """Known from a run on; the program itself cannot be asked."""
        return self.build or "version not known: no test ran"

    def run(self, model, test, timeout):
        if os.path.isdir(model["path"]):
            raise child.Failure("reads no folders")
        if test.kind == "first":
            return self.first(model, test, timeout)
        if test.batch > 1:
            return self.batch(model, test, timeout)
        outcome = child.run([*self.command, "-m", model["path"], "-t", self.threads, "-r", self.runs, "-o", "json",
                             *self.lengths(test)], timeout)
        try:
            rows = json.loads(outcome.output)
            self.build = f"build {rows[0]['build_number']} ({rows[0]['build_commit']})"
            row, = (row for row in rows if row["n_gen" if test.kind == "generate" else "n_prompt"] == test.tokens)
            return Reading(statistics.median(row.get("samples_ts") or [row["avg_ts"]]), outcome.peak_bytes, outcome.others)
        except (ValueError, LookupError):
            raise child.Failure("its JSON is not llama-bench's") from None

    def neighbour(self, name):
        """A program in llama-bench's folder."""
        path = os.path.join(os.path.dirname(self.command[0]), name)
        if not os.path.exists(path):
            raise child.Failure(f"llama-bench does not measure this, and its folder has no {name}")
        return path

    def first(self, model, test, timeout):
        program = self.neighbour("llama_cpp_peer")
        text = prompt(self.emelex, model["path"], test.tokens)
        outcome = child.run([program, model["path"], self.threads, "first", text, test.tokens], timeout)
        return Reading(outcome.seconds_to_output, outcome.peak_bytes, outcome.others)

    def batch(self, model, test, timeout):
        """llama-batched-bench feeds random tokens, and leaves the logits to themselves. Its first run warms up."""
        if test.kind == "prompt":
            raise child.Failure("llama-batched-bench has no prompt of its own for each sequence after others")
        sequences = f"{test.batch},{test.batch}"
        room = test.batch * (test.depth + test.tokens)
        outcome = child.run([self.neighbour("llama-batched-bench"), *self.command[1:], "-m", model["path"], "-t", self.threads,
                             "-c", room, "-npp", test.depth, "-ntg", test.tokens, "-npl", sequences, "--output-format", "jsonl"],
                            timeout)
        try:
            rows = [json.loads(line) for line in outcome.output.splitlines() if line.startswith("{")]
            return Reading(rows[1]["speed_tg"], outcome.peak_bytes, outcome.others)
        except (ValueError, LookupError):
            raise child.Failure("its lines are not llama-batched-bench's") from None

    def lengths(self, test):
        lengths = ["-p", test.tokens, "-n", 0] if test.kind == "prompt" else ["-p", 0, "-n", test.tokens]
        if not test.depth:
            return lengths
        known = child.run([*self.command, "--help"], 60).output
        if "--n-depth" in known:
            return [*lengths, "-d", test.depth]
        if "-gp <" in known and test.kind == "generate":  # ik_llama.cpp: generation after a prompt
            return ["-p", 0, "-n", 0, "-gp", f"{test.depth},{test.tokens}"]
        raise child.Failure("this llama-bench has no depth for prompts")
