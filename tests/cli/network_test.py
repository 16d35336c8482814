"""A model in a local file is run without a single call that has to do with a network, local sockets included."""

import os
import shutil
import subprocess
import sys
import unittest

from program import EMELEX, MODEL, NO_MODEL, SANITIZED, ProgramTest, skip

STRACE = shutil.which("strace")


def network_calls(command, log, **options):
    """The lines of strace about them, and the result of the command."""
    trace = [STRACE, "-f", "-qq", "-e", "trace=network", "-e", "signal=none", "-o", log, *command]
    result = subprocess.run(trace, capture_output=True, stdin=subprocess.DEVNULL, timeout=300, **options)
    with open(log, encoding="utf-8", errors="replace") as file:
        return [line for line in file if "(" in line], result


class Network(ProgramTest):
    def test_there_are_no_network_calls(self):
        log = self.path("strace.txt")
        for arguments in (("run", MODEL, "Hello", "--max-tokens", "4", "--stats"), ("tokenize", MODEL, "Hello"),
                          ("import", MODEL), ("list",), ("bench", MODEL, "-p", "8", "-n", "2", "-r", "1"), ("--version",)):
            with self.subTest(arguments=arguments):
                calls, result = network_calls([EMELEX, *arguments], log, env=self.env)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(calls, [])
                print(f"emelex {arguments[0]}: {len(calls)} network calls")

    def test_the_trace_would_show_them(self):
        code = "import socket; socket.socket(socket.AF_UNIX)"
        calls, _ = network_calls([sys.executable, "-c", code], self.path("strace.txt"))
        self.assertTrue(any("socket(AF_UNIX" in call for call in calls), calls)


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    if STRACE is None:
        skip("strace is not installed")
    if SANITIZED:
        skip("LeakSanitizer can't run under strace; the build without sanitizers is traced")
    tried = subprocess.run([STRACE, "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        skip("strace can't trace here: " + tried.stderr.decode().strip())
    unittest.main(verbosity=2)
