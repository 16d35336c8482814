"""The configuration as commands see it: what is set where, what it does, and what is said when it is wrong."""

import json
import math
import os
import re
import subprocess
import sys
import unittest

from program import EMELEX, MODEL, SANITIZED, ProgramTest, needs_model

DOCUMENTATION = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "configuration.md")
SHORT = ("--max-tokens", "6")


class ConfigCase(ProgramTest):
    def write(self, text):
        self.file = self.path("config.toml", text.encode())
        self.env["EMELEX_CONFIG"] = self.file

    def settings(self, *arguments):
        return json.loads(self.emelex("config", "--json", *arguments).stdout)


class Config(ConfigCase):
    def test_every_value_is_shown_with_where_it_comes_from(self):
        self.write("# mine\ntop_p = 0.5\nkv_type = 'q8_0'\n")
        self.env["EMELEX_TOP_K"] = "7"
        settings = self.settings("--temperature", "0.25")
        self.assertEqual(settings["top_p"], {"value": "0.5", "source": "file", "where": self.file + ":2"})
        self.assertEqual(settings["top_k"], {"value": "7", "source": "environment", "where": "EMELEX_TOP_K"})
        self.assertEqual(settings["temperature"], {"value": "0.25", "source": "flag", "where": "--temperature"})
        self.assertEqual(settings["min_p"]["source"], "default")
        self.assertEqual(settings["models_dir"]["value"], self.env["EMELEX_MODELS_DIR"])
        table = self.emelex("config").stdout.decode()
        self.assertRegex(table, r"(?m)^kv_type +q8_0 +" + self.file + ":3$")
        self.assertEqual(self.emelex("config", "get", "top_p").stdout, b"0.5\n")
        self.assertEqual(self.emelex("config", "path").stdout.decode(), self.file + "\n")

    def test_every_setting_is_documented(self):
        with open(DOCUMENTATION, encoding="utf-8") as file:
            rows = {row.split("|")[1].strip(" `"): row.split("|")[3] for row in file if row.startswith("| `")}
        settings = self.settings()
        self.assertEqual(list(rows), sorted(rows, key=list(settings).index))  # the same order, and no other
        self.assertEqual(set(rows), set(settings))
        for name, setting in settings.items():
            if setting["source"] == "default" and setting["value"]:
                self.assertEqual(rows[name].strip(), setting["value"], name)

    def test_what_is_written_is_read_and_leaves_comments(self):
        self.write("# mine\ntop_p = 0.5  # careful\n")
        self.assertEqual(self.emelex("config", "set", "top_p", "0.75").returncode, 0)
        self.assertEqual(self.emelex("config", "set", "memory_limit", "6GB").returncode, 0)
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(file.read(), '# mine\ntop_p = 0.75  # careful\nmemory_limit = "6GB"\n')
        self.env["EMELEX_TOP_P"] = "1"
        self.assertIn(b"EMELEX_TOP_P is set as well", self.emelex("config", "set", "top_p", "0.5").stderr)

    def test_mistakes_are_errors_with_their_line_in_every_command(self):
        self.write("\ntop_pp = 1\n")
        for command in (["config"], ["list"], ["run", "m", "Hi"], ["bench", "m"], ["gc"], ["verify"]):
            self.check_fails(1, *command, says="config.toml:2: there is no setting 'top_pp'; did you mean top_p")
        self.assertEqual(self.emelex("config", "path").returncode, 0)  # needed to mend it
        self.assertEqual(self.emelex("--version").returncode, 0)
        self.write("threads = 'x'")
        self.check_fails(1, "config", "set", "top_p", "1", says="config.toml:1: expected a whole number")
        self.check_fails(1, "config", "get", "nonsense", says="no setting 'nonsense'")
        self.check_fails(2, "config", "set", "top_p", says="VALUE")
        self.write("")
        self.env["EMELEX_AUTO_PULL"] = "perhaps"
        self.check_fails(1, "list", says="EMELEX_AUTO_PULL: expected true or false")

    def test_models_lie_where_the_configuration_says(self):
        del self.env["EMELEX_MODELS_DIR"]
        self.write("models_dir = 'here'")
        self.assertIn(self.path("here").encode(), self.emelex("list").stderr)

    def test_a_command_without_a_model_says_how_to_choose_one(self):
        for command in ("run", "bench", "tokenize", "show", "eval", "template"):
            self.check_fails(2, command, says="emelex default MODEL")


