"""Checks that an instruction set's object files define no weak symbol.

Of an inline function that several object files define, the linker keeps one. If that is the one of an instruction set's file,
every other file runs its instructions, on CPUs that lack them, too.

    isa_symbols.py NM OBJECT...
"""

import subprocess
import sys


def weak_symbols(nm, path):
    lines = subprocess.run([nm, "--defined-only", path], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[-1] for line in lines if line.split()[-2] in "VvWwu"]


def main():
    nm, paths = sys.argv[1], sys.argv[2:]
    if len({path.rsplit("/", 1)[-1] for path in paths}) == len(paths):
        sys.exit(f"expected the object files of some instruction sets, got {paths}")
    bad = {path: weak_symbols(nm, path) for path in paths}
    for path, names in bad.items():
        print(f"{path}: {len(names)} weak symbols {names[:5]}")
    sys.exit(1 if any(bad.values()) else 0)


main()
