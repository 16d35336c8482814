"""The built emelex, run as a user runs it."""

import json
import os
import random
import re
import shutil
import struct
import subprocess
import time
import unittest

from program import EMELEX, MODEL, ProgramTest, needs_model


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_of_unknown_architecture():
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    key = gguf_text("general.architecture") + struct.pack("<I", 8) + gguf_text("nonesuch")
    tensor = gguf_text("t") + struct.pack("<IQIQ", 1, 32, 0, 0)
    data = header + key + tensor
    return data + bytes(-len(data) % 32) + bytes(128)


class Usage(ProgramTest):
    def test_version_and_help_succeed(self):
        self.assertRegex(self.emelex("--version").stdout.decode(), r"^emelex \d+\.\d+\.\d+\nMLX ")
        for command in ("run", "bench", "tokenize", "eval", "quantize", "import", "list", "show", "pull", "rm", "verify", "gc", "default",
                        "config"):
            self.assertIn("Usage: emelex " + command, self.emelex(command, "--help").stdout.decode())

    def test_wrong_usage_is_2_and_one_line(self):
        for arguments in ([], ["--nonsense"], ["walk"], ["run"], ["run", "m", "--nonsense"], ["run", "m", "a", "b"],
                          ["run", "m", "a", "-p", "b"], ["run", "m", "a", "--top-p", "1.5"], ["run", "m", "a", "--top-p", "nan"],
                          ["run", "m", "a", "--temperature", "-1"], ["run", "m", "a", "--seed", "-1"], ["run", "m", "a", "--think=maybe"],
                          ["run", "m", "a", "--threads", "x"], ["run", "m", "a", "--device", "tpu"],
                          ["run", "m", "a", "--raw", "--system", "s"], ["run", "m", "a", "--stop", ""],
                          ["bench"], ["bench", "m", "-o", "xml"], ["bench", "m", "-p", "0", "-n", "0"], ["import"],
                          ["tokenize"], ["list", "more"], ["eval"], ["eval", "m", "--context", "3"], ["eval", "m", "--against-kernels", "x"], ["quantize", "m"],
                          ["quantize", "m", "o", "-t", "q4_k_x"]):
            self.check_fails(2, *arguments, says="--help")


@needs_model
class Quantize(ProgramTest):
    def test_a_written_file_runs_and_says_what_became_of_it(self):
        target = self.path("small.gguf")
        result = self.emelex("quantize", MODEL, target, "--type", "Q6_K", "--requantize", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["bytes"], sum(tensor["bytes"] for tensor in report["tensors"]))
        self.assertTrue(8.0 < report["bits_per_weight"] < 8.6, report["bits_per_weight"])  # rows of 576: Q8_0
        self.assertEqual(self.emelex("run", target, "Hi", "--max-tokens", "3").returncode, 0)

    def test_float16_holds_what_four_bits_did(self):
        target = self.path("f16.gguf")
        self.assertEqual(self.emelex("quantize", MODEL, target, "-t", "f16", "--requantize").returncode, 0)
        answer = self.emelex("run", target, "What is the capital of France?", "--temperature", "0", "--max-tokens", "20")
        self.assertIn(b"Paris", answer.stdout)

    def test_weights_that_are_rounded_already_need_a_word(self):
        target = self.path("small.gguf")
        self.check_fails(1, "quantize", MODEL, target, says="--requantize")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_file_is_replaced_only_with_force(self):
        target = self.path("there.gguf", b"mine")
        self.check_fails(1, "quantize", MODEL, target, "--requantize", says="--force")
        with open(target, "rb") as file:
            self.assertEqual(file.read(), b"mine")
        result = self.emelex("quantize", MODEL, target, "--requantize", "--force", "-t", "q4_0")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(os.path.getsize(target), 80_000_000)

    def test_a_killed_run_leaves_nothing_under_the_name(self):
        target = self.path("killed.gguf")
        process = self.start("quantize", MODEL, target, "--requantize", "--threads", "1", "-t", "q2_k")
        while not os.listdir(self.folder):
            time.sleep(0.01)
        process.kill()
        process.communicate()
        self.assertFalse(os.path.exists(target))
        result = self.emelex("quantize", MODEL, target, "--requantize", "-t", "q4_0")
        self.assertEqual(result.returncode, 0, result.stderr)


