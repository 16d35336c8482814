"""emelex show: what a file says, of any architecture, and nothing of it that a terminal would act upon."""

import json
import struct
import time
import unittest

from program import EMELEX, MODEL, ProgramTest, needs_model
from terminal import Terminal

# Clears the screen, sets the title, the same in one character, turns the direction of writing; and no UTF-8 at all.
HOSTILE = b"\x1b[2J\x1b]0;x\x07 \xc2\x9b2J \xe2\x80\xae \x7f\r\n\x9b \xff"
STRING, ARRAY, UINT32 = 8, 9, 4


def text(value):
    return struct.pack("<Q", len(value)) + value


def gguf(keys, tensor=b"t"):
    """A file of one small tensor; `keys` are names and the bytes of their types and values."""
    pairs = b"".join(text(name) + value for name, value in keys)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + pairs + text(tensor) + struct.pack("<IQIQ", 1, 32, 0, 0)
    return head + bytes(-len(head) % 32) + bytes(128)


def string(value):
    return struct.pack("<I", STRING) + text(value)


def strings(values):
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(text, values))


def hostile_gguf(architecture=b"nonesuch"):
    names = (b"general.name", b"general.extra" + HOSTILE, b"tokenizer.ggml.model", b"tokenizer.ggml.pre",
             architecture + b".rope.scaling.type", b"tokenizer.chat_template")
    return gguf([(b"general.architecture", string(architecture)), *((name, string(HOSTILE)) for name in names),
                 (b"tokenizer.ggml.tokens", strings([HOSTILE] * 3)),
                 (b"tokenizer.ggml.bos_token_id", struct.pack("<II", UINT32, 1))], tensor=b"t" + HOSTILE)


