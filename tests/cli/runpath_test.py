"""No program looks for libraries in a folder that depends on where it is started. BUILD is the build folder."""

import os
import subprocess
import sys
import tempfile
import unittest

from program import skip

BUILD = os.environ["BUILD"]


def elf_files(folder):
    """Programs and shared libraries, links aside."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                head = file.read(18)
            if head[:4] == b"\x7fELF" and head[16] in (2, 3):  # ET_EXEC, ET_DYN; not object files
                yield path


def runpaths(path):
    """The elements of RPATH and RUNPATH."""
    text = subprocess.run(["readelf", "-dW", path], capture_output=True, check=True).stdout.decode(errors="replace")
    for line in text.splitlines():
        if "(RUNPATH)" in line or "(RPATH)" in line:
            yield from line[line.index("[") + 1:line.rindex("]")].split(":")


class Runpath(unittest.TestCase):
    def check(self, folder, least):
        seen = 0
        for path in elf_files(folder):
            for element in runpaths(path):
                safe = element.startswith("/") or element == "$ORIGIN" or element.startswith("$ORIGIN/")
                self.assertTrue(safe, f"{path}: {element!r}")
                seen += 1
        self.assertGreaterEqual(seen, least, folder)

    def test_the_build_tree_has_no_empty_or_relative_element(self):
        self.check(BUILD, 1)

    def test_the_installed_tree_has_none_and_names_no_folder_of_the_build(self):
        with tempfile.TemporaryDirectory(prefix="emelex-runpath-") as prefix:
            for _ in range(2):  # the second one over the first
                subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
            self.check(prefix, 1)
            program = os.path.join(prefix, "bin", "emelex")
            self.assertEqual(list(runpaths(program)), ["$ORIGIN/../lib/emelex/mlx/lib"])
            subprocess.run([program, "--version"], env={}, cwd="/", check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.platform != "linux":
        skip("ELF files alone have a RUNPATH")
    unittest.main(verbosity=2)