@needs_model
class WithModel(ConfigCase):
    def test_a_command_without_a_model_takes_the_default_one(self):
        self.write("temperature = 0")
        self.assertEqual(self.emelex("import", MODEL, "--name", "chosen").returncode, 0)
        self.assertEqual(self.emelex("import", MODEL, "--name", "other").returncode, 0)
        self.assertEqual(self.emelex("default", "chosen").returncode, 0)
        answer = self.emelex("run", *SHORT, stdin=b"Say hi")
        self.assertEqual((answer.returncode, bool(answer.stdout)), (0, True), answer.stderr)
        self.assertEqual(answer.stdout, self.emelex("run", MODEL, "Say hi", *SHORT).stdout)
        self.check_fails(1, "run", "Say hi", says="-p gives a prompt to the default model")
        self.assertEqual(self.emelex("run", "-p", "Say hi", *SHORT).stdout, answer.stdout)
        self.assertEqual(self.emelex("tokenize", stdin=b"Hi").stdout, self.emelex("tokenize", MODEL, "Hi").stdout)
        self.assertIn(b"chosen (default)", self.emelex("list").stdout)
        models = {model["name"]: model for model in json.loads(self.emelex("list", "--json").stdout)}
        self.assertEqual([model["default"] for model in models.values()], [True, False])
        self.assertRegex(models["chosen"]["last_used_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertIsNone(models["other"]["last_used_at"])
        self.assertEqual(self.settings()["model"], {"value": "chosen", "source": "'emelex default'", "where": ""})
        self.write("model = 'other'")
        self.assertIn(b"other (default)", self.emelex("list").stdout)
        self.assertIn(b"config.toml:1 says 'other', which comes first", self.emelex("default", "chosen").stderr)

    def test_settings_do_what_the_flags_do(self):
        question = ("run", MODEL, "Tell me a story.", "--json", "--seed", "1", *SHORT)
        as_flags = self.emelex(*question, "--temperature", "1.5", "--top-k", "3", "--top-p", "1", "--min-p", "0",
                               "--repeat-penalty", "1.5", "--kv-type", "q8_0", "--context", "100", "--threads", "1")
        self.write("temperature = 1.5\ntop_k = 3\ntop_p = 1\nmin_p = 0\nrepeat_penalty = 1.5\nkv_type = 'q8_0'\n"
                   "context = 100\nthreads = 1\n")
        flags, settings = json.loads(as_flags.stdout), json.loads(self.emelex(*question).stdout)
        for key in ("text", "context", "kv_bytes_per_token"):
            self.assertEqual(settings[key], flags[key])
        self.assertEqual(settings["context"], 100)
        bench = json.loads(self.emelex("bench", MODEL, "-p", "4", "-n", "0", "-r", "1", "-o", "json").stdout)
        self.assertIn('"threads": 1', json.dumps(bench))
        if b"gpu" not in self.emelex("--version").stdout:
            self.write("device = 'gpu'")
            self.check_fails(1, *question, says="GPU")

    def test_memory_limits_are_kept(self):
        question = ("run", MODEL, "Tell me a story.", "--device", "cpu", "--temperature", "0", *SHORT)
        self.write("memory_limit = '250MB'")
        self.check_fails(1, *question, says="memory_limit allows, 250.0 MB; a context of ")
        self.check_fails(1, *question, "--memory-limit", "100MB", says="no context is small enough")
        self.assertEqual(self.emelex(*question, "--memory-limit", "0").returncode, 0)
        self.assertEqual(self.emelex("bench", MODEL, "-p", "8", "-n", "0", "-r", "1", "--device", "cpu", "--memory-limit",
                                     "300MB").returncode, 0)
        if SANITIZED:
            return  # a sanitizer takes memory of its own
        prompt = self.path("prompt.txt", b"Some words that are read and counted. " * 100)
        whole = ("run", MODEL, "--device", "cpu", "--file", prompt, "--context", "1024", "--max-tokens", "40")
        refused = self.emelex(*whole, "--memory-limit", "1").stderr.decode()
        needed = math.ceil(float(re.search(r"takes ([0-9.]+) MB", refused)[1])) * 1_000_000
        process = subprocess.Popen([EMELEX, *whole, "--memory-limit", str(needed)], env=self.env, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        said = process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0, said)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(f"with a limit of {needed / 1e6:.1f} MB: {peak / 1e6:.1f} MB at most")
        self.assertLess(peak, needed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
