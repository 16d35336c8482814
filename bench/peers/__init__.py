"""The programs that bench/compare measures, a file each. A program has

    name                      for the report
    version()                 a line that says what it is
    run(model, test, timeout) → Reading; raises child.Failure with the reason where there is none
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Test:
    kind: str  # "prompt", "generate" or "first"
    tokens: int
    depth: int = 0  # tokens in the cache before the clock starts
    batch: int = 1  # sequences

    @property
    def name(self):
        if self.kind == "first":
            return f"first token after {self.tokens}"
        name = ("pp" if self.kind == "prompt" else "tg") + str(self.tokens)
        return name + (f" @ d{self.depth}" if self.depth else "") + (f" x b{self.batch}" if self.batch > 1 else "")


@dataclass
class Reading:
    value: float  # tokens a second; for "first" seconds
    peak_bytes: int
    others: float  # as in child.Outcome
    memory: float | None = None  # GB/s that reading the weights gave during the run, where the program tells
