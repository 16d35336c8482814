"""The chat, on a pseudo-terminal."""

import json
import os
import re
import unittest

from program import EMELEX, MODEL, NO_MODEL, ProgramTest, skip
from terminal import Terminal

PROMPT = ">>> "


class Chat(ProgramTest):
    def open(self, *arguments):
        self.chat = Terminal([EMELEX, "run", MODEL, "--temperature", "0", *arguments], self.env)
        self.chat.expect_prompt(PROMPT)

    def say(self, line):
        """Sends a line and returns what was printed until the next prompt."""
        self.chat.send(line + "\r")
        return self.chat.expect_prompt(PROMPT)

    def stats(self):
        """Tokens of the last prompt, those of them that were cached, and tokens in the context."""
        text = self.say("/stats")
        prompt = re.search(r"prompt: +(\d+) tokens \((\d+) cached\)", text)
        context = re.search(r"context: +(\d+) of (\d+) tokens", text)
        self.assertTrue(prompt and context, text)
        self.assertLessEqual(int(context[1]), int(context[2]))
        return int(prompt[1]), int(prompt[2]), int(context[1])

    def test_a_conversation_is_remembered_and_not_computed_again(self):
        self.open("--max-tokens", "8")
        self.say("My name is Ada.")
        first, cached, held = self.stats()
        self.assertEqual(cached, 0)
        self.assertGreaterEqual(held, first)
        self.say("What is my name?")
        second, cached, _ = self.stats()
        self.assertGreater(second, first)
        self.assertGreaterEqual(cached, first)
        print(f"second turn: {cached} of {second} tokens were cached")
        self.chat.send("\x04")
        self.assertEqual(self.chat.wait(), 0)

    def test_help_clear_and_exit(self):
        self.open("--max-tokens", "4", "--system", "Be brief.")
        self.assertIn("no answer yet", self.say("/stats"))
        text = self.say("/help")
        for command in ("/help", "/clear", "/system", "/save", "/load", "/stats", "/exit", '"""', "Ctrl-C"):
            self.assertIn(command, text)
        self.say("Hello")
        self.assertGreater(self.stats()[2], 0)
        self.say("/clear")
        self.assertEqual(self.stats()[2], 0)
        self.assertIn("Be brief.", self.say("/system"))
        self.assertIn("emelex: error:", self.say("/nonsense"))
        self.chat.send("/exit\r")
        self.assertEqual(self.chat.wait(), 0)

    def test_several_lines_are_one_message(self):
        self.open("--max-tokens", "4")
        self.chat.send('"""What is\r')
        self.chat.expect_prompt("... ")
        self.chat.send("/exit\r")  # no command within a message
        self.chat.expect_prompt("... ")
        self.say('my name?"""')
        self.say('"""one line"""')
        self.say('""""""')  # nothing: no message
        self.say("  ")
        self.say(f"/save {self.path('c.json')}")
        self.chat.send("\x04")
        self.assertEqual(self.chat.wait(), 0)
        with open(self.path("c.json"), encoding="utf-8") as file:
            messages = json.load(file)
        self.assertEqual([message["role"] for message in messages], ["user", "assistant"] * 2)
        self.assertEqual([message["content"] for message in messages[::2]], ["What is\n/exit\nmy name?", "one line"])

    def test_a_saved_conversation_goes_on(self):
        self.open("--max-tokens", "4")
        self.say("My name is Ada.")
        self.say(f"/save {self.path('c.json')}")
        answer = self.say("What is my name?")
        self.say("/clear")
        self.assertIn("2 messages loaded", self.say(f"/load {self.path('c.json')}"))
        self.assertEqual(self.say("What is my name?"), answer)  # computed from scratch this time
        self.assertIn("emelex: error:", self.say("/load missing.json"))
        self.chat.send("\x04")
        self.assertEqual(self.chat.wait(), 0)

    def test_an_interrupt_stops_the_answer_and_twice_leaves(self):
        self.open("--max-tokens", "5000")
        self.chat.send("Write a long story about the sea.\r")
        self.chat.expect("\n")
        self.chat.expect(" ")  # at once: a quick machine soon has the whole answer
        self.chat.send("\x03")
        self.chat.expect_prompt(PROMPT)
        self.assertGreater(self.stats()[2], 0)
        self.chat.send("\x03")
        self.assertIn("leaves", self.chat.expect_prompt(PROMPT))
        self.chat.send("\x03")
        self.assertEqual(self.chat.wait(), 0)

    def test_a_message_that_does_not_fit_is_not_taken(self):
        self.open("--max-tokens", "4", "--context", "96")
        self.say("Hello")
        self.assertIn("emelex: error:", self.say("1 " * 35))  # many tokens in one line of the terminal
        self.assertNotIn("emelex: error:", self.say("Hi"))
        self.chat.send("\x04")
        self.assertEqual(self.chat.wait(), 0)


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    unittest.main(verbosity=2)
