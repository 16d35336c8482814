"""The built emelex, given each of the hostile models: one clear line on stderr, the right exit code, and within bounds of
memory and time.

With a word as argument only the cases whose names contain it are run.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))

from make_hostile_files import all_cases, write
from case import Case
from gguf_builder import tiny_model
from mlx_cases import folder as mlx_folder
from program import EMELEX, SANITIZED
from safetensors_cases import folder as safetensors_folder
from split_cases import split
from tokenizer_cases import whole_cases

MEGABYTE = 1 << 20
MEMORY = 400 * MEGABYTE  # of addresses for a tiny model: 300 are too many already
GROWTH = 9  # the files are mapped, and their metadata grows up to eightfold
SECONDS = 60 if SANITIZED else 20
FILTER = sys.argv.pop() if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""


def limit(bytes_of_files):
    def set_limits():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if not SANITIZED:  # a sanitizer reserves terabytes of addresses
            most = MEMORY + GROWTH * bytes_of_files
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return set_limits


class Hostile(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="emelex-hostile-")
        self.addCleanup(shutil.rmtree, self.root)
        self.env = dict(os.environ, EMELEX_MODELS_DIR=os.path.join(self.root, "models"), HOME=self.root)

    def emelex(self, command, path, arguments=()):
        """The exit code, or "timeout", and stderr."""
        files = sum(entry.stat().st_size for entry in os.scandir(os.path.dirname(path)))
        prompt = {"tokenize": ("Hello",), "bench": ("-p", "4", "-n", "1", "-r", "1"),
                  "run": ("Hello", "--max-tokens", "2", "--temperature", "0", "--threads", "1")}[command]
        try:
            result = subprocess.run([EMELEX, command, path, *prompt, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                                    env=self.env, timeout=SECONDS, preexec_fn=limit(files))
        except subprocess.TimeoutExpired:
            return "timeout", ""
        return result.returncode, result.stderr.decode(errors="backslashreplace")

    def check(self, case):
        path = write(case, self.root)
        for command in case.commands:
            with self.subTest(case=case.name, command=command):
                code, stderr = self.emelex(command, path, case.arguments)
                self.assertEqual(code, case.exit, stderr)
                self.assertRegex(stderr, r"\Aemelex: error: [^\n]+\n\Z")
                self.assertNotRegex(stderr[:-1], r"[\x00-\x1f\x7f]")
                self.assertLess(len(stderr), 2000)
                self.assertTrue(re.search(case.says, stderr), f"{case.says!r} is not in {stderr}")
                self.assertNotIn("bug in emelex", stderr)
        shutil.rmtree(os.path.join(self.root, case.name))

    def test_each_is_refused(self):
        cases = [case for case in all_cases() if FILTER in case.name]
        for case in cases:
            self.check(case)
        print(f"{len(cases)} hostile models")

    def test_without_its_flaw_the_model_is_taken(self):
        whole = Case("whole", "", {"model.gguf": tiny_model().build()}, "")
        for case in (whole, split("whole", "", "", lambda models, files: None)):
            path = write(case, self.root)
            for command in ("tokenize", "run"):
                code, stderr = self.emelex(command, path)
                self.assertEqual(code, 0, stderr)
        code, stderr = self.emelex("bench", write(mlx_folder("whole", "", ""), self.root))
        self.assertEqual(code, 0, stderr)
        for case in whole_cases():
            code, stderr = self.emelex("tokenize", write(case, self.root))
            self.assertEqual(code, 0, stderr)
        # The folder's weights are good; there is no tokenizer in it.
        code, stderr = self.emelex("tokenize", write(safetensors_folder("whole", "", ""), self.root))
        self.assertEqual(code, 1)
        self.assertIn("tokenizer", stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