class BadFiles(ProgramTest):
    def test_what_is_no_model_is_one_clear_line(self):
        text = self.path("text.gguf", b"This is no model.\n")
        for model, says in ((self.path("missing.gguf"), "missing.gguf"), (self.folder, "folder"), (text, "text.gguf"),
                            (self.path("empty.gguf", b""), "empty.gguf"), ("no-such-name", "no-such-name"),
                            (self.path("strange.gguf", gguf_of_unknown_architecture()), "nonesuch"), ("a\nb\x1b[2J", "a?b")):
            with self.subTest(model=model):
                self.check_fails(1, "run", model, "Hello", says=says)
                # To cut a text into tokens, an architecture that emelex lacks would not matter.
                self.check_fails(1, "tokenize", model, "Hello", says="strange.gguf" if says == "nonesuch" else says)

    @needs_model
    def test_truncated_files_are_refused(self):
        size = os.path.getsize(MODEL)
        seed = 20260131
        numbers = random.Random(seed)
        lengths = [numbers.randrange(size) for _ in range(100)] + [numbers.randrange(2_000_000) for _ in range(80)]
        lengths += [numbers.randrange(400) for _ in range(20)]
        copy = self.path("truncated.gguf")
        shutil.copyfile(MODEL, copy)
        for length in sorted(lengths, reverse=True):
            os.truncate(copy, length)
            self.check_fails(1, "run", copy, "Hello", "--max-tokens", "1", says="truncated.gguf")
        print(f"{len(lengths)} cut points, seed {seed}, from {min(lengths)} to {max(lengths)} of {size} bytes")


class Registry(ProgramTest):
    @needs_model
    def test_an_imported_model_has_a_name(self):
        result = self.emelex("import", MODEL)
        self.assertEqual((result.returncode, result.stdout), (0, b"smollm2-135m-instruct:q4_1\n"))
        (model,) = json.loads(self.emelex("list", "--json").stdout)
        self.assertEqual((model["name"], model["path"]), ("smollm2-135m-instruct:q4_1", MODEL))
        self.assertEqual(model["architecture"], "llama")
        self.assertIn("smollm2-135m-instruct:q4_1", self.emelex("list").stdout.decode())
        self.check_fails(1, "run", "smollm2-135m", "Hello", says="did you mean 'smollm2-135m-instruct:q4_1'?")
        self.check_fails(1, "import", MODEL, "--name", "../x", says="name")

    def test_a_damaged_manifest_is_a_warning(self):
        os.makedirs(os.path.join(self.folder, "models", "broken"))
        self.path("models/broken/manifest.json", b"{")
        result = self.emelex("list", "--json")
        self.assertEqual((result.returncode, json.loads(result.stdout)), (0, []))
        self.assertIn(b"emelex: warning: ", result.stderr)


