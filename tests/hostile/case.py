"""A hostile model: its files, what emelex has to say about it, and the kind of flaw that it stands for."""

import dataclasses

# The kinds of flaw that readers of model files had, with where; each has to have a case.
KINDS = {
    "wrap": "dimensions, counts or offsets whose product or sum wraps: CVE-2024-21802, CVE-2024-23605, CVE-2025-53630, "
            "CVE-2026-27940, CVE-2026-33298",
    "length": "array and string lengths believed before the file's size is looked at: CVE-2024-21825, CVE-2024-21836, "
              "CVE-2024-23496",
    "range": "a tensor's offset past the end, and memory leaked into the result: CVE-2026-7482",
    "vocabulary": "token lengths, counts that disagree between arrays, a missing array: CVE-2025-49847, CVE-2025-52566",
    "type": "alignment of zero or not a power of two, array elements of another type, byte tokens: llama.cpp #27226",
    "dimensions": "more dimensions than there is room for, 32-bit truncation, lengths of keys: CVE-2025-62608, "
                  "CVE-2025-62609, mlx #3358, #4136, #4213, #4245",
    "request": "negative or huge numbers where a person or a saved session gives them: CVE-2026-21869, CVE-2026-43629",
    "format": "files of another format, version or byte order",
    "json": "JSON that is deep, large, malformed or ambiguous",
    "sizes": "metadata that contradicts the tensors or is out of all bounds",
    "values": "weights that are no numbers",
    "split": "parts of a model that contradict each other",
    "folder": "names that lead out of the model's folder",
    "private": "keys that the program means for itself, forged in a file",
    "template": "chat templates that reach for more than text, or never end",
}


@dataclasses.dataclass
class Case:
    name: str
    kind: str  # of KINDS
    files: dict  # name in the case's folder → bytes
    says: str  # a regular expression for what stderr says
    open: str = "model.gguf"  # what emelex is given
    commands: tuple = ("tokenize", "run")
    arguments: tuple = ()
    exit: int = 1
    sizes: dict = dataclasses.field(default_factory=dict)  # name → size that it is extended to, without taking disk


def gguf_case(name, kind, model, says, **options):
    """`model` is a Gguf, or the file's bytes."""
    return Case(name, kind, {"model.gguf": model if isinstance(model, bytes) else model.build()}, says, **options)
