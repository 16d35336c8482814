"""A session in a real terminal, from a pull that is interrupted to a removal. As a test it checks what is on the screen;

    EMELEX=build/release/emelex .venv/bin/python -B tests/hub/session_test.py --print

prints it as text, as docs/models.md has it.
"""

import os
import re
import sys
import unittest

from hub_case import HubCase, Slow, tiny_gguf
from program import EMELEX
from terminal import Terminal

REPO, FILE, NAME = "org/Example-GGUF", "Example-Q8_0.gguf", "example:q8_0"
SIZE = 24_000_000
PART = 1_000_000
SLOW = ("--connections", "3", "--part-size", str(PART / 1e6))


class Screen:
    """What a terminal shows of a program's output, as far as emelex's output goes."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text):
        for match in re.finditer(r"\x1b\[(\d*)([A-Za-z])|[^\x1b]", text):
            if match[2]:
                self.control(match[2], int(match[1] or 1))
            elif match[0] == "\r":
                self.column = 0
            elif match[0] == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + match[0] + line[self.column + 1:]
                self.column += 1
        return self

    def control(self, kind, n):
        if kind == "F":  # up, to the line's beginning
            self.row, self.column = max(0, self.row - n), 0
        elif kind in "JK":  # clear to the end, of all or of the line
            self.lines[self.row] = self.lines[self.row][:self.column]
            if kind == "J":
                del self.lines[self.row + 1:]
        else:
            raise AssertionError(f"a control sequence that this screen lacks: {kind}")

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).strip("\n")


class Session(HubCase):
    def setUp(self):
        super().setUp()
        self.content = tiny_gguf(SIZE)
        self.add(REPO, {FILE: self.content})
        self.hub.before_storage = Slow(0.2)
        self.record = []

    def type(self, *command, interrupt_after=0):
        """Runs a command; once its progress has been shown so often, Ctrl-C. Returns the exit code and the screen: before that key,
        where it is pressed, and at the end."""
        terminal = Terminal([EMELEX, *command], self.env)
        screen = ""
        if interrupt_after:
            for _ in range(interrupt_after):
                terminal.expect(" left\r\n")
            screen = Screen().feed(terminal.text).text() + "\n^C\n"
            terminal.send("\x03")
        code = terminal.wait()
        screen += Screen().feed(terminal.text).text()
        prompt = "$ emelex " + " ".join(word for word in command if word not in SLOW)
        shown = prompt + "\n" + screen + (f"\n[exit code {code}]" if code else "")
        self.record.append(shown.replace(os.path.dirname(self.registry_path()), "~/.local/share/OpenAgents"))
        return code, screen

    def damage(self):
        with open(self.models()[NAME]["path"], "r+b") as file:
            file.seek(SIZE // 2)
            file.write(b"\x00\x01\x02")
        self.record.append("  (three bytes in the middle of the file are overwritten)")

    def play(self):
        code, screen = self.type("pull", REPO, *SLOW, interrupt_after=4)
        self.assertEqual(code, 130)
        self.assertRegex(screen, r"(?m)^Example-Q8_0\.gguf +\d+\.\d MB of 24\.0 MB  \d+%$")
        self.assertRegex(screen, r"(?m)^\d+\.\d MB of 24\.0 MB  \d+%  \d+\.\d MB/s  \d+ s left$")
        self.assertTrue(screen.endswith("\nemelex: interrupted; the same command goes on from here"), screen)
        self.assertTrue(0 < self.hub.bytes_sent() < SIZE)

        code, screen = self.type("pull", REPO, *SLOW)
        self.assertEqual(code, 0)
        self.assertNotIn(" left", screen)  # the progress is gone from the screen
        self.assertIn(f"emelex: {FILE}: 24.0 MB, checked", screen)
        self.assertIn("\n" + NAME + "\n", "\n" + screen)
        # Of what had come at the interruption nothing came again.
        self.assertLess(self.hub.bytes_sent(), len(self.content) + 3 * PART)

        code, screen = self.type("list")
        self.assertRegex(screen, r"(?m)^example:q8_0 +24\.0 MB +6\.0M +f32 +512 +llama +never$")
        self.damage()
        code, screen = self.type("verify", NAME)
        self.assertEqual(code, 1)
        self.assertIn("expected the SHA-256 ", screen.replace("\n", ""))
        code, screen = self.type("pull", "--verify", REPO)
        self.assertEqual(code, 0)
        self.assertIn("it is fetched again", screen)
        self.assertEqual(self.type("verify", NAME), (0, "example:q8_0: 24.0 MB as they were"))
        self.assertEqual(self.type("rm", NAME), (0, "emelex: removed example:q8_0, freed 24.0 MB"))
        self.assertIn("emelex: no models in ", self.type("list")[1])

    def test_a_session_looks_as_it_should(self):
        self.play()


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        session = Session("play")
        session.setUp()
        try:
            session.play()
        finally:
            print("\n\n".join(session.record))
            session.doCleanups()
    else:
        unittest.main(verbosity=2)
