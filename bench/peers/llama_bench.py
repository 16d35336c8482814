"""Any program with llama-bench's flags and JSON, such as llama.cpp's own and ik_llama.cpp's."""

import json
import os
import shlex

from . import Reading, child


class LlamaBench:
    def __init__(self, command, threads):
        """`command`: [NAME=]PATH and flags of its own, as a shell would split them."""
        name, equals, rest = command.partition("=")
        if not equals or "/" in name or " " in name:
            name, rest = "", command
        self.command, self.threads = shlex.split(rest), threads
        self.name = name or os.path.basename(self.command[0])
        self.build = None

    def version(self):
        """Known from a run on; the program itself cannot be asked."""
        return self.build or "version not known: no test ran"

    def run(self, model, test, timeout):
        if os.path.isdir(model["path"]):
            raise child.Failure("reads no folders")
        if test.kind == "first":
            raise child.Failure("llama-bench does not measure it")
        if test.batch > 1:
            raise child.Failure("llama-bench has no batch of sequences")
        outcome = child.run([*self.command, "-m", model["path"], "-t", self.threads, "-r", 1, "-o", "json",
                             *self.lengths(test)], timeout)
        try:
            rows = json.loads(outcome.output)
            self.build = f"build {rows[0]['build_number']} ({rows[0]['build_commit']})"
            row, = (row for row in rows if row["n_gen" if test.kind == "generate" else "n_prompt"] == test.tokens)
            return Reading(row["avg_ts"], outcome.peak_bytes, outcome.others)
        except (ValueError, LookupError):
            raise child.Failure("its JSON is not llama-bench's") from None

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
