"""Ctrl-C, and readers that leave: what the user has is kept, and nothing crashes."""

import os
import signal
import subprocess
import time
import unittest

from program import EMELEX, MODEL, NO_MODEL, ProgramTest, skip

COUNTING = ("--raw", "One, two, three,", "--temperature", "0")
INTERRUPTED = 130


def wait_until_watched(process, seconds=30):
    """Until the program has a handler for SIGINT of its own."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                caught = next(line for line in file if line.startswith("SigCgt:"))
        except FileNotFoundError:  # no /proc on this system
            time.sleep(1)
            return
        if int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1:
            return
        time.sleep(0.01)
    raise AssertionError("SIGINT was not watched")


class Interrupt(ProgramTest):
    def test_the_text_so_far_stays(self):
        whole = self.emelex("run", MODEL, *COUNTING, "--max-tokens", "40").stdout
        process = self.start("run", MODEL, *COUNTING, "--max-tokens", "5000")
        first = os.read(process.stdout.fileno(), 65536)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        text = first + rest
        self.assertEqual(process.returncode, INTERRUPTED)
        self.assertRegex(errors.decode(), r"\Aemelex: interrupted; [^\n]+\n\Z")
        n = min(len(text), len(whole))
        self.assertGreater(n, 0)
        self.assertEqual(text[:n], whole[:n])
        text.decode()
        print(f"{len(text)} bytes were kept")

    def test_json_has_the_text_so_far(self):
        process = self.start("run", MODEL, *COUNTING, "--max-tokens", "5000", "--json")
        wait_until_watched(process)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERRUPTED)
        self.assertIn(b'"finish":"cancelled"', text)

    def long_prompt(self):
        prompt = self.path("prompt.txt", b"many words and more " * 1800)  # some seconds of work
        process = self.start("run", MODEL, "--raw", "--file", prompt, "--max-tokens", "5", "-t", "1")
        wait_until_watched(process)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        return process

    def test_a_prompt_is_interrupted_too(self):
        process = self.long_prompt()
        text, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, text), (INTERRUPTED, b""))
        self.assertIn(b"interrupted", errors)

    def test_twice_leaves_at_once(self):
        process = self.long_prompt()
        time.sleep(0.05)  # equal signals that wait are one
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        text, _ = process.communicate(timeout=60)
        seconds = time.monotonic() - begin
        self.assertEqual((process.returncode, text), (INTERRUPTED, b""))
        self.assertLess(seconds, 5)
        print(f"left after {seconds:.3f} s")


class ClosedPipe(ProgramTest):
    def test_a_reader_that_leaves_ends_it_quietly(self):
        process = self.start("run", MODEL, "Tell a very long story.", "--max-tokens", "2000")
        process.stdout.read(1)
        process.stdout.close()
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()
        self.assertEqual(process.wait(60), 0)

    def test_head_takes_what_it_wants(self):
        script = '"$0" run "$1" --raw "One, two, three," --temperature 0 --max-tokens 2000 | head -c 10; echo "|${PIPESTATUS[0]}"'
        result = subprocess.run(["/bin/bash", "-c", script, EMELEX, MODEL], capture_output=True, env=self.env, timeout=300)
        self.assertRegex(result.stdout.decode(), r"\A.{10}\|0\n\Z")
        self.assertEqual(result.stderr, b"")


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    unittest.main(verbosity=2)
