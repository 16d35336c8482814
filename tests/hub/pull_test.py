"""emelex pull against a hub on this machine: what it fetches, what it refuses, and what it does when things go wrong."""

import hashlib
import json
import os
import signal
import time
import unittest

from hub_case import QUICK, HubCase, Slow, tiny_folder, tiny_gguf
from faults import BODY_KINDS, KINDS, Fault, Listed
from program import EMELEX
from terminal import Terminal

REPO = "org/Tiny-Model-GGUF"
NAME = "tiny-model:q4_k_m"
FILE = "Tiny-Model-Q4_K_M.gguf"
HEADER = Fault("cut", at=1.0)  # the first answer, which is the header: nothing happens to it


class Pull(HubCase):
    def test_a_model_is_fetched_checked_and_registered(self):
        repository = self.add(REPO, {"README.md": b"#", FILE: tiny_gguf(1_000_000), "Tiny-Model-Q8_0.gguf": tiny_gguf(2_000_000, 1)})
        self.assertEqual(self.pull(REPO), NAME)
        model = self.models()[NAME]
        self.assertEqual(model["source"], {"kind": "huggingface", "repo": REPO, "revision": "main", "commit": repository.commit})
        with open(model["path"], "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), repository.files[FILE].sha256)
        self.assertEqual(sorted(os.listdir(os.path.dirname(model["path"]))), [".checked", FILE, "manifest.json"])
        self.check_verifies(NAME)
        self.assertEqual({answer.path for answer in self.hub.answers}, {FILE})
        self.assertEqual(self.hub.bytes_sent(), repository.files[FILE].size)

    def test_a_second_pull_fetches_nothing(self):
        self.add(REPO, {FILE: tiny_gguf(300_000)})
        self.pull(REPO)
        sent = self.hub.bytes_sent()
        self.assertEqual(self.pull(REPO), NAME)
        self.assertEqual(self.hub.bytes_sent(), sent)

    def test_quantizations_are_chosen_by_name_and_by_default(self):
        files = {f"m-{kind}.gguf": tiny_gguf(10_000, i) for i, kind in enumerate(("Q8_0", "Q4_0", "IQ4_XS", "f16"))}
        self.add("org/m-GGUF", {**files, "mmproj-f16.gguf": b"no model"})
        self.assertEqual(self.pull("org/m-GGUF"), "m:q4_0")
        self.assertEqual(self.pull("org/m-GGUF:q8_0"), "m:q8_0")
        self.assertEqual(self.pull("org/m-GGUF:m-f16.gguf"), "m:f16")
        self.assertEqual(self.pull("hf.co/org/m-GGUF:IQ4_XS"), "m:iq4_xs")
        self.check_fails(1, "pull", "org/m-GGUF:q3_k_s", says="f16, iq4_xs, q4_0, q8_0")
        self.add("org/two-GGUF", {"a-Q5_0.gguf": tiny_gguf(9000), "a-Q6_K.gguf": tiny_gguf(9000)})
        self.check_fails(1, "pull", "org/two-GGUF", says="q5_0, q6_k")

    def test_a_model_in_several_files_comes_whole(self):
        self.add("org/big-GGUF", {f"Q4_K_M/big-Q4_K_M-0000{i + 1}-of-00003.gguf": tiny_gguf(150_000, i, (i, 3)) for i in range(3)})
        name = self.pull("org/big-GGUF:q4_k_m")
        self.assertEqual(len(self.models()[name]["files"]), 3)
        self.check_verifies(name)

    def test_a_folder_of_safetensors_comes_without_pickles_and_code(self):
        self.add("org/Plain-1B", tiny_folder())
        name = self.pull("org/Plain-1B")
        self.assertEqual(name, "plain-1b")
        model = self.models()[name]
        self.assertEqual(model["format"], "safetensors")
        self.assertEqual(sorted(os.path.basename(file["path"]) for file in model["files"]),
                         ["chat_template.jinja", "config.json", "model.safetensors", "tokenizer.json"])
        self.check_verifies(name)
        self.assertEqual(self.emelex("show", name).returncode, 0)

    def test_what_is_no_model_is_refused(self):
        self.add("org/data", {"README.md": b"#", "pytorch_model.bin": b"pickle"})
        self.check_fails(1, "pull", "org/data", says="neither .gguf files nor")
        self.add("org/text-GGUF", {"a-Q4_0.gguf": b"This is no model.\n" * 100})
        result = self.emelex("pull", "org/text-GGUF")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), "error: .*a-Q4_0.gguf")
        self.assertEqual(self.models(), {})

    def test_hostile_names_are_refused(self):
        for path in ("../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf", "a//b.gguf", "a\x1b[2J.gguf", ".hidden/a.gguf", "a\\b.gguf",
                     "c:evil.gguf", "x" * 300 + ".gguf", "./a.gguf"):
            with self.subTest(path=path):
                self.add("org/evil-GGUF", {path: tiny_gguf(1000)})
                self.check_fails(1, "pull", "org/evil-GGUF", says="can't be trusted")
        self.add("org/twice-GGUF", {"a-00001-of-00002.gguf": b"x", "A-00002-of-00002.gguf": b"x", "a-00002-of-00002.gguf": b"x"})
        self.check_fails(1, "pull", "org/twice-GGUF", "--include", "*", says="two files named")
        self.assertEqual(self.models(), {})

    def test_refusals_say_what_to_do(self):
        self.add("org/gated", {"a-Q4_0.gguf": tiny_gguf(9000)}, gated=True)
        self.add("org/denied", {"a-Q4_0.gguf": tiny_gguf(9000)}, gated="denied")
        self.add("org/private", {"a-Q4_0.gguf": tiny_gguf(9000)}, private=True)
        self.check_fails(1, "pull", "org/none", says="there is no repository 'org/none'")
        self.check_fails(1, "pull", "org/private", says="private")
        self.check_fails(1, "pull", "org/gated", *QUICK, says="agree first")
        self.check_fails(1, "pull", "org/gated", "--revision", "v2", says="has no revision 'v2'")
        self.check_fails(1, "pull", "no repository", says="'org/name'")
        self.check_fails(1, "pull", "smolm2:135m", says="did you mean 'smollm2:135m'")
        self.env["HF_TOKEN"] = "hf_wrong"
        self.check_fails(1, "pull", "org/gated", says="token")
        self.env["HF_TOKEN"] = self.hub.token
        self.check_fails(1, "pull", "org/denied", *QUICK, says="gated")
        self.assertEqual(self.pull("org/private"), "private:q4_0")
        del self.env["HF_TOKEN"]
        os.makedirs(self.path("hf"))
        self.path("hf/token", self.hub.token.encode() + b"\n")
        self.assertEqual(self.pull("org/gated"), "gated:q4_0")
        self.assertTrue(any(token for _, where, _, token in self.hub.requests if where == "resolve"))
        self.assertFalse(any(token for _, where, _, token in self.hub.requests if where == "storage"))

    def test_a_name_that_is_taken_is_not_overwritten(self):
        self.add(REPO, {FILE: tiny_gguf(9000)})
        self.add("other/Tiny-Model-GGUF", {FILE: tiny_gguf(9000, 1)})
        self.pull(REPO)
        self.check_fails(1, "pull", "other/Tiny-Model-GGUF", says="--name")
        self.assertEqual(self.pull("other/Tiny-Model-GGUF", "--name", "other"), "other")
        self.check_verifies()

    def test_a_new_commit_replaces_the_old_one_whole(self):
        self.add(REPO, {FILE: tiny_gguf(300_000), "old.gguf": b""})
        self.pull(REPO + ":q4_k_m")
        new = self.add(REPO, {FILE: tiny_gguf(400_000, 2)})
        self.hub.faults = Listed(Fault("forbidden", times=100))
        self.check_fails(1, "pull", REPO, "--tries", "2", *QUICK)
        self.check_verifies(NAME)  # still the old one
        self.hub.faults = Listed()
        self.pull(REPO)
        self.assertEqual(self.models()[NAME]["source"]["commit"], new.commit)
        self.check_verifies(NAME)

    def test_of_a_slow_hub_as_much_as_wanted_is_asked_at_once(self):
        self.add(REPO, {FILE: tiny_gguf(1_000_000)})
        self.hub.before_storage = slow = Slow(0.4)
        self.pull(REPO, "--connections", "3")
        self.assertEqual(slow.most_at_once, 3)

    def test_aliases_name_repositories(self):
        self.add("bartowski/SmolLM2-135M-Instruct-GGUF", {"SmolLM2-135M-Instruct-Q8_0.gguf": tiny_gguf(9000)})
        self.assertEqual(self.pull("smollm2:135m"), "smollm2-135m-instruct:q8_0")
        for name in ("smollm2:135m", "bartowski/SmolLM2-135M-Instruct-GGUF", "smollm2-135m-instruct:q8_0"):
            self.assertEqual(self.emelex("show", name).returncode, 0, name)

    def test_a_model_that_is_missing_is_pulled_when_that_is_wanted(self):
        self.add(REPO, {FILE: tiny_gguf(9000)})
        self.check_fails(1, "show", REPO, says=f"'emelex pull {REPO}'")
        self.env["EMELEX_AUTO_PULL"] = "1"
        self.assertEqual(self.emelex("show", REPO).returncode, 0)
        self.assertIn(NAME, self.models())

    def test_offline_no_connection_is_made(self):
        self.add(REPO, {FILE: tiny_gguf(9000)})
        self.check_fails(1, "pull", REPO, "--offline", says="network")
        self.assertEqual(self.hub.requests, [])
        self.pull(REPO)
        asked = len(self.hub.requests)
        self.env["HF_HUB_OFFLINE"] = "1"
        self.assertEqual(self.pull(REPO), NAME)
        self.assertEqual(len(self.hub.requests), asked)

    def test_files_of_hugging_faces_cache_are_used_where_they_lie(self):
        repository = self.add(REPO, {FILE: tiny_gguf(300_000)})
        blobs = self.path("hf/hub/models--org--Tiny-Model-GGUF/blobs")
        os.makedirs(blobs)
        blob = os.path.join(blobs, repository.files[FILE].sha256)
        with open(blob, "wb") as file:
            file.write(repository.files[FILE].content)
        self.pull(REPO)
        self.assertEqual(self.hub.bytes_sent(), 0)
        self.check_verifies(NAME)
        self.assertEqual(self.emelex("rm", NAME).returncode, 0)
        self.assertTrue(os.path.exists(blob))
        with open(blob, "r+b") as file:  # a blob that is damaged is not taken
            file.write(b"damaged")
        self.pull(REPO)
        self.assertEqual(self.hub.bytes_sent(), repository.files[FILE].size)
        self.check_verifies(NAME)

    def test_a_server_that_is_not_there_is_said_to_be(self):
        self.env["HF_ENDPOINT"] = "http://127.0.0.1:9"
        self.check_fails(1, "pull", REPO, "--tries", "2", *QUICK[:2], says="127.0.0.1")
        self.env["HF_ENDPOINT"] = "ftp://127.0.0.1"
        self.check_fails(1, "pull", REPO, says="http")