@needs_model
class Run(ProgramTest):
    greedy = ("--temperature", "0", "--max-tokens", "8")

    def test_the_prompt_comes_from_an_argument_a_flag_a_file_or_stdin(self):
        question = "What is the capital of France?"
        expected = self.emelex("run", MODEL, question, *self.greedy).stdout
        self.assertTrue(expected)
        self.assertEqual(self.emelex("run", MODEL, "-p", question, *self.greedy).stdout, expected)
        self.assertEqual(self.emelex("run", MODEL, *self.greedy, stdin=question.encode() + b"\n").stdout, expected)
        file = self.path("question.txt", question.encode())
        self.assertEqual(self.emelex("run", MODEL, "--file", file, *self.greedy).stdout, expected)
        self.check_fails(2, "run", MODEL, says="prompt")

    def test_raw_differs_and_stops_where_told(self):
        text = self.emelex("run", MODEL, "--raw", "One, two, three, four,", *self.greedy).stdout.decode()
        self.assertIn("five", text)
        cut = self.emelex("run", MODEL, "--raw", "One, two, three, four,", "--stop", "five", *self.greedy).stdout.decode()
        self.assertEqual(cut, text[:text.index("five")])
        self.check_fails(1, "run", MODEL, "Hi", "--stop", b"\xff", says="UTF-8")

    def test_json_is_one_object_with_the_text_and_what_it_took(self):
        text = self.emelex("run", MODEL, "Say hi", *self.greedy).stdout.decode()
        answer = json.loads(self.emelex("run", MODEL, "Say hi", "--json", *self.greedy).stdout)
        self.assertEqual(answer["text"], text)
        self.assertIn(answer["finish"], ("stop_token", "max_tokens"))
        self.assertGreater(answer["stats"]["prompt_tokens"], 0)

    def test_an_answer_that_is_cut_off_is_said_to_be(self):
        result = self.emelex("run", MODEL, "Tell a long story.", *self.greedy)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"cut off after 8 tokens", result.stderr)
        self.check_fails(1, "run", MODEL, "many words " * 100, "--context", "32")

    def test_stats_go_to_stderr(self):
        result = self.emelex("run", MODEL, "Say hi", "--stats", *self.greedy)
        for word in (b"prompt:", b"generated:", b"first token:", b"tok/s"):
            self.assertIn(word, result.stderr)
            self.assertNotIn(word, result.stdout)

    def test_a_closed_or_full_stdout_is_an_error(self):
        for target in (">&-", ">/dev/full"):
            if target == ">/dev/full" and not os.path.exists("/dev/full"):
                continue
            result = subprocess.run(["/bin/sh", "-c", f'"$0" run "$1" "Say hi" --max-tokens 4 {target}', EMELEX, MODEL],
                                    capture_output=True, env=self.env, timeout=300)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr.decode(), r"\Aemelex: error: \[stdout\][^\n]+\n\Z")

    def test_text_is_streamed(self):
        process = subprocess.Popen([EMELEX, "run", MODEL, "--raw", "One, two, three,", "--max-tokens", "200", "--temperature", "0"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=self.env)
        os.read(process.stdout.fileno(), 65536)
        first = time.monotonic()
        process.communicate(timeout=300)
        self.assertGreater(time.monotonic() - first, 0.05)


@needs_model
class Tokenize(ProgramTest):
    def test_pieces_join_to_the_very_bytes(self):
        text = "Héllo\n\twörld 🙂\0\r\n".encode() + b"\x80\xbf"  # bytes that are no character
        lines = self.emelex("tokenize", MODEL, stdin=text).stdout.decode().splitlines()
        pieces = [line.split("\t", 1)[1][1:-1] for line in lines]
        escapes = {"n": b"\n", "t": b"\t", "r": b"\r", "\\": b"\\", '"': b'"'}
        joined = b""
        for part in re.findall(r"\\x[0-9a-f]{2}|\\.|[^\\]", "".join(pieces)):
            is_byte = part.startswith("\\x")
            joined += bytes([int(part[2:], 16)]) if is_byte else escapes[part[1]] if part[0] == "\\" else part.encode()
        self.assertEqual(joined, text)

    def test_ids_and_json_agree(self):
        ids = [int(line) for line in self.emelex("tokenize", MODEL, "Hello <|im_end|>", "--ids").stdout.split()]
        tokens = json.loads(self.emelex("tokenize", MODEL, "Hello <|im_end|>", "--json").stdout)
        self.assertEqual([token["id"] for token in tokens], ids)
        special = json.loads(self.emelex("tokenize", MODEL, "Hello <|im_end|>", "--json", "--special").stdout)
        self.assertLess(len(special), len(tokens))

    def test_detokenize_gives_the_text_back(self):
        text = "Héllo\n\twörld 🙂 <|im_end|>"
        ids = self.emelex("tokenize", MODEL, text, "--ids").stdout.split()
        self.assertEqual(self.emelex("detokenize", MODEL, *ids).stdout.decode(), text)
        self.assertEqual(self.emelex("detokenize", MODEL, stdin=b"\n".join(ids)).stdout.decode(), text)
        as_json = self.emelex("tokenize", MODEL, text, "--ids", "--json").stdout
        self.assertEqual(self.emelex("detokenize", MODEL, stdin=as_json).stdout.decode(), text)
        end = self.emelex("tokenize", MODEL, "<|im_end|>", "--special", "--ids").stdout.decode().strip()
        self.assertEqual(self.emelex("detokenize", MODEL, end).stdout, b"")
        self.assertEqual(self.emelex("detokenize", MODEL, end, "--special").stdout, b"<|im_end|>")
        self.assertEqual(self.emelex("detokenize", MODEL).stdout, b"")
        self.check_fails(1, "detokenize", MODEL, "1", "x", says='"x"')
        self.check_fails(1, "detokenize", MODEL, "99999999", says="99999999")
        self.check_fails(1, "detokenize", MODEL, "99999999999999", says="numbers of tokens")

    def test_template_gives_the_prompt(self):
        messages = self.path("messages.json", b'[{"role": "user", "content": "Hi <|im_end|>"}]')
        expected = "<|im_start|>user\nHi <|im_end|><|im_end|>\n"
        text = self.emelex("template", MODEL, "--messages", messages, "--no-generation-prompt").stdout.decode()
        self.assertTrue(text.endswith(expected), text)
        with_prompt = self.emelex("template", MODEL, "-m", messages).stdout.decode()
        self.assertEqual(with_prompt, text + "<|im_start|>assistant\n")
        with open(messages, "rb") as file:
            self.assertEqual(self.emelex("template", MODEL, stdin=file.read()).stdout.decode(), with_prompt)
        answer = json.loads(self.emelex("template", MODEL, "-m", messages, "--json").stdout)
        self.assertEqual(answer["text"], with_prompt)
        self.assertEqual("".join(segment["text"] for segment in answer["segments"]), with_prompt)
        self.assertIn({"text": "Hi <|im_end|>", "from_message": True}, answer["segments"])


class TextFiles(ProgramTest):
    """Commands that need no weights work with a folder that has none."""

    def setUp(self):
        super().setUp()
        self.path("tokenizer.json", json.dumps({
            "added_tokens": [{"id": 3, "content": "<|im_start|>", "special": True}, {"id": 4, "content": "<|im_end|>", "special": True}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}}).encode())
        self.messages = self.path("messages.json", b'[{"role": "user", "content": "ab"}]')

    def test_a_folder_or_file_with_a_tokenizer_is_enough(self):
        for model in (self.folder, os.path.join(self.folder, "tokenizer.json")):
            self.assertEqual(self.emelex("tokenize", model, "abab", "--ids").stdout, b"2\n2\n")
            self.assertEqual(self.emelex("detokenize", model, "2", "0").stdout, b"aba")

    def test_a_built_in_template_is_said_to_be_one(self):
        result = self.emelex("template", self.folder, "-m", self.messages)
        self.assertEqual(result.stdout, b"<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n")
        self.assertIn(b"no chat template", result.stderr)
        self.assertIn(b"chatml", result.stderr)

    def test_tools_documents_variables_and_named_templates_are_passed_on(self):
        self.path("chat_template.jinja", b"D {{ messages[-1].content }} {{ documents | tojson }} {{ x }} {{ tools is none }}")
        os.mkdir(os.path.join(self.folder, "additional_chat_templates"))
        self.path("additional_chat_templates/tool_use.jinja", b"T {{ tools | tojson }}")
        tools = self.path("tools.json", b'[{"z": 1, "a": 2}]')
        documents = self.path("documents.json", b'[{"title": "t"}]')
        run = lambda *flags: self.emelex("template", self.folder, "-m", self.messages, *flags)
        self.assertEqual(run("--documents", documents, "--variables", '{"x": [1]}').stdout, b'D ab [{"title": "t"}] [1] True')
        self.assertEqual(run("--tools", tools).stdout, b'T [{"z": 1, "a": 2}]')
        self.assertEqual(run("--tools", tools, "--template", "default").stdout, b"D ab null  False")
        self.assertEqual(run("--continue").stdout, b"D ab")
        self.check_fails(1, "template", self.folder, "-m", self.messages, "--template", "x", says="'tool_use'")
        self.check_fails(1, "template", self.folder, "-m", tools, says="role")
        self.check_fails(1, "template", self.folder, "-m", self.path("no.json"), says="no.json")
        self.path("chat_template.jinja", b"{{ raise_exception('never') }}")
        self.check_fails(1, "template", self.folder, "-m", self.messages, says="never")


if __name__ == "__main__":
    unittest.main(verbosity=2)
