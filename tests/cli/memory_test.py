"""How much memory a run takes at most: the model's file, the KV cache of the tokens that came up, and little more."""

import json
import os
import subprocess
import sys
import unittest

from program import EMELEX, MODEL, NO_MODEL, SANITIZED, ProgramTest, skip

MEGABYTE = 1 << 20


class Memory(ProgramTest):
    def peak(self, *arguments):
        """Peak resident bytes, and the JSON."""
        process = subprocess.Popen([EMELEX, "run", MODEL, "--json", "--temperature", "0", *arguments], env=self.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        answer = json.loads(process.stdout.read())
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), answer

    def check(self, name, *arguments):
        peak, answer = self.peak(*arguments)
        stats = answer["stats"]
        tokens = stats["prompt_tokens"] + stats["generated_tokens"]
        model = os.path.getsize(MODEL)
        cache = tokens * answer["kv_bytes_per_token"]
        most = (model + cache) * 1.1 + 64 * MEGABYTE
        print(f"{name}: {tokens} tokens, file {model / MEGABYTE:.1f} MiB, cache {cache / MEGABYTE:.1f}, "
              f"peak {peak / MEGABYTE:.1f}, allowed {most / MEGABYTE:.1f}")
        self.assertGreater(cache, 0)
        self.assertLess(peak, most)
        return tokens

    def test_a_short_answer(self):
        self.check("short answer", "Hello", "--max-tokens", "8")

    def test_a_long_prompt(self):
        prompt = self.path("prompt.txt", b"Some words that are read and counted. " * 180)
        self.assertGreater(self.check("long prompt", "--file", prompt, "--max-tokens", "8"), 1400)

    def test_a_long_answer(self):
        tokens = self.check("long answer", "--raw", "One, two, three,", "--max-tokens", "300")
        self.assertGreater(tokens, 250)


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    if SANITIZED:
        skip("a sanitizer takes memory of its own; the build without is measured")
    unittest.main(verbosity=2)
