"""emelex eval: the figures of a text, progress where a person sees it, and Ctrl-C."""

import json
import math
import os
import re
import signal
import time
import unittest

from interrupt_test import INTERRUPTED, wait_until_watched
from program import EMELEX, MODEL, NO_MODEL, ProgramTest, skip
from terminal import Terminal

TEXT = ("Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do. "
        "In 1869 a clerk in Lyon measured the rainfall of 214 days and never told anyone why.\n") * 30


class Eval(ProgramTest):
    def setUp(self):
        super().setUp()
        self.text = self.path("text.txt", TEXT.encode())

    def json(self, *arguments, **options):
        result = self.emelex("eval", MODEL, "--json", *arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return json.loads(result.stdout)

    def test_a_text_has_a_perplexity(self):
        report = self.json("-f", self.text, "--context", "64", "--chunks", "4")
        self.assertEqual((report["chunks"], report["predictions"], report["context"]), (4, 4 * 31, 64))
        perplexity = report["perplexity"]
        self.assertAlmostEqual(perplexity["value"], math.exp(perplexity["nll"]), places=9)
        self.assertTrue(1 < perplexity["value"] < 100, perplexity)
        self.assertIsNone(report["comparison"])
        shown = self.emelex("eval", MODEL, "-f", self.text, "--context", "64", "--chunks", "4").stdout.decode()
        self.assertIn(f"perplexity  {perplexity['value']:.4f} +/- {perplexity['error']:.4f}\n", shown)

    def test_stdin_and_any_number_of_threads_give_the_same(self):
        expected = self.json("-f", self.text, "--context", "100", "--chunks", "2", "-t", "1")["perplexity"]
        self.assertEqual(self.json("--context", "100", "--chunks", "2", "-t", "2", stdin=TEXT.encode())["perplexity"], expected)

    def test_a_comparison_has_both_perplexities_and_how_they_differ(self):
        options = ("-f", self.text, "--context", "64", "--chunks", "4")
        same = self.json(*options, "--against", MODEL)["comparison"]
        self.assertEqual((same["kl"], same["kl_max"], same["same_top"], same["ratio"]), (0, 0, 1, 1))
        report = self.json(*options, "--against-kernels", "float")
        other = report["comparison"]["other_perplexity"]["value"]
        self.assertEqual(other, self.json(*options, "--kernels", "float")["perplexity"]["value"])
        self.assertAlmostEqual(report["comparison"]["ratio"], report["perplexity"]["value"] / other, places=9)
        self.assertTrue(0 < report["comparison"]["kl_median"] < report["comparison"]["kl_max"] < 1)
        shown = self.emelex("eval", MODEL, *options, "--against-kernels", "float").stdout.decode()
        for row in ("perplexity", "of the other", "ratio", "KL divergence", "99.9%", "same top token", "right token's p"):
            self.assertIn(row, shown)

    def test_what_can_not_be_measured_is_one_line(self):
        self.check_fails(1, "eval", MODEL, "-f", self.path("short.txt", b"A few words."), says="at least 512 tokens")
        self.check_fails(1, "eval", MODEL, "-f", self.path("missing.txt"), says="missing.txt")
        self.check_fails(1, "eval", MODEL, "-f", self.text, "--context", "10000", says="10000")
        self.check_fails(1, "eval", MODEL, "-f", self.text, "--against", self.path("none.gguf"), says="none.gguf")

    def test_a_terminal_shows_how_far_it_is(self):
        terminal = Terminal([EMELEX, "eval", MODEL, "-f", self.text, "--context", "64", "--chunks", "3"], self.env)
        self.assertEqual(terminal.wait(), 0)
        self.assertRegex(terminal.text, r"\r\x1b\[Kchunk 1 of 3, perplexity [0-9.]+, \d+ s left\r\x1b\[Kchunk 2 of 3")
        self.assertIn("\r\x1b[K" + "Smollm2", terminal.text)

    def interrupt(self, *arguments):
        text = self.path("long.txt", TEXT.encode() * 20)
        terminal = Terminal([EMELEX, "eval", MODEL, "-f", text, "--context", "64", *arguments], self.env)
        terminal.expect("chunk 2 of")
        os.kill(terminal.pid, signal.SIGINT)
        self.assertEqual(terminal.wait(), INTERRUPTED)
        return terminal.text

    def test_an_interrupt_gives_what_was_measured(self):
        text = self.interrupt()
        done, wanted = map(int, re.search(r"interrupted after (\d+) of (\d+) chunks", text).groups())
        self.assertTrue(2 <= done < wanted, text)
        self.assertIn(f"{done} of {wanted} chunks of 64 tokens, {done * 31} predictions", text)
        self.assertIn('"cancelled": true', self.interrupt("--json"))

    def test_an_interrupt_before_the_first_chunk_gives_nothing(self):
        process = self.start("eval", MODEL, "-f", self.path("long.txt", TEXT.encode() * 20), "--context", "4096",
                             "--kernels", "float", "-t", "1")
        wait_until_watched(process)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (INTERRUPTED, b""))
        self.assertRegex(errors.decode(), r"\Aemelex: interrupted after 0 of \d+ chunks\n\Z")


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    unittest.main(verbosity=2)
