"""A whole run leaks nothing. For builds with AddressSanitizer; LEAKS is a program that leaks, to see that leaks are found.
LSAN_OPTIONS names the suppressions."""

import os
import subprocess
import unittest

from program import MODEL, NO_MODEL, ProgramTest, skip

LEAKS = os.environ["LEAKS"]


class Leaks(ProgramTest):
    def setUp(self):
        super().setUp()
        self.env["ASAN_OPTIONS"] = "detect_leaks=1"

    def test_a_run_leaks_nothing(self):
        for arguments in (("run", MODEL, "Hello", "--max-tokens", "8"), ("tokenize", MODEL, "Hello"), ("import", MODEL),
                          ("list",), ("bench", MODEL, "-p", "8", "-n", "2", "-r", "1", "-b", "2"), ("run", "missing.gguf", "Hi")):
            with self.subTest(arguments=arguments):
                result = self.emelex(*arguments)
                self.assertNotIn(b"Sanitizer", result.stderr)
                self.assertIn(result.returncode, (0, 1))
                print(f"emelex {arguments[0]}: no leak")

    def test_a_leak_would_be_found(self):
        result = subprocess.run([LEAKS], capture_output=True, env=self.env, timeout=60, check=False)
        self.assertIn(b"LeakSanitizer: detected memory leaks", result.stderr)
        self.assertNotEqual(result.returncode, 0)


if __name__ == "__main__":
    if "address" not in os.environ.get("EMELEX_SANITIZE", ""):
        skip("a build without AddressSanitizer; make test-asan has it")
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    unittest.main(verbosity=2)