class Show(ProgramTest):
    def show(self, *arguments):
        result = self.emelex("show", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout.decode()

    @needs_model
    def test_the_summary_has_the_facts(self):
        lines = [line.split(None, 1) for line in self.show(MODEL).splitlines() if line]
        facts = {name: value for name, value in lines}
        self.assertEqual((facts["format"], facts["architecture"], facts["parameters"]), ("GGUF", "llama", "134.5M"))
        self.assertEqual((facts["layers"], facts["dimensions"], facts["vocabulary"]), ("30", "576", "49152"))
        self.assertEqual(facts["heads"], "9 (3 for keys and values) of 64 dimensions")
        self.assertIn('bos 1 "<|im_start|>"', facts["tokenizer"])
        self.assertEqual((facts["llama.rope.freq_base"], facts["general.languages"]), ("100000", '["en"]'))
        self.assertEqual(facts["tokenizer.ggml.tokens"], "[49152 strings]")
        self.assertTrue(facts["attn_q"].startswith("Q4_1 ×30"))

    @needs_model
    def test_json_has_the_same_with_stable_keys(self):
        model = json.loads(self.show(MODEL, "--json"))
        self.assertEqual((model["layers"], model["kv_heads"], model["runs"], model["not_run"]), (30, 3, True, None))
        self.assertEqual(model["kv_bytes_per_token"], 30 * 3 * 128 * 2)
        self.assertEqual(model["metadata"]["tokenizer.ggml.tokens"]["length"], 49152)
        self.assertNotIn("tensors", model)
        other = json.loads(self.show(self.path("strange.gguf", hostile_gguf()), "--json"))
        self.assertEqual(list(other), list(model))
        full = json.loads(self.show(MODEL, "--json", "--full", "--tensors"))
        self.assertEqual(len(full["metadata"]["tokenizer.ggml.tokens"]), 49152)
        self.assertEqual(sum(tensor["bytes"] for tensor in full["tensors"]), model["weight_bytes"])

    @needs_model
    def test_tensors_metadata_and_template_are_printed_alone(self):
        tensors = self.show(MODEL, "--tensors").splitlines()
        self.assertEqual(len(tensors), 1 + 272)
        self.assertIn(["token_embd.weight", "Q8_0", "[49152,", "576]", "30081024"], [line.split() for line in tensors])
        self.assertIn('tokenizer.ggml.tokens = ["<|endoftext|>", "<|im_start|>"', self.show(MODEL, "--metadata"))
        template = self.show(MODEL, "--template")
        self.assertEqual(template, json.loads(self.show(MODEL, "--json"))["metadata"]["tokenizer.chat_template"])

    @needs_model
    def test_it_takes_a_name_and_no_time(self):
        name = self.emelex("import", MODEL).stdout.decode().strip()
        begin = time.monotonic()
        self.assertIn(MODEL, self.show(name))
        print(f"shown in {time.monotonic() - begin:.3f} s")

    def test_an_architecture_that_emelex_lacks_is_shown(self):
        shown = self.show(self.path("strange.gguf", hostile_gguf()))
        self.assertRegex(shown, r"\n +not yet run by emelex: \[models\] [^\n]*nonesuch[^\n]*\n")

    def test_nothing_reaches_a_terminal_that_it_acts_upon(self):
        path = self.path("hostile.gguf", hostile_gguf(b"strange" + HOSTILE))
        for form in ((), ("--metadata",), ("--tensors",), ("--json",), ("--json", "--full", "--tensors")):
            shown = self.show(path, *form)
            for c in shown:
                acts = (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028"
                self.assertFalse(acts, (form, c))
            self.assertEqual(len(shown.splitlines()), len(shown.split("\n")) - 1)

    def test_a_template_is_given_as_it_is_but_to_a_terminal(self):
        path = self.path("hostile.gguf", hostile_gguf())
        self.assertEqual(self.emelex("show", path, "--template").stdout, HOSTILE)
        terminal = Terminal([EMELEX, "show", path, "--template"], self.env)
        self.assertEqual(terminal.wait(), 0)
        self.assertIn(r"\x1b[2J\x1b]0;x\x07 \xc2\x9b2J", terminal.text)
        self.assertNotIn("\x1b", terminal.text)

    def test_folders_are_shown_too(self):
        header = json.dumps({"model.norm.weight": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
                             "model.embed_tokens.weight": {"dtype": "F16", "shape": [3, 8], "data_offsets": [32, 80]}}).encode()
        config = {"model_type": "llama", "num_attention_heads": 1, "hidden_size": 8, "num_hidden_layers": 2,
                  "intermediate_size": 16, "vocab_size": 3, "tie_word_embeddings": True}
        self.path("config.json", json.dumps(config).encode())
        self.path("model.safetensors", struct.pack("<Q", len(header)) + header + bytes(80))
        model = json.loads(self.show(self.folder, "--json"))
        self.assertEqual((model["format"], model["layers"], model["parameters"]), ("SafeTensors", 2, 32))
        self.assertEqual([kind["kind"] for kind in model["kinds"]], ["token_embd", "output_norm"])
        self.assertIn("tokenizer.json", model["tokenizer"]["problem"])
        self.assertIn("unreadable: [tokenizer]", self.show(self.folder))

    def test_folders_of_architectures_that_emelex_lacks_are_shown_too(self):
        def safetensors(name, dtype, shape, size):
            header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
            return struct.pack("<Q", len(header)) + header + bytes(size)

        self.path("config.json", json.dumps({"model_type": "nonesuch", "tie": "\x1b[2J", "text_config": {
            "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32}}).encode())
        self.path("a-1.safetensors", safetensors("layers.0.mixer.weight", "BF16", [2, 8], 32))
        self.path("a-2.safetensors", safetensors("layers.0.bits", "U32", [4], 16))
        self.path("other.safetensors", b"of no interest")
        self.path("model.safetensors.index.json", json.dumps({"weight_map": {
            "layers.0.mixer.weight": "a-1.safetensors", "layers.0.bits": "a-2.safetensors"}}).encode())
        model = json.loads(self.show(self.folder, "--json"))
        self.assertEqual((model["architecture"], model["layers"], model["kv_heads"], model["head_dim"]), ("nonesuch", 3, 2, 8))
        self.assertEqual((model["parameters"], model["unreadable_tensors"], model["runs"]), (16, 1, False))
        self.assertEqual([kind["kind"] for kind in model["kinds"]], ["layers.*.mixer"])
        shown = self.show(self.folder)
        self.assertIn("not yet run by emelex: [config]", shown)
        self.assertNotIn("\x1b", shown)
        self.check_fails(1, "show", self.path("a-1.safetensors", b"no tensors"), says="a-1.safetensors")

    def test_what_is_no_model_or_no_usage_is_one_line(self):
        self.check_fails(1, "show", self.path("missing.gguf"), says="missing.gguf")
        self.check_fails(1, "show", self.path("text.gguf", b"text"), says="text.gguf")
        self.check_fails(1, "show", self.path("none.gguf", gguf([(b"a", string(b"b"))])), "--template", says="chat template")
        for wrong in ((), ("m", "--full"), ("m", "--tensors", "--metadata"), ("m", "--json", "--template")):
            self.check_fails(2, "show", *wrong, says="--help")


if __name__ == "__main__":
    unittest.main(verbosity=2)
