"""The registry on the command line: rm, verify, default, import of folders; disks that are full or read-only."""

import contextlib
import datetime
import fcntl
import json
import os
import shutil
import struct
import subprocess
import time
import unittest

from hub_case import QUICK, TENSOR_Q8_0, HubCase, tiny_folder, tiny_gguf, tiny_model
from program import EMELEX, SANITIZED

REPO, NAME, FILE = "org/Tiny-Model-GGUF", "tiny-model:q4_k_m", "Tiny-Model-Q4_K_M.gguf"


class Keep(HubCase):
    def setUp(self):
        super().setUp()
        self.add(REPO, {FILE: tiny_gguf(300_000)})

    def test_rm_says_what_it_frees_and_refuses_what_is_in_use(self):
        self.pull(REPO)
        with open(self.registry_path("tiny-model+q4_k_m", "manifest.json"), "rb") as manifest:
            fcntl.flock(manifest, fcntl.LOCK_SH)
            self.check_fails(1, "rm", NAME, says="in use by another process")
        (removed,) = json.loads(self.emelex("rm", NAME, "--json").stdout)
        self.assertGreaterEqual(removed["bytes"], 300_000)
        self.assertFalse(os.path.exists(self.registry_path("tiny-model+q4_k_m")))
        self.check_fails(1, "rm", NAME, says="no file and no model")
        for name in ("..", ".locks", "../models", ""):
            self.assertNotEqual(self.emelex("rm", name).returncode, 0, name)
        self.assertTrue(os.path.isdir(self.registry_path()))

    def test_rm_of_a_referenced_model_leaves_its_file(self):
        file = self.path("mine.gguf", tiny_gguf(9000))
        self.assertEqual(self.emelex("import", file, "--name", "mine").returncode, 0)
        self.assertEqual(self.emelex("rm", "mine").returncode, 0)
        self.assertTrue(os.path.exists(file))
        self.assertEqual(self.models(), {})

    def test_verify_finds_a_changed_a_cut_and_a_missing_file(self):
        self.pull(REPO)
        path = self.models()[NAME]["path"]
        with open(path, "r+b") as file:
            file.seek(200_000)
            file.write(b"\x01\x02\x03")
        for change, says in ((lambda: None, "SHA-256"), (lambda: os.truncate(path, 100_000), "bytes, got 100000"),
                             (lambda: os.remove(path), "No such file")):
            change()
            result = self.emelex("verify", NAME)
            self.assertEqual(result.returncode, 1)
            self.assertIn(says, result.stderr.decode())
        self.pull(REPO)  # mends it
        self.check_verifies()

    def test_a_deep_look_names_the_tensor_whose_numbers_are_none(self):
        good = tiny_model().build()
        flawed = tiny_model()
        values = flawed.tensors["blk.0.ffn_up.weight"].data
        flawed.change("blk.0.ffn_up.weight", data=values[:400] + struct.pack("<f", float("nan")) + values[404:])
        blocks = tiny_model().add_tensor("extra.weight", [64, 2], TENSOR_Q8_0, b"\x00\x3c" + bytes(32) + b"\x00\x7c" + bytes([1] * 32) +
                                         (b"\x00\x3c" + bytes(32)) * 2)  # scales of 1, infinity, 1 and 1
        for name, content in (("good", good), ("nan", flawed.build()), ("scale", blocks.build())):
            self.assertEqual(self.emelex("import", self.path(name + ".gguf", content), "--name", name).returncode, 0)
        self.check_verifies("good", "nan")  # they are what they were
        self.assertRegex(self.emelex("verify", "--deep", "good").stdout.decode(), r"good: .* as they were, numbers in all 11 tensors\n")
        result = self.emelex("verify", "--deep")
        self.assertEqual(result.returncode, 1)
        said = result.stderr.decode()
        self.assertIn("nan.gguf': tensor 'blk.0.ffn_up.weight' (F32): expected numbers, got a NaN in row 3, column 4", said)
        self.assertIn("scale.gguf': tensor 'extra.weight' (Q8_0): expected numbers, got an infinite one in row 0, column 32", said)
        (report,) = json.loads(self.emelex("verify", "--deep", "--json", "nan").stdout)
        self.assertEqual((report["tensors"], len(report["problems"])), (11, 1))

    def test_a_deep_look_says_why_a_file_is_no_model_any_more(self):
        path = self.path("mine.gguf", tiny_model().build())
        self.assertEqual(self.emelex("import", path).returncode, 0)
        os.truncate(path, os.path.getsize(path) - 1000)
        said = self.emelex("verify", "--deep").stderr.decode()
        self.assertIn("expected the data of 'blk.0.ffn_down.weight' within", said)

    def test_pull_mends_a_damaged_file_of_the_right_size_when_asked(self):
        self.pull(REPO)
        path, sent = self.models()[NAME]["path"], self.hub.bytes_sent()
        self.assertIn(b"all 1 files are as the hub has them", self.emelex("pull", REPO, "--verify", *QUICK).stderr)
        self.assertEqual(self.hub.bytes_sent(), sent)
        with open(path, "r+b") as file:
            file.seek(200_000)
            file.write(b"\x01\x02\x03")
        self.pull(REPO)  # the size is right
        self.assertEqual(self.emelex("verify").returncode, 1)
        result = self.emelex("pull", REPO, "--verify", *QUICK)
        self.assertRegex(result.stderr.decode(), r"expected the SHA-256 \w+, got \w+; it is fetched again")
        self.assertEqual(self.hub.bytes_sent(), 2 * sent)
        self.check_verifies(NAME)

    def test_running_a_model_is_put_down_and_looking_at_it_is_not(self):
        self.add("org/runs-GGUF", {"runs-F32.gguf": tiny_model().build()})
        name = self.pull("org/runs-GGUF")
        for command in ("show", "tokenize"):
            self.assertEqual(self.emelex(command, name, stdin=b"hell").returncode, 0)
        self.check_verifies(name)
        self.assertIsNone(self.models()[name]["last_used_at"])
        self.assertIn("never", self.emelex("list").stdout.decode())
        before = time.time()
        self.assertEqual(self.emelex("run", name, "hell", "--max-tokens", "2").returncode, 0)
        used = datetime.datetime.fromisoformat(self.models()[name]["last_used_at"].replace("Z", "+00:00")).timestamp()
        self.assertTrue(before - 2 <= used <= time.time() + 2)
        self.assertRegex(self.emelex("show", name).stdout.decode(), r"(?m)^last used +20\d\d-\d\d-\d\d")
        self.check_verifies(name)

    def test_a_preferred_quantization_is_pulled_where_none_is_named(self):
        files = {f"Tiny-Model-{q}.gguf": tiny_gguf(9000, i) for i, q in enumerate(("Q4_K_M", "Q5_K_M", "Q8_0"))}
        self.add("org/several-GGUF", files)
        self.add("bartowski/SmolLM2-135M-Instruct-GGUF", {"a-Q8_0.gguf": tiny_gguf(9000), "a-Q5_K_M.gguf": tiny_gguf(9400)})
        self.assertEqual(self.pull("smollm2:135m"), "smollm2-135m-instruct:q8_0")  # the alias's own
        self.env["EMELEX_QUANTIZATION"] = "Q5_K_M"
        self.assertEqual(self.pull("org/several-GGUF"), "several:q5_k_m")
        self.assertEqual(self.pull("org/several-GGUF:Q8_0"), "several:q8_0")
        self.assertEqual(self.pull("smollm2:135m"), "smollm2-135m-instruct:q5_k_m")
        self.assertIn("Q5_K_M", self.emelex("show", "org/several-GGUF").stdout.decode())
        self.env["EMELEX_QUANTIZATION"] = "q6_k"  # not there: the usual one
        self.assertEqual(self.pull("org/several-GGUF"), "several:q4_k_m")
        self.env["EMELEX_QUANTIZATION"] = "small"
        self.check_fails(1, "pull", "org/several-GGUF", says="EMELEX_QUANTIZATION: expected a quantization such as q4_k_m")

    def test_a_default_is_chosen_and_forgotten_with_its_model(self):
        self.check_fails(1, "default", says="emelex default MODEL")
        self.pull(REPO)
        self.assertEqual(self.emelex("default", REPO).stdout.decode(), NAME + "\n")
        self.assertEqual(self.emelex("default").stdout.decode(), NAME + "\n")
        self.check_fails(1, "default", "other", says="other")
        self.assertEqual(self.emelex("rm", NAME).returncode, 0)
        self.check_fails(1, "default", says="no default model")

    def test_gc_removes_only_what_pulls_left(self):
        self.pull(REPO)
        os.makedirs(self.registry_path("someone-elses"))
        with open(self.registry_path("someone-elses", "model.gguf"), "wb") as file:
            file.write(b"precious")
        os.makedirs(self.registry_path("begun", ".pull"))
        report = json.loads(self.emelex("gc", "--json").stdout)
        self.assertEqual((report["removed"], report["busy"]), (["begun"], []))
        self.assertTrue(os.path.exists(self.registry_path("someone-elses", "model.gguf")))
        self.check_verifies()

    def test_a_folder_is_imported_in_place_or_copied(self):
        folder = self.path("Plain-Model")
        os.makedirs(folder)
        for name, content in tiny_folder().items():
            self.path("Plain-Model/" + name, content)
        self.assertEqual(self.emelex("import", folder + "/").stdout.decode(), "plain-model\n")
        self.assertEqual(self.models()["plain-model"]["path"], folder)
        self.assertEqual(self.emelex("import", folder, "--copy", "--name", "copy").returncode, 0)
        shutil.rmtree(folder)
        self.check_verifies("copy")
        self.assertEqual(self.emelex("show", "copy").returncode, 0)
        self.check_fails(1, "show", "plain-model", says="not there any more")

    def test_a_manifest_cut_anywhere_is_a_warning_and_pulling_mends_it(self):
        self.pull(REPO)
        path = self.registry_path("tiny-model+q4_k_m", "manifest.json")
        with open(path, "rb") as file:
            whole = file.read()
        for cut in (0, 1, len(whole) // 2, len(whole) - 3):
            with open(path, "wb") as file:
                file.write(whole[:cut])
            self.assertEqual(self.models(), {})
            self.pull(REPO)
            self.check_verifies(NAME)
        self.assertEqual(self.hub.bytes_sent(), os.path.getsize(self.models()[NAME]["path"]))

    def test_two_thousand_models_are_listed_quickly(self):
        self.pull(REPO)
        with open(self.registry_path("tiny-model+q4_k_m", "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        for i in range(1999):
            os.makedirs(self.registry_path(f"model-{i}"))
            with open(self.registry_path(f"model-{i}", "manifest.json"), "w", encoding="utf-8") as file:
                json.dump(dict(manifest, name=f"model-{i}"), file, indent=2)
        times, processor = [], []
        for _ in range(7):
            start = time.monotonic()
            process = subprocess.Popen([EMELEX, "list"], env=self.env, stdout=subprocess.PIPE)
            lines = process.stdout.read().count(b"\n")
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            times.append(time.monotonic() - start)
            processor.append(usage.ru_utime + usage.ru_stime)
            self.assertEqual((lines, process.returncode), (2001, 0))
        print(f"list of 2000 models: {min(times) * 1000:.0f} ms at best of 7, {max(times) * 1000:.0f} ms at worst; "
              f"of the processor {min(processor) * 1000:.0f} ms")
        if not SANITIZED:
            self.assertLess(min(processor), 0.1)  # it waits for nothing else, but other tests may run beside it

    def test_a_root_that_cannot_be_written_is_said_to_be(self):
        self.path("file", b"")
        self.env["EMELEX_MODELS_DIR"] = self.path("file/models")
        self.check_fails(1, "pull", REPO, *QUICK, says="file/models")

    def test_a_read_only_root_can_still_be_read(self):
        self.pull(REPO)
        self.add("org/runs-GGUF", {"runs-F32.gguf": tiny_model().build()})
        runs = self.pull("org/runs-GGUF")
        root = self.registry_path()
        if not self.mount(root, "--bind", root) or not self.mount(root, "-o", "remount,bind,ro"):
            self.skipTest("mounting is not allowed here")
        self.assertEqual(self.emelex("show", NAME).returncode, 0)
        self.check_verifies(NAME)
        self.assertEqual(self.emelex("run", runs, "hell", "--max-tokens", "2").returncode, 0)
        self.assertIsNone(self.models()[runs]["last_used_at"])
        self.check_fails(1, "rm", NAME, says="Read-only file system")
        self.add("org/other-GGUF", {"a-Q4_0.gguf": tiny_gguf(9000)})
        self.check_fails(1, "pull", "org/other-GGUF", *QUICK, says="Read-only file system")

    def test_a_full_disk_is_said_before_and_meanwhile(self):
        root = self.registry_path()
        os.makedirs(root)
        if not self.mount(root, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
            self.skipTest("mounting is not allowed here")
        self.add("org/large-GGUF", {"large-Q4_0.gguf": tiny_gguf(8_000_000)})
        self.check_fails(1, "pull", "org/large-GGUF", *QUICK, says="free in")
        self.assertEqual(self.hub.bytes_sent(), 0)
        self.add("org/fits-GGUF", {"fits-Q4_0.gguf": tiny_gguf(2_500_000)})
        with open(os.path.join(root, "filler"), "wb") as filler:  # takes the room once the check is done
            def fill():
                with contextlib.suppress(OSError):  # the pull may have been quicker
                    filler.seek(0)
                    filler.write(bytes(3_000_000))
                    filler.flush()
            self.hub.before_storage = fill
            result = self.emelex("pull", "org/fits-GGUF", *QUICK)
            self.hub.before_storage = None
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(b"No space left on device", result.stderr)
        self.assertEqual(self.models(), {})
        os.remove(os.path.join(root, "filler"))
        self.check_verifies(self.pull("org/fits-GGUF"))

    def mount(self, target, *options):
        """False where that is not allowed; what was mounted goes with the test."""
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return False
        if subprocess.run(["mount", *options, target], capture_output=True, check=False).returncode != 0:
            return False
        self.addCleanup(subprocess.run, ["umount", target], capture_output=True, check=False)
        return True


if __name__ == "__main__":
    unittest.main(verbosity=2)
