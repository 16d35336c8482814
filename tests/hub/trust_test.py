"""What emelex trusts and shows: certificates, tokens, addresses in messages, small files, a hub's bounds, and what is checked before a
model's weights are fetched."""

import http.server
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

from hub_case import QUICK, STRING, U32, Gguf, HubCase, Repository, sized_model, tiny_folder, tiny_gguf, tiny_model  # noqa: F401
from hub_server import HubServer
from faults import Fault, Listed
from program import EMELEX
from safetensors_cases import SHAPES, data, raw, tiny_header
from terminal import Terminal

ESCAPES = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u009b31m\u202ereversed"


class Small(http.server.BaseHTTPRequestHandler):
    """Answers as `self.server.answer(handler)` does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.answer(self)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Trust(HubCase):
    def serve(self, answer):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Small)
        server.answer, server.daemon_threads = answer, True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_address[1]}"

    def test_white_space_around_a_token_does_not_count(self):
        self.add("org/gated-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)}, gated=True)
        for token in ("hf_right\n", "hf_right\r\n", " hf_right ", "\thf_right"):
            with self.subTest(token=token):
                self.env["HF_TOKEN"] = token
                self.assertEqual(self.emelex("rm", self.pull("org/gated-GGUF")).returncode, 0)
        del self.env["HF_TOKEN"]
        os.makedirs(self.path("hf"))
        for content in (b"hf_right\n", b"hf_right\r\n", b"\xef\xbb\xbfhf_right\r\nsecond line"):
            with self.subTest(content=content):
                self.path("hf/token", content)
                self.assertEqual(self.emelex("rm", self.pull("org/gated-GGUF")).returncode, 0)

    def test_a_token_in_the_current_folder_is_not_sent(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        os.makedirs(self.path("here/huggingface"))
        os.makedirs(self.path("here/.cache/huggingface"))
        for place in ("here/token", "here/huggingface/token", "here/.cache/huggingface/token"):
            self.path(place, b"hf_stranger")
        for change in ({"XDG_CACHE_HOME": "."}, {"HOME": ""}, {"HOME": "", "XDG_CACHE_HOME": "."}):
            with self.subTest(change=change):
                env = dict(self.env, **change)
                env.pop("HF_HOME")
                result = subprocess.run([EMELEX, "pull", "org/m-GGUF", *QUICK], env=env, cwd=self.path("here"), capture_output=True,
                                        timeout=300)
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse(any(token for *_, token in self.hub.requests))

    def test_no_message_shows_a_password_or_a_signature(self):
        refused = socket.socket()
        refused.bind(("127.0.0.1", 0))  # and nobody listens
        def redirect(handler):
            handler.send_response(302)
            handler.send_header("Location", "ftp://user:hidden@127.0.0.1/x?X-Amz-Signature=hidden")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        places = [f"127.0.0.1:{refused.getsockname()[1]}", self.hub.endpoint[7:], self.serve(redirect), "127.0.0.1:x", "[bad"]
        for place in places:
            for user in ("user:hidden@", "hidden@", "user:hid/hidden@"):
                with self.subTest(place=place, user=user):
                    self.env["HF_ENDPOINT"] = f"http://{user}{place}?token=hidden" if place == places[0] else f"http://{user}{place}"
                    result = self.emelex("pull", "org/none-GGUF", "--tries", "2", "--retry-wait", "0.01")
                    self.assertEqual(result.returncode, 1)
                    self.assertNotIn(b"hidden", result.stderr)
        refused.close()

    def test_a_name_that_does_not_resolve_is_said_to_be_and_tried_again(self):
        self.env["HF_ENDPOINT"] = "http://nonexistent.invalid"
        for tries in ("2", "4"):
            self.check_fails(1, "pull", "org/m-GGUF", "--tries", tries, "--retry-wait", "0.01", says="resolve")

    def test_certificates_are_those_of_ssl_cert_file(self):
        if shutil.which("openssl") is None:
            self.skipTest("there is no openssl to make a certificate with")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")], check=True,
                       capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path("cert.pem"), self.path("key.pem"))
        repository = Repository({"m-Q4_0.gguf": tiny_gguf(9000)})
        with HubServer({"org/m-GGUF": repository}) as hub:
            server = hub._servers[0]
            server.socket = context.wrap_socket(server.socket, server_side=True)
            hub.endpoint = hub.endpoint.replace("http:", "https:")
            self.env["HF_ENDPOINT"] = hub.endpoint
            self.check_fails(1, "pull", "org/m-GGUF", *QUICK, says="certificate")
            self.env["SSL_CERT_FILE"] = self.path("cert.pem")
            result = self.emelex("pull", "org/m-GGUF", *QUICK)
            # The storage of this hub speaks plain HTTP, to which https never leads: so far it comes with the certificate.
            self.assertIn(b"refused to be sent from https to", result.stderr)

    def test_a_hub_that_talks_without_end_is_given_up(self):
        def talk(handler):
            handler.send_response(418)
            handler.send_header("X-Error-Message", "x" * 50_000)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        self.env["HF_ENDPOINT"] = "http://" + self.serve(talk)
        result = self.emelex("pull", "org/m-GGUF", *QUICK)
        self.assertEqual(result.returncode, 1)
        self.assertLess(len(result.stderr), 1000)

    def test_a_byte_for_each_connection_is_no_progress(self):
        content = tiny_gguf(300_000)
        repository = self.add("org/m-GGUF", {"m-Q4_0.gguf": content})
        def drip(handler):
            handler.close_connection = True
            if handler.path.startswith("/api/"):
                info = json.dumps({"sha": repository.commit, "siblings": [{"rfilename": "m-Q4_0.gguf", "size": len(content), "lfs": {
                    "sha256": repository.files["m-Q4_0.gguf"].sha256, "size": len(content)}}]}).encode()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(info)))
                handler.end_headers()
                handler.wfile.write(info)
                return
            first, last = (int(x) for x in re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", "bytes=0-0")).groups())
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            handler.send_header("Content-Length", str(last - first + 1))
            handler.end_headers()
            handler.wfile.write(content[first:first + 1])
        self.env["HF_ENDPOINT"] = "http://" + self.serve(drip)
        result = subprocess.run([EMELEX, "pull", "org/m-GGUF", "--tries", "3", "--retry-wait", "0.01", "--connections", "2"], env=self.env,
                                capture_output=True, timeout=60)
        self.assertEqual(result.returncode, 1, result.stderr)

    def test_a_file_below_our_manifests_name_is_refused(self):
        self.add("org/m-GGUF", {"manifest.json/m-Q4_0.gguf": tiny_gguf(9000)})
        self.check_fails(1, "pull", "org/m-GGUF", *QUICK, says="can't be trusted")

    def test_small_files_that_are_pipes_or_have_no_end_hold_nobody_up(self):
        model = self.path("m.gguf", tiny_model().build())
        self.assertEqual(self.emelex("import", model, "--name", "m", "--copy").returncode, 0)
        folder = self.registry_path("m")
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        os.makedirs(self.path("hf"))

        def as_pipe(path):
            if os.path.exists(path):
                os.remove(path)
            os.mkfifo(path)

        def as_zeros(path):
            if os.path.lexists(path):
                os.remove(path)
            os.symlink("/dev/zero", path)

        os.makedirs(self.path("state/OpenAgents/emelex"))
        cases = [(self.path("settings.toml"), ["list"], {"EMELEX_CONFIG": self.path("settings.toml")}),
                 (self.path("hf/token"), ["pull", "org/m-GGUF", *QUICK], {}),
                 (self.registry_path("default"), ["default"], {}),
                 (os.path.join(folder, ".used"), ["run", "m", "hell", "--max-tokens", "1"], {}),
                 (os.path.join(folder, "m.gguf"), ["verify", "m"], {}),
                 (os.path.join(folder, "manifest.json"), ["list"], {})]
        for path, arguments, env in cases:
            for make in (as_pipe, as_zeros):
                with self.subTest(path=path, make=make.__name__):
                    make(path)
                    result = subprocess.run([EMELEX, *arguments], env=dict(self.env, **env), capture_output=True, timeout=60,
                                            stdin=subprocess.DEVNULL)
                    self.assertIn(result.returncode, (0, 1))
                    os.remove(path)
        for make in (as_pipe, as_zeros):
            make(self.path("state/OpenAgents/emelex/history"))
            terminal = Terminal([EMELEX, "run", model], self.env)
            terminal.expect_prompt(">>> ")
            terminal.send("/exit\n")
            self.assertEqual(terminal.wait(), 0)
            os.remove(self.path("state/OpenAgents/emelex/history"))

    def bytes_of_weights(self):
        return sum(answer.sent for answer in self.hub.answers if answer.path.endswith((".gguf", ".safetensors")))

    def refused(self, repo, files, says, most_bytes):
        self.add(repo, files)
        before = self.bytes_of_weights()
        result = self.emelex("pull", repo, *QUICK)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), rf"emelex: error: [^\n]*{says}[^\n]*\n\Z")
        self.assertLessEqual(self.bytes_of_weights() - before, most_bytes)
        left = [name for name in os.listdir(self.registry_path()) if not name.startswith(".")]
        self.assertEqual(left, [])
        self.assertEqual(self.models(), {})

    def test_what_cannot_be_run_is_refused_before_its_weights_are_fetched(self):
        base = tiny_folder()
        config = json.loads(base["config.json"])
        other = {**base, "config.json": json.dumps({**config, "model_type": "nemotron_h"}).encode()}
        self.refused("org/arch", other, "nemotron_h", 0)
        self.refused("org/config", {**base, "config.json": b"{"}, "config.json", 0)
        index = json.dumps({"metadata": {}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}).encode()
        shard = {("model-00001-of-00001.safetensors" if name == "model.safetensors" else name): file for name, file in base.items()}
        self.refused("org/stale", {**shard, "model.safetensors.index.json": index}, "model-00002-of-00002.safetensors", 2 * 16_384)
        unknown = Gguf().set("general.architecture", STRING, "nemotron_h").set("nemotron_h.context_length", U32, 1)
        unknown.add_tensor("output.weight", [500_000], 0, bytes(2_000_000))
        self.refused("org/unknown-GGUF", {"m-Q4_0.gguf": unknown.build()}, "nemotron_h", 100_000)
        self.refused("org/text-GGUF", {"m-Q4_0.gguf": b"This is no model.\n" * 100_000}, "m-Q4_0.gguf", 100_000)

    def test_what_lacks_a_key_a_tensor_or_a_tokenizer_is_refused_before_its_weights_are_fetched(self):
        def changed(change):
            file = sized_model(2_000_000, 0)
            change(file)
            return {"m-Q4_0.gguf": file.build()}
        flaws = {"key": (lambda file: file.remove("llama.block_count"), "block_count"),
                 "tensor": (lambda file: file.tensors.pop("blk.0.attn_k.weight"), "blk.0.attn_k.weight"),
                 "shape": (lambda file: file.set("llama.feed_forward_length", U32, 32), "ffn_gate.weight"),
                 "more": (lambda file: file.add_tensor("blk.0.attn_sinks.weight", [2], 0, bytes(8)), "attn_sinks"),
                 "tokenizer": (lambda file: file.remove("tokenizer.ggml.tokens"), "tokenizer.ggml.tokens"),
                 "rows": (lambda file: file.change("token_embd.weight", dimensions=[32, 200]), "200")}
        for name, (change, says) in flaws.items():
            with self.subTest(flaw=name):
                self.refused(f"org/{name}-GGUF", changed(change), says, 100_000)
        base = tiny_folder()
        config = json.loads(base["config.json"])
        header, n = tiny_header([name for name in SHAPES if "k_proj" not in name])
        flaws = {"setting": ({"config.json": json.dumps({**config, "hidden_size": None}).encode()}, "hidden_size"),
                 "module": ({"model.safetensors": raw(header, data(n))}, "attn_k"),
                 "tokenizers": ({"tokenizer.json": b"{}"}, "tokenizer.json")}
        for name, (files, says) in flaws.items():
            with self.subTest(flaw=name):
                self.refused(f"org/{name}", {**base, **files}, says, 2 * 16_384)

    def test_list_names_a_model_that_this_version_refuses(self):
        def model(*absent):
            file = tiny_model()
            for name in absent:
                del file.tensors[name]
            return file.build()
        path = self.path("m.gguf", model())
        def refusal():
            result = self.emelex("list", "--json")
            self.assertEqual(result.returncode, 0)
            (entry,) = json.loads(result.stdout)
            self.assertEqual(entry["refused"] is None, result.stderr == b"")
            return entry["refused"] or ""
        result = self.emelex("import", path, "--name", "m")
        self.assertNotIn(b"warning", result.stderr)
        self.assertEqual(refusal(), "")
        self.path("m.gguf", model("blk.0.attn_k.weight"))  # as where another version asks for more
        self.assertIn("attn_k.weight", refusal())
        note = self.registry_path("m", ".checked")
        with open(note, "r+b") as file:
            stamp = file.readline()
            file.write(b"kept")
            file.truncate()
        self.assertEqual(refusal(), "kept")  # nothing was opened
        with open(note, "wb") as file:
            file.write(b"another " + stamp + b"version")
        self.assertIn("attn_k.weight", refusal())
        os.utime(path, (1, 1))
        self.assertIn("attn_k.weight", refusal())
        self.path("m.gguf", model())
        self.assertEqual(refusal(), "")
        self.path("n.gguf", model("blk.0.attn_k.weight"))
        result = self.emelex("import", self.path("n.gguf"), "--name", "n")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr.decode(), "warning: 'n' can't be run: .*attn_k.weight")
        self.assertNotIn(b"try it", result.stderr)

    def test_a_hub_without_ranges_is_cut_off_after_the_header(self):
        unknown = Gguf().set("general.architecture", STRING, "nemotron_h").set("nemotron_h.context_length", U32, 1)
        unknown.add_tensor("output.weight", [8_000_000], 0, bytes(32_000_000))
        self.hub.faults = Listed(Fault("whole", times=1000))
        # What the socket's buffers hold is sent, whether it is read or not; a refusal is made sure of by a second look.
        self.refused("org/unknown-GGUF", {"m-Q4_0.gguf": unknown.build()}, "nemotron_h", 2 * 14_000_000)

    def test_a_large_header_is_read_whole_and_fetched_once(self):
        file = tiny_model().set("general.description", STRING, "x" * 200_000)
        content = file.build()
        repository = self.add("org/m-GGUF", {"m-Q4_0.gguf": content})
        self.pull("org/m-GGUF")
        self.assertEqual(self.hub.bytes_sent(), repository.files["m-Q4_0.gguf"].size)
        self.check_verifies()

    def test_additional_templates_are_pulled_and_imported(self):
        self.add("org/m", {**tiny_folder(), "additional_chat_templates/tool_use.jinja": b"{{ 'tools' }}"})
        name = self.pull("org/m")
        path = self.registry_path(name, "additional_chat_templates", "tool_use.jinja")
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.emelex("import", self.registry_path(name), "--copy", "--name", "copy").returncode, 0)
        self.assertTrue(os.path.exists(self.registry_path("copy", "additional_chat_templates", "tool_use.jinja")))
        self.check_verifies()

    def test_a_model_that_cannot_be_run_any_more_is_named_with_the_reason(self):
        unknown = Gguf().set("general.architecture", STRING, "nemotron_h").set("nemotron_h.context_length", U32, 1)
        unknown.add_tensor("output.weight", [16], 0, bytes(64))
        self.assertEqual(self.emelex("import", self.path("u.gguf", unknown.build()), "--name", "u").returncode, 0)
        result = self.emelex("verify", "u")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), "can't be run: .*nemotron_h")
        listed = self.emelex("list")
        self.assertEqual(listed.returncode, 0)
        self.assertRegex(listed.stderr.decode(), "'u' can't be run: .*nemotron_h")
        self.assertIn("nemotron_h", self.models()["u"]["refused"])

    def test_what_models_say_reaches_no_terminal_as_it_is(self):
        file = tiny_model().set("general.name", STRING, ESCAPES)
        model = self.path("m.gguf", file.build())
        self.env["EMELEX_MODEL"] = model
        self.path("settings.toml", b"")
        messages = self.path("m.json", json.dumps([{"role": "user", "content": ESCAPES}]).encode())
        for arguments in (["bench", model, "-p", "4", "-n", "1", "-r", "1", "-o", "csv"], ["show", model], ["template", model, "-m", messages],
                          ["bench", model, "-p", "4", "-n", "1", "-r", "1", "-o", "json"], ["run", ESCAPES], ["default", ESCAPES],
                          ["pull", ESCAPES]):
            with self.subTest(arguments=arguments):
                terminal = Terminal([EMELEX, *arguments], self.env)
                terminal.wait()
                shown = re.sub(r"\x1b\[(\d*[FJK]|\?2004[hl])", "", terminal.text)  # our own
                for byte in ("\x1b", "\x07", "\u009b", "\u202e"):
                    self.assertNotIn(byte, shown, arguments)
        piped = self.emelex("template", model, "-m", messages).stdout.decode()
        self.assertIn(ESCAPES, piped)
        in_json = self.emelex("template", model, "-m", messages, "--json").stdout.decode()
        self.assertIn("\\u009b31m\\u202e", in_json)
        self.assertIn(ESCAPES, json.loads(in_json)["text"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
