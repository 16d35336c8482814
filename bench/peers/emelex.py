"""emelex itself, and what it knows of a model's files."""

import functools
import json

from . import Reading, child


class Emelex:
    def __init__(self, program, threads, name="emelex", model=None, device="cpu"):
        """With `model`, that one is measured in place of the model that is asked for."""
        self.program, self.name, self.model, self.device = program, name, model, device
        self.flags = ["-t", threads, "--device", device]

    def version(self):
        lines = child.run([self.program, "--version"], 60).output.splitlines()
        return ", ".join(line.strip() for line in lines)

    def run(self, model, test, timeout):
        path = self.model or model["path"]
        if test.kind == "first":
            outcome = child.run([self.program, "run", path, prompt(self.program, path, test.tokens), "--raw",
                                 "--max-tokens", 1, "--temperature", 0, "--context", 512, *self.flags], timeout)
            return Reading(outcome.seconds_to_output, outcome.peak_bytes, outcome.others)
        lengths = ["-p", test.tokens, "-n", 0] if test.kind == "prompt" else ["-p", 0, "-n", test.tokens]
        if self.device == "cpu" and test.kind == "generate":
            lengths.append("--probe")
        outcome = child.run([self.program, "bench", path, *lengths, "-d", test.depth, "-b", test.batch, "-r", 1,
                             "-o", "json", *self.flags], timeout)
        row = json.loads(outcome.output)["tests"][0]
        memory = row["memory_bytes_per_second"] / 1e9 or None
        return Reading(row["median"], outcome.peak_bytes, outcome.others, memory)


@functools.cache
def prompt(program, path, tokens):
    """A text of so many tokens, those included that the model puts before every text."""
    shown = json.loads(child.run([program, "show", "--json", path], 60).output)
    before = 1 if (shown["tokenizer"] or {}).get("adds_bos") else 0
    for words in range(1, tokens + 1):
        text = " x" * words
        ids = child.run([program, "tokenize", "--ids", path, text], 60).output.split()
        if len(ids) + before == tokens:
            return text
    raise child.Failure(f"found no prompt of {tokens} tokens")


def describe(program, path):
    """What limits follow from. Products: weights that every token is multiplied with, in the layers and for the logits."""
    shown = json.loads(child.run([program, "show", "--json", path], 60).output)
    if not shown["runs"]:
        raise child.Failure(shown["not_run"])
    values = {kind["kind"]: sum(t["values"] for t in kind["types"])
              for kind in shown["kinds"] if not kind["kind"].endswith("norm")}
    head = values.get("output") or values.get("token_embd", 0)
    layers = sum(n for kind, n in values.items() if kind not in ("output", "token_embd"))
    return {
        "name": shown["name"],
        "path": str(path),
        "file_bytes": shown["bytes"],
        "active_bytes": shown["active_bytes"],
        "parameters": shown["parameters"],
        "experts": bool(shown["experts"]),
        "layer_products": None if shown["experts"] else layers,
        "head_products": head,
        "kv_bytes_per_token": shown["layers"] * shown["kv_heads"] * (shown["head_dim"] + shown["value_dim"]) * 2,
    }
