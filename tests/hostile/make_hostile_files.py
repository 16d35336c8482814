"""Writes models that are damaged, or made to harm whoever reads them, each into a folder of its own.

    make_hostile_files.py FOLDER

FOLDER/cases.json tells of each what to open, and what emelex has to do: its exit code, a regular expression for its one
line on stderr, and the kind of flaw (case.py has the list) that it stands for. Nothing but Python is needed.
"""

import dataclasses
import json
import os
import sys

import gguf_cases
import mlx_cases
import model_cases
import safetensors_cases
import split_cases
import tokenizer_cases
from case import KINDS


def all_cases():
    result = [case for module in (gguf_cases, model_cases, split_cases, safetensors_cases, mlx_cases,
                                   tokenizer_cases) for case in module.cases()]
    names = [case.name for case in result]
    repeated = {name for name in names if names.count(name) > 1}
    assert not repeated, repeated
    assert {case.kind for case in result} == set(KINDS)
    return result


def write(case, root):
    """→ the path to open."""
    folder = os.path.join(root, case.name)
    os.makedirs(folder)
    for name, content in case.files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
            if name in case.sizes:
                file.truncate(case.sizes[name])
    return os.path.join(folder, case.open)


def main():
    root = sys.argv[1]
    table = []
    for case in all_cases():
        entry = dataclasses.asdict(dataclasses.replace(case, files={}))
        entry.update(open=os.path.relpath(write(case, root), root), kind=case.kind, flaw=KINDS[case.kind])
        del entry["files"], entry["sizes"]
        table.append(entry)
    with open(os.path.join(root, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(table, file, indent=1)
    print(f"{len(table)} cases in {root}")


if __name__ == "__main__":
    main()