class Faults(HubCase):
    """A fault each; afterwards the model is there, and no part that was complete came twice."""

    SIZE = 1_000_000

    def setUp(self):
        super().setUp()
        self.repository = self.add(REPO, {FILE: tiny_gguf(self.SIZE)})
        self.size = self.repository.files[FILE].size

    def test_each_is_got_over(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                self.hub.run += 1
                self.hub.faults = Listed(Fault(kind, wait=2 if kind == "stall" else 1), Fault("error", where="api"))
                self.pull(REPO)
                self.check_verifies(NAME)
                good = sum(answer.sent for answer in self.hub.answers if answer.run == self.hub.run and answer.fault not in BODY_KINDS)
                if kind not in ("corrupt", "other_etag"):
                    self.assertLessEqual(good, self.size)
                self.assertEqual(self.emelex("rm", NAME).returncode, 0)

    def test_a_server_without_ranges_will_do(self):
        self.hub.faults = Listed(Fault("whole", times=1000))
        self.pull(REPO)
        self.check_verifies(NAME)

    def test_what_is_wrong_at_its_source_is_never_registered(self):
        self.hub.faults = Listed(Fault("corrupt", times=1000))
        result = self.emelex("pull", REPO, *QUICK)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"hash differs", result.stderr)
        self.assertEqual(self.models(), {})
        self.assertFalse(os.path.exists(self.registry_path("tiny-model+q4_k_m", FILE)))
        self.hub.faults = Listed()
        self.pull(REPO)
        self.check_verifies(NAME)

    def test_a_rate_limit_is_waited_for_and_said(self):
        self.hub.faults = Listed(Fault("rate_limit", where="api", wait=2))
        start = time.monotonic()
        result = self.emelex("pull", REPO, *QUICK)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(time.monotonic() - start, 2)
        self.assertIn(b"too many requests", result.stderr)

    def test_a_circle_of_redirects_ends(self):
        self.hub.faults = Listed(Fault("loop", where="resolve", times=10_000))
        result = self.emelex("pull", REPO, "--tries", "2", *QUICK)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"circle", result.stderr)


