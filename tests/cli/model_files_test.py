"""What the program takes from a model's files beside the weights: ends of turn, sampling, special tokens, templates."""

import json
import math
import os
import shutil
import struct
import unittest

from program import ProgramTest
from scripted_model import CONTROL, USER_DEFINED, Scripted
from gguf_builder import BOOL, F32, I32, U32

def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else json.dumps(content).encode())


def write_safetensors(path, tensors):
    """tensors: name → (dtype, shape, bytes)."""
    header, body = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    write(path, struct.pack("<Q", len(text)) + text + body)


GREEDY = ("--temperature", "0", "--max-tokens", "9")
BOS_TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"


class ModelFilesTest(ProgramTest):
    def model(self, *arguments, change=lambda file: None, **options):
        scripted = Scripted(*arguments, **options)
        change(scripted.file)
        self.ids = scripted.ids
        return self.path("model.gguf", scripted.build())

    def run_json(self, model, *arguments, prompt="x"):
        result = self.emelex("run", model, prompt, "--json", *(arguments or GREEDY))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.stderr = result.stderr.decode()
        return json.loads(result.stdout)

    def says(self, model, *arguments, **options):
        return self.run_json(model, *arguments, **options)["text"]

    def quantize(self, *arguments, code=0):
        result = self.emelex("quantize", *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr.decode()

    def mlx_folder(self, model, name="folder"):
        path = os.path.join(self.folder_path, name)
        self.quantize(model, path, "--mlx")
        return path

    def setUp(self):
        super().setUp()
        self.folder_path = self.path("work")
        os.mkdir(self.folder_path)

    def edit(self, path, **changes):
        value = json.loads(read(path)) if os.path.exists(path) else {}
        for key, new in changes.items():
            value[key] = new
        write(path, {key: new for key, new in value.items() if new is not None})


class Ends(ModelFilesTest):
    def test_a_reasoning_model_answers_after_the_end_of_its_reasoning(self):
        special = dict.fromkeys(("<|return|>", "<|channel|>", "<|end|>", "<|message|>", "<|call|>"), CONTROL)
        model = self.model(["<|channel|>", "AAA", "<|end|>", "BBB", "<|return|>"], special, eos="<|return|>")
        self.assertEqual(self.says(model), "<|channel|>AAA<|end|>BBB")
        model = self.model(["AAA", "<|call|>", "BBB", "<|return|>"], special, eos="<|return|>")
        self.assertEqual(self.says(model), "AAA")

    def test_all_ends_of_a_folder_count_and_are_kept(self):
        special = dict.fromkeys(("<e0>", "<e1>", "<e2>", "<e3>"), CONTROL)
        model = self.model(["AAA", "<e3>", "BBB", "<e0>"], special, eos="<e0>")
        folder = self.mlx_folder(model)
        self.assertEqual(self.says(folder), "AAABBB")
        generation = os.path.join(folder, "generation_config.json")
        self.edit(generation, eos_token_id=[self.ids[name] for name in special])
        self.assertEqual(self.says(folder), "AAA")
        self.quantize(folder, self.path("new.gguf"), "--type", "q8_0", "--requantize")
        self.assertEqual(self.says(self.path("new.gguf")), "AAA")
        again = os.path.join(self.folder_path, "again")
        self.quantize(self.path("new.gguf"), again, "--mlx", "--requantize")
        self.assertEqual(self.says(again), "AAA")
        self.assertEqual(set(json.loads(read(os.path.join(again, "generation_config.json")))["eos_token_id"]),
                         {self.ids[name] for name in special})

    def test_special_ids_beyond_the_vocabulary_are_left_out(self):
        for key in ("bos", "eos", "eot", "padding"):
            for kind, value in ((U32, 100_000), (U32, 0xFFFFFFFF), (I32, -1)):
                with self.subTest(key=key, value=value):
                    model = self.model(["AAA", "<e>"], {"<e>": CONTROL, "</s>": CONTROL}, eos="<e>",
                                       change=lambda file: file.set(f"tokenizer.ggml.{key}_token_id", kind, value))
                    for command in (["run", model, "x", *GREEDY], ["run", model, "x", "--raw", *GREEDY], ["tokenize", model, "x"],
                                    ["show", model], ["quantize", model, self.path("o.gguf"), "--type", "q8_0", "--force"]):
                        result = self.emelex(*command)
                        self.assertEqual(result.returncode, 0, result.stderr)
                    self.says(model)
                    self.assertEqual("beyond the vocabulary" in self.stderr, key != "padding", self.stderr)


class Sampling(ModelFilesTest):
    NAMES = {"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p", "penalty_repeat": "repetition_penalty"}

    def test_what_the_makers_recommend_is_used_unless_something_else_is_said_and_is_kept(self):
        def wild(file):
            for key, value in (("temp", 100.0), ("top_p", 1.0), ("min_p", 0.0), ("penalty_repeat", 1.0)):
                file.set("general.sampling." + key, F32, value)
            file.set("general.sampling.top_k", I32, 0)
        model = self.model(["AAA", "BBB", "<e>"], {"<e>": CONTROL}, eos="<e>", change=wild)
        plain = ("--seed", "1", "--max-tokens", "9")
        self.assertNotEqual(self.says(model, *plain), "AAABBB")
        self.assertEqual(self.says(model, *plain, "--temperature", "0"), "AAABBB")
        self.env["EMELEX_TEMPERATURE"] = "0"
        self.assertEqual(self.says(model, *plain), "AAABBB")
        del self.env["EMELEX_TEMPERATURE"]
        folder = self.mlx_folder(model)
        generation = json.loads(read(os.path.join(folder, "generation_config.json")))
        self.assertEqual([generation[name] for name in self.NAMES.values()], [100.0, 0, 1.0, 0.0, 1.0])
        self.assertNotEqual(self.says(folder, *plain), "AAABBB")
        self.edit(os.path.join(folder, "generation_config.json"), do_sample=False)
        self.assertEqual(self.says(folder, *plain), "AAABBB")
        self.quantize(folder, self.path("new.gguf"), "--type", "q8_0", "--requantize")
        self.assertEqual(self.says(self.path("new.gguf"), *plain), "AAABBB")


class Begins(ModelFilesTest):
    def prompt_tokens(self, template, adds, *arguments, prompt="x"):
        def change(file):
            if adds is not None:
                file.set("tokenizer.ggml.add_bos_token", BOOL, adds)
        model = self.model(["AAA", "</s>"], {"<s>": CONTROL, "</s>": CONTROL}, eos="</s>", bos="<s>", template=template,
                           change=change)
        return self.run_json(model, *GREEDY, *arguments, prompt=prompt)["stats"]["prompt_tokens"]

    def test_a_chat_begins_with_one_token_for_it_where_the_model_adds_one(self):
        plain = "{% for m in messages %}{{ m.content }}{% endfor %}"
        for template in (plain, BOS_TEMPLATE, "<s>" + plain):
            self.assertEqual(self.prompt_tokens(template, True), 2)
            self.assertNotIn("two begin-of-sequence", self.stderr)
        self.assertEqual(self.prompt_tokens(plain, False), 1)
        self.assertEqual(self.prompt_tokens(BOS_TEMPLATE, False), 2)
        self.assertEqual(self.prompt_tokens("<s>" + BOS_TEMPLATE, True), 3)
        self.assertIn("two begin-of-sequence", self.stderr)

    def test_a_raw_text_that_begins_with_it_gets_two_and_a_warning(self):
        self.assertEqual(self.prompt_tokens(BOS_TEMPLATE, True, "--raw"), 2)
        self.assertNotIn("two begin-of-sequence", self.stderr)
        self.assertEqual(self.prompt_tokens(BOS_TEMPLATE, True, "--raw", prompt="<s>x"), 3)
        self.assertIn("two begin-of-sequence", self.stderr)
        self.assertEqual(self.prompt_tokens(BOS_TEMPLATE, False, "--raw", prompt="<s>x"), 2)


class Reasoning(ModelFilesTest):
    def test_its_marks_are_in_the_answer_whatever_their_type(self):
        for kind in (CONTROL, USER_DEFINED):
            special = {"[THINK]": kind, "[/THINK]": kind, "</s>": CONTROL}
            model = self.model(["[THINK]", "AAA", "[/THINK]", "BBB", "</s>"], special, eos="</s>")
            self.assertEqual(self.says(model), "[THINK]AAA[/THINK]BBB")

    def test_it_can_be_turned_off_where_the_template_has_the_choice(self):
        template = "{% if enable_thinking is defined and not enable_thinking %}1234{% endif %}{{ messages[0].content }}"
        model = self.model(["AAA", "</s>"], {"</s>": CONTROL}, eos="</s>", template=template)
        tokens = lambda *arguments: self.run_json(model, *GREEDY, *arguments)["stats"]["prompt_tokens"]
        self.assertEqual([tokens(), tokens("--think"), tokens("--think=false"), tokens("--no-think")], [1, 1, 5, 5])
        self.assertEqual(tokens("--variables", '{"enable_thinking": false}'), 5)
        self.check_fails(1, "run", model, "x", "--variables", "[]", says="a JSON object")
        plain = self.model(["AAA", "</s>"], {"</s>": CONTROL}, eos="</s>")
        self.check_fails(1, "run", plain, "x", "--think=false", says="chat template can turn thinking on and off")
        self.check_fails(2, "run", plain, "x", "--raw", "--no-think", says="--raw")


class Folders(ModelFilesTest):
    def add_tensor(self, folder, name, dtype, shape, data, drop=None):
        if drop:
            self.tensors = {key: value for key, value in self.tensors.items() if not key.startswith(drop)}
        self.tensors[name] = (dtype, shape, data)
        write_safetensors(os.path.join(folder, "model.safetensors"), self.tensors)

    def plain_folder(self):
        """A folder of numbers that are not rounded yet."""
        shutil.rmtree(os.path.join(self.folder_path, "folder"), ignore_errors=True)
        words = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
        folder = self.mlx_folder(self.model(["AAA", "</s>"], {"</s>": CONTROL}, words=words, eos="</s>"))
        dim = (len(self.ids) + 31) // 32 * 32
        layer = "model.layers.0."
        shapes = {"model.embed_tokens": [len(self.ids), dim], "lm_head": [len(self.ids), dim], "model.norm": [dim],
                  layer + "input_layernorm": [dim], layer + "post_attention_layernorm": [dim]}
        for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
                     "mlp.down_proj"):
            shapes[layer + name] = [dim, dim]
        self.tensors = {name + ".weight": ("F32", shape, bytes(4 * math.prod(shape))) for name, shape in shapes.items()}
        write_safetensors(os.path.join(folder, "model.safetensors"), self.tensors)
        os.remove(os.path.join(folder, "model.safetensors.index.json"))
        self.edit(os.path.join(folder, "config.json"), quantization=None, quantization_config=None)
        return folder, dim

    def test_more_ids_than_rows_are_left_out_and_all_else_works(self):
        folder = self.mlx_folder(self.model(["AAA", "</s>"], {"</s>": CONTROL}, eos="</s>"))
        tokenizer = json.loads(read(os.path.join(folder, "tokenizer.json")))
        tokenizer["added_tokens"].append({"id": len(self.ids), "content": "<image>", "special": True})
        write(os.path.join(folder, "tokenizer.json"), tokenizer)
        self.assertEqual(self.says(folder, prompt="a<image>"), "AAA")
        self.assertIn("they are left out", self.stderr)
        again = os.path.join(self.folder_path, "again")
        self.quantize(folder, again, "--mlx", "--requantize")
        self.assertEqual(self.says(again), "AAA")
        self.quantize(folder, self.path("new.gguf"), "--type", "q8_0", "--requantize")
        self.assertEqual(self.says(self.path("new.gguf")), "AAA")

    def check_refused(self, folder, *names):
        for arguments in ((self.path("out.gguf"), "--type", "f16"), (self.path("out.mlx"), "--mlx")):
            text = self.quantize(folder, *arguments, code=1)
            for name in names:
                self.assertIn(name, text)
            self.assertFalse(os.path.exists(arguments[0]))

    def test_quantize_refuses_by_name_what_it_would_lose(self):
        folder, dim = self.plain_folder()
        name = "model.layers.0.self_attn.q_proj"
        self.quantize(folder, self.path("whole.gguf"), "--type", "f16")
        self.add_tensor(folder, name + ".weight", "F64", [dim, dim], bytes(8 * dim * dim), drop=name)
        self.check_refused(folder, "attn_q")
        folder, dim = self.plain_folder()
        self.add_tensor(folder, name + ".weight_scale", "F32", [1], bytes(4))
        self.check_refused(folder, "weight_scale")
        folder, dim = self.plain_folder()
        self.add_tensor(folder, "model.layers.1.mlp.up_proj.weight", "F32", [dim, dim], bytes(4 * dim * dim))
        self.check_refused(folder, "ffn_up")
        folder, dim = self.plain_folder()
        self.add_tensor(folder, "x", "F32", [1], bytes(4), drop=name)
        self.check_refused(folder)

    def test_quantize_leaves_buffers_out(self):
        folder, dim = self.plain_folder()
        self.add_tensor(folder, "model.layers.0.self_attn.rotary_emb.inv_freq", "F32", [16], bytes(64))
        self.add_tensor(folder, "model.layers.0.self_attn.masked_bias", "F32", [], bytes(4))
        self.add_tensor(folder, "model.layers.0.self_attn.k_proj.k_scale", "F32", [1], bytes(4))
        self.quantize(folder, self.path("out.gguf"), "--type", "f16")
        shown = json.loads(self.emelex("show", self.path("out.gguf"), "--json", "--tensors").stdout)
        self.assertEqual(len(shown["tensors"]), 12)

    def test_a_sentencepiece_kind_of_tokenizer_becomes_one_of_ggufs(self):
        folder, _ = self.plain_folder()
        names = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"<0x{byte:02X}>": 3 + byte for byte in range(256)}}
        for text in ("\u2581", "a", "b", "c", "\u2581a", "bc"):
            names[text] = len(names)
        while len(names) < len(self.ids):
            names[f"<unused{len(names)}>"] = len(names)
        added = [{"id": i, "content": name, "special": True, "normalized": False} for i, name in enumerate(("<unk>", "<s>", "</s>"))]
        tokenizer = {"added_tokens": added, "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
            "pre_tokenizer": None, "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": names,
                      "merges": [["\u2581", "a"], ["b", "c"]]}}
        write(os.path.join(folder, "tokenizer.json"), tokenizer)
        self.quantize(folder, self.path("out.gguf"), "--type", "f16")
        for text in ("abc a bc", "x\u00e9 \u2581 a", "<s>abc", " a"):
            results = [self.emelex("tokenize", model, text, "--ids").stdout for model in (folder, self.path("out.gguf"))]
            self.assertEqual(results[0], results[1])
            self.assertTrue(results[0])
        tokenizer["model"]["vocab"]["\u2581ab"] = tokenizer["model"]["vocab"].pop(f"<unused{len(names) - 1}>")
        write(os.path.join(folder, "tokenizer.json"), tokenizer)
        self.assertIn("are no merge", self.quantize(folder, self.path("other.gguf"), "--type", "f16", code=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