class Interrupted(HubCase):
    """Slow answers are made of stalls, so that a pull is surely on its way when something happens to it."""

    SIZE = 3_000_000

    def setUp(self):
        super().setUp()
        self.repository = self.add(REPO, {FILE: tiny_gguf(self.SIZE)})
        self.size = self.repository.files[FILE].size

    def start_pull(self):
        return self.start("pull", REPO, *QUICK[:2], "--stall", "30", *QUICK[4:])

    def wait_for_parts(self, n):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            parts = self.unfinished("tiny-model+q4_k_m").get(self.repository.files[FILE].sha256, [])
            if len(parts) >= n:
                return
            time.sleep(0.005)
        self.fail("the pull did not begin")

    def test_a_killed_pull_goes_on_where_it_was(self):
        self.hub.faults = Listed(HEADER, Fault("stall", at=0.5, wait=60, times=1), Fault("stall", at=0.1, wait=60, times=1))
        process = self.start_pull()
        self.wait_for_parts(5)
        process.kill()
        process.communicate()
        self.assertEqual(self.models(), {})
        self.assertIn("no models", self.emelex("list").stderr.decode())
        complete = self.unfinished("tiny-model+q4_k_m")[self.repository.files[FILE].sha256]
        self.hub.faults, self.hub.run = Listed(), 1
        self.pull(REPO)
        self.check_verifies(NAME)
        for answer in self.hub.answers:
            if answer.run == 1:
                for begin, end in complete:
                    self.assertFalse(answer.start < end and begin < answer.start + answer.wanted, (answer, begin, end))
        self.assertEqual(os.listdir(self.registry_path("tiny-model+q4_k_m")).count(".pull"), 0)

    def test_two_processes_share_the_work(self):
        self.hub.faults = Listed(Fault("stall", at=0.5, wait=0.5, times=2))
        processes = [self.start_pull() for _ in range(3)]
        for process in processes:
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out.decode().strip()), (0, NAME), err)
        self.check_verifies(NAME)
        self.assertLessEqual(sum(answer.sent for answer in self.hub.answers if answer.fault != "stall"), self.size)

    def test_ctrl_c_ends_it_and_a_second_pull_ends_well(self):
        self.hub.faults = Listed(HEADER, Fault("stall", at=0.5, wait=30, times=1))
        terminal = Terminal([EMELEX, "pull", REPO, "--part-size", "0.1"], self.env)
        terminal.expect(" of 3.0 MB")
        self.wait_for_parts(5)
        os.kill(terminal.pid, signal.SIGINT)
        terminal.expect("goes on from here")
        self.assertEqual(terminal.wait(), 130)
        self.assertIn("%", terminal.text)
        self.hub.faults = Listed()
        self.pull(REPO)
        self.check_verifies(NAME)

    def test_gc_leaves_a_pull_alone_and_removes_what_one_left(self):
        self.hub.faults = Listed(HEADER, Fault("stall", at=0.5, wait=60, times=1))
        process = self.start_pull()
        self.wait_for_parts(3)
        self.assertEqual(json.loads(self.emelex("gc", "--json").stdout)["busy"], ["tiny-model+q4_k_m"])
        process.kill()
        process.communicate()
        report = json.loads(self.emelex("gc", "--json").stdout)
        self.assertEqual(report["removed"], ["tiny-model+q4_k_m"])
        self.assertGreater(report["bytes"], 100_000)
        self.assertFalse(os.path.exists(self.registry_path("tiny-model+q4_k_m")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
