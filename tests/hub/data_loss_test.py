"""Nothing of the user's is overwritten or removed but what was named: every command that writes, in a tree of files whose hashes
are known, with --force, on links, pipes, full and read-only disks, and when it is killed."""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import termios
import time
import unittest

from hub_case import QUICK, HubCase, tiny_folder, tiny_gguf, tiny_model
from program import EMELEX, MODEL
from terminal import Terminal

TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part")


def snapshot(folder):
    """path → what it is and holds."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            status = os.lstat(path)
            what = stat.S_IFMT(status.st_mode)
            if stat.S_ISLNK(what):
                content = os.readlink(path)
            elif stat.S_ISREG(what):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            else:
                content = ""
            found[os.path.relpath(path, folder)] = (what, stat.S_IMODE(status.st_mode), content)
    return found


class DataLoss(HubCase):
    def setUp(self):
        super().setUp()
        self.tree = self.path("tree")
        for name in ("docs/thesis.txt", "docs/sub/figure.png", "docs/config.json", "notes.gguf"):
            self.put(name, b"precious " + name.encode())
        self.put("m.gguf", tiny_model().build())
        os.makedirs(self.at("empty"))
        os.mkfifo(self.at("pipe"))
        os.symlink("notes.gguf", self.at("link"))
        os.symlink("loop-b", self.at("loop-a"))
        os.symlink("loop-a", self.at("loop-b"))
        os.symlink("docs", self.at("linked-docs"))

    def at(self, name):
        return os.path.join(self.tree, name)

    def put(self, name, content):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), "wb") as file:
            file.write(content)
        return self.at(name)

    def only(self, changed, *arguments, code=0, **options):
        """Runs the program: of the tree nothing but `changed` differs afterwards."""
        before = snapshot(self.tree)
        result = self.emelex(*arguments, **options)
        after = snapshot(self.tree)
        if code is not None:
            self.assertEqual(result.returncode, code, (arguments, result.stderr.decode()))
        differ = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        outside = {path for path in differ if not any(path == name or path.startswith(name + "/") for name in changed)}
        self.assertEqual(outside, set(), arguments)
        return result.stderr.decode()

    def test_quantize_writes_only_its_output(self):
        self.only(["out.gguf"], "quantize", self.at("m.gguf"), self.at("out.gguf"), "-t", "q8_0")
        self.only([], "quantize", self.at("m.gguf"), self.at("out.gguf"), "-t", "q8_0", code=1)
        said = self.only(["notes.gguf"], "quantize", self.at("m.gguf"), self.at("notes.gguf"), "-t", "q8_0", "--force")
        self.assertRegex(said, r"replaced the file '[^']*notes.gguf' of 19 B")
        for name in ("pipe", "link", "loop-a", "docs", "empty", "linked-docs", "m.gguf", "none/x.gguf", "notes.gguf/x"):
            for force in ([], ["--force"]):
                with self.subTest(name=name, force=force):
                    said = self.only([], "quantize", self.at("m.gguf"), self.at(name), "-t", "q8_0", *force, code=1)
                    self.assertRegex(said, r"\Aemelex: error: [^\n]+\n\Z")

    def test_quantize_to_a_folder_replaces_one_of_its_own_kind_alone(self):
        quantize = ("quantize", self.at("m.gguf"))
        self.only(["out"], *quantize, self.at("out"), "--mlx", "--group-size", "32")
        self.only([], *quantize, self.at("out"), "--mlx", "--group-size", "32", code=1)
        said = self.only(["out"], *quantize, self.at("out"), "--mlx", "--group-size", "32", "--bits", "8", "--force")
        self.assertRegex(said, "replaced the folder '[^']*out' of ")
        self.only(["empty"], *quantize, self.at("empty"), "--mlx", "--group-size", "32")
        for name in ("docs", ".", "..", "pipe", "link", "loop-a", "linked-docs", "notes.gguf", "docs/sub"):
            with self.subTest(name=name):
                self.only([], *quantize, self.at(name), "--mlx", "--group-size", "32", "--force", code=1)
        self.only([], *quantize, ".", "--mlx", "--group-size", "32", "--force", code=1, cwd=self.tree)
        self.put("out/thesis.txt", b"precious")
        said = self.only([], *quantize, self.at("out"), "--mlx", "--group-size", "32", "--force", code=1)
        self.assertIn("thesis.txt", said)

    def test_a_folder_that_holds_the_source_is_not_replaced(self):
        os.makedirs(self.at("models"))
        made = self.at("models/original")
        self.only(["models/original"], "quantize", self.at("m.gguf"), made, "--mlx", "--group-size", "32")
        for output in (made, self.at("models"), made + "/", self.at("models/../models")):
            with self.subTest(output=output):
                self.only([], "quantize", made, output, "--mlx", "--requantize", "--group-size", "32", "--force", code=1)
        os.symlink("models/original", self.at("way-round"))
        self.only([], "quantize", self.at("way-round"), made, "--mlx", "--requantize", "--group-size", "32", "--force", code=1)

    def test_an_output_that_appears_meanwhile_stays(self):
        first = self.start("quantize", self.at("m.gguf"), self.at("out.gguf"), "-t", "q8_0")
        second = self.start("quantize", self.at("m.gguf"), self.at("out.gguf"), "-t", "q4_0")
        for process in (first, second):
            process.communicate(timeout=300)
        self.assertIn(0, (first.returncode, second.returncode))
        self.assertEqual(self.emelex("show", self.at("out.gguf")).returncode, 0)
        self.assertEqual([name for name in os.listdir(self.tree) if TEMPORARY.search(name)], [])

    def test_two_processes_with_one_output_leave_a_whole_one(self):
        for flags in (["-t", "q8_0"], ["--mlx", "--group-size", "32"]):
            for force in ([], ["--force"]):
                with self.subTest(flags=flags, force=force):
                    name = f"made{len(flags)}{len(force)}"
                    before = snapshot(self.tree)
                    command = ("quantize", self.at("m.gguf"), self.at(name), *flags, *force)
                    both = [self.start(*command), self.start(*command)]
                    said = [process.communicate(timeout=300)[1].decode() for process in both]
                    self.assertIn(0, [process.returncode for process in both], said)
                    for process, text in zip(both, said):
                        if process.returncode != 0:
                            self.assertRegex(text, r"(?m)^emelex: error: [^\n]+$")
                    path = self.at(name)
                    self.assertEqual(self.emelex("run", path, "hell", "--max-tokens", "2").returncode, 0)
                    after = snapshot(self.tree)
                    self.assertEqual({changed for changed in after if not changed.startswith(name)}, set(before))
                    self.assertEqual({key: after[key] for key in before}, before)

    def test_an_odd_output_changes_nothing(self):
        os.link(self.at("m.gguf"), self.at("m-again.gguf"))
        names = ("", "/", ".", "..", "./", "new/", "docs/..", "x" * 300, "docs/" + "y" * 5000, "m-again.gguf", "./m.gguf", "docs/../m.gguf",
                 "/proc/self/x", "none/../m.gguf")
        for name in names:
            for flags in (["-t", "q8_0"], ["--mlx", "--group-size", "32"]):
                if flags[0] == "--mlx" and name == "new/":
                    continue  # that names a folder
                with self.subTest(name=name[:20], flags=flags):
                    before = snapshot(self.tree)
                    result = self.emelex("quantize", "m.gguf", name, *flags, "--force", cwd=self.tree)
                    self.assertNotEqual(result.returncode, 0)
                    self.assertRegex(result.stderr.decode(), r"\Aemelex: error: [^\n]+\n\Z")
                    self.assertEqual(snapshot(self.tree), before)
        for name in ("-", "a\nb.gguf", "\x1b[2J.gguf"):  # names like others
            self.only([name], "quantize", self.at("m.gguf"), "--", self.at(name), code=None)

    def test_link_loops_end_every_command(self):
        loop = self.at("loop-a")
        for name, value in (("EMELEX_CONFIG", loop), ("EMELEX_MODELS_DIR", loop), ("EMELEX_MODELS_DIR", loop + "/models")):
            with self.subTest(name=name, value=value):
                kept = dict(self.env)
                self.env[name] = value
                for command in (["config", "set", "top_p", "0.9"], ["import", self.at("m.gguf"), "--copy"], ["list"], ["gc"], ["verify"],
                                ["default", "m"], ["rm", "m"], ["pull", "org/none-GGUF", *QUICK]):
                    before = snapshot(self.tree)
                    self.emelex(*command)  # ends
                    self.assertEqual(snapshot(self.tree), before, command)
                self.env = kept
        for command in (["import", loop], ["import", loop, "--copy"], ["run", loop, "x"], ["show", loop], ["quantize", loop, self.at("new.gguf")],
                        ["quantize", self.at("m.gguf"), loop + "/new.gguf", "--force"],
                        ["quantize", self.at("m.gguf"), loop + "/new", "--mlx", "--force"]):
            with self.subTest(command=command):
                self.only([], *command, code=1)

    def big_model(self):
        """Something to do for seconds."""
        file = tiny_model()
        for i in range(60):
            file.add_tensor(f"more.{i}.weight", [4096, 64], 0, bytes(4 * 4096 * 64))
        return self.put("big.gguf", file.build())

    def long_work(self):
        """Flags, and a model with which they take a while; folders only of a model that is one."""
        return [([], self.big_model())] + ([(["--mlx", "--requantize"], MODEL)] if os.path.exists(MODEL) else [])

    def end_while_it_writes(self, number, *arguments):
        process = self.start("quantize", *arguments, "-t" if "--mlx" not in arguments else "--bits",
                             "q6_k" if "--mlx" not in arguments else "4", "--threads", "1")
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None and not any(TEMPORARY.search(name) for name in os.listdir(self.tree)):
            time.sleep(0.002)
        process.send_signal(number)
        process.communicate(timeout=120)
        return process.returncode

    def test_a_signal_leaves_nothing_behind(self):
        for mlx, model in self.long_work():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
                with self.subTest(number=number, mlx=mlx):
                    before = snapshot(self.tree)
                    code = self.end_while_it_writes(number, model, self.at("out"), *mlx)
                    if code == 0:  # it was quicker
                        self.fail("the model is too small for this test")
                    self.assertEqual(code, 130 if number == signal.SIGINT else -number)
                    self.assertEqual(snapshot(self.tree), before)

    def test_gc_finds_what_a_killed_quantization_left(self):
        work = self.long_work()
        before = snapshot(self.tree)
        for mlx, model in work:
            self.end_while_it_writes(signal.SIGKILL, model, self.at("out"), *mlx)
            self.assertTrue(any(TEMPORARY.search(name) for name in os.listdir(self.tree)))
            self.put(".other.0123456789abcdef.part", b"of somebody else")
            report = json.loads(self.emelex("gc", "--json").stdout)
            self.assertTrue(report["removed"] and all("/.out." in path for path in report["removed"]), report)
            os.remove(self.at(".other.0123456789abcdef.part"))
            self.assertEqual(snapshot(self.tree), before)

    def test_import_changes_nothing_outside_of_the_registry(self):
        self.only([], "import", self.at("m.gguf"), "--name", "m")
        self.only([], "import", self.at("m.gguf"), "--copy", "--name", "copied")
        for name in ("docs", "pipe", "loop-a", "empty", "notes.gguf"):
            self.only([], "import", self.at(name), "--copy", code=1)
        for name in ("m", "copied"):
            self.only([], "rm", name)

    def test_an_imported_name_is_never_taken_over(self):
        self.put("a/m.gguf", tiny_gguf(9000, 1))
        self.put("b/m.gguf", tiny_gguf(9000, 2))
        self.assertEqual(self.emelex("import", self.at("a/m.gguf"), "--name", "same", "--copy").returncode, 0)
        before = snapshot(self.registry_path())
        for arguments in (["--copy"], []):
            self.check_fails(1, "import", self.at("b/m.gguf"), "--name", "same", *arguments, says="another name")
        # The same content is no reason to lose the copy.
        self.assertEqual(self.emelex("import", self.at("a/m.gguf"), "--name", "same").returncode, 0)
        self.assertEqual(snapshot(self.registry_path()), before)
        self.check_fails(1, "import", self.at("b/m.gguf"), "--name", "default", says="another name")

    def test_a_copy_keeps_modes_and_follows_no_link_out_of_its_folder(self):
        folder = self.at("Plain")
        for name, content in tiny_folder().items():
            self.put("Plain/" + name, content)
        os.chmod(self.at("Plain/config.json"), 0o600)
        os.chmod(self.at("Plain/model.safetensors"), 0o666)
        self.assertEqual(self.emelex("import", folder, "--copy").returncode, 0)
        for name, mode in (("config.json", 0o600), ("model.safetensors", 0o644)):
            self.assertEqual(stat.S_IMODE(os.stat(self.registry_path("plain", name)).st_mode), mode)
        os.remove(self.at("Plain/tokenizer.json"))
        self.put("secret", b"{}")
        os.symlink("../secret", self.at("Plain/tokenizer.json"))
        self.check_fails(1, "import", folder, "--copy", "--name", "second", says="tokenizer.json', a link out of its folder")
        os.remove(self.at("Plain/tokenizer.json"))
        os.symlink("chat_template.jinja", self.at("Plain/tokenizer.json"))  # within it
        self.assertEqual(self.emelex("import", folder, "--copy", "--name", "third").returncode, 0)

    def test_a_copy_of_hugging_faces_cache_follows_its_links(self):
        snapshot_folder = "hub/models--org--m/snapshots/abc"
        for i, (name, content) in enumerate(tiny_folder().items()):
            self.put(f"hub/models--org--m/blobs/{i}", content)
            os.makedirs(self.at(snapshot_folder), exist_ok=True)
            os.symlink(f"../../blobs/{i}", self.at(f"{snapshot_folder}/{name}"))
        self.assertEqual(self.emelex("import", self.at(snapshot_folder), "--copy", "--name", "hf").returncode, 0)
        shutil.rmtree(self.at("hub"))
        self.check_verifies("hf")

    def test_gc_spares_a_models_own_files_and_folders_of_others(self):
        self.assertEqual(self.emelex("import", self.put("good.gguf", tiny_gguf(9000)), "--copy", "--name", "good").returncode, 0)
        folder = self.registry_path("good")
        os.rename(os.path.join(folder, "good.gguf"), os.path.join(folder, ".x.0123456789abcdef.part"))
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
            manifest = file.read()
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as file:
            file.write(manifest.replace("good.gguf", ".x.0123456789abcdef.part"))
        os.makedirs(self.registry_path("somebody-elses-empty-one"))
        before = snapshot(self.registry_path())
        self.assertEqual(json.loads(self.emelex("gc", "--json").stdout)["removed"], [])
        self.assertEqual(snapshot(self.registry_path()), before)
        for name in (".pull", ".used", ".x.1.part", "manifest.json"):
            self.check_fails(1, "import", self.put(name, tiny_gguf(9000)), "--copy", "--name", "odd", says="rename the file")

    def test_rm_and_pull_do_not_go_through_a_linked_folder(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        self.pull("org/m-GGUF")
        os.rename(self.registry_path("m+q4_0"), self.at("moved"))
        os.symlink(self.at("moved"), self.registry_path("m+q4_0"))
        self.only([], "rm", "m:q4_0", code=1)
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000, 1)})
        self.only([], "pull", "org/m-GGUF", *QUICK, code=1)
        os.remove(self.registry_path("m+q4_0"))
        os.symlink(self.at("docs"), self.registry_path("m+q4_0"))
        self.only([], "pull", "org/m-GGUF", *QUICK, code=1)
        self.only([], "import", self.at("m.gguf"), "--copy", "--name", "m:q4_0", code=1)
        self.only([], "gc")

    def test_a_folder_that_emelex_did_not_make_is_left_alone(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        os.makedirs(self.registry_path("m+q4_0"))
        with open(self.registry_path("m+q4_0", "m-Q4_0.gguf"), "wb") as file:
            file.write(b"precious")
        before = snapshot(self.registry_path("m+q4_0"))
        self.check_fails(1, "pull", "org/m-GGUF", *QUICK, says="other files")
        self.check_fails(1, "import", self.at("m.gguf"), "--copy", "--name", "m:q4_0", says="other files")
        self.assertEqual(snapshot(self.registry_path("m+q4_0")), before)

    def test_rm_of_a_name_that_means_several_says_which(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000), "m-Q8_0.gguf": tiny_gguf(9000, 1)})
        for quantization in ("q4_0", "q8_0"):
            self.pull("org/m-GGUF:" + quantization)
        self.check_fails(1, "rm", "org/m-GGUF", says="each of 'm:q4_0', 'm:q8_0'")
        self.assertEqual(set(self.models()), {"m:q4_0", "m:q8_0"})
        self.assertIn(b"removed m:q8_0", self.emelex("rm", "org/m-GGUF:Q8_0").stderr)
        self.assertIn(b"removed m:q4_0", self.emelex("rm", "org/m-GGUF").stderr)

    def test_two_models_of_one_repository_get_two_names(self):
        cases = {"org/models-GGUF": ("small-Q4_0.gguf", "large-Q4_0.gguf"), "org/apex-GGUF": ("Step-Compact.gguf", "Step-Quality.gguf"),
                 "org/i1-GGUF": ("X.i1-Q4_K_M.gguf", "X.Q4_K_M.gguf"), "org/ud-GGUF": ("b-Q4_K_XL.gguf", "b-UD-Q4_K_XL.gguf"),
                 "org/sub-GGUF": ("a/m-Q4_0.gguf", "b/m-Q4_0.gguf")}
        for repo, files in cases.items():
            with self.subTest(repo=repo):
                self.add(repo, {file: tiny_gguf(9000, i) for i, file in enumerate(files)})
                names = [self.pull(f"{repo}:{file}") for file in files]
                self.assertEqual(len(set(names)), 2, names)
                self.check_verifies(*names)
        self.check_verifies()

    def test_another_revision_does_not_replace_a_model(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        self.pull("org/m-GGUF")
        commit = self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000, 1)}).commit
        self.check_fails(1, "pull", "org/m-GGUF", "--revision", commit, *QUICK, says="--name")
        self.check_fails(1, "pull", f"org/m-GGUF@{commit}", *QUICK, says="--name")
        self.check_verifies("m:q4_0")

    def test_config_set_replaces_a_regular_file_alone_and_keeps_its_mode(self):
        settings = self.put("config.toml", b"# mine\n")
        os.chmod(settings, 0o600)
        self.env["EMELEX_CONFIG"] = settings
        self.only(["config.toml"], "config", "set", "top_p", "0.8")
        self.assertEqual(stat.S_IMODE(os.stat(settings).st_mode), 0o600)
        os.symlink("config.toml", self.at("linked.toml"))
        self.env["EMELEX_CONFIG"] = self.at("linked.toml")
        self.only(["config.toml"], "config", "set", "top_p", "0.7")  # the file that it leads to
        for name in ("pipe", "docs", "loop-a"):
            self.env["EMELEX_CONFIG"] = self.at(name)
            self.only([], "config", "set", "top_p", "0.8", code=1)

    def test_no_mask_lets_others_write(self):
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        result = subprocess.run(["/bin/sh", "-c", 'umask 000; exec "$0" "$@"', EMELEX, "pull", "org/m-GGUF", *QUICK], env=self.env,
                                capture_output=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        for path, (what, mode, _) in snapshot(self.registry_path()).items():
            self.assertEqual(mode & 0o022, 0, path)
            if path.startswith(".locks"):
                self.assertEqual(mode, 0o700 if stat.S_ISDIR(what) else 0o600, path)

    def test_a_saved_conversation_is_for_its_owner_alone(self):
        terminal = Terminal([EMELEX, "run", self.at("m.gguf")], self.env)
        terminal.expect_prompt(">>> ")
        for name, message in (("chat.json", "messages saved"), ("pipe", "a pipe"), ("link", "a link")):
            terminal.send(f"/save {self.at(name)}\n")
            terminal.expect(message)
            terminal.expect_prompt(">>> ")
        terminal.send(f"/load {self.at('pipe')}\n")
        terminal.expect("regular file")
        terminal.expect_prompt(">>> ")
        terminal.send("/exit\n")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.at("chat.json")).st_mode), 0o600)
        with open(self.at("notes.gguf"), "rb") as file:
            self.assertEqual(file.read(), b"precious notes.gguf")

    def test_a_chat_that_a_signal_ends_puts_the_terminal_right(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU):
            with self.subTest(number=number):
                terminal = Terminal([EMELEX, "run", self.at("m.gguf")], self.env)
                terminal.expect_prompt(">>> ")
                self.assertFalse(termios.tcgetattr(terminal._fd)[3] & termios.ICANON)
                terminal.send("abc")
                os.kill(terminal.pid, number)
                fd = os.dup(terminal._fd)
                self.assertEqual(terminal.wait(), -number)
                self.assertTrue(termios.tcgetattr(fd)[3] & termios.ICANON)
                self.assertTrue(termios.tcgetattr(fd)[3] & termios.ECHO)
                os.close(fd)

    def mount(self, target, *options):
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return False
        if subprocess.run(["mount", *options, target], capture_output=True, check=False).returncode != 0:
            return False
        self.addCleanup(subprocess.run, ["umount", target], capture_output=True, check=False)
        return True

    def test_a_full_disk_costs_nothing_that_was_there(self):
        small = self.at("small")
        os.makedirs(small)
        if not self.mount(small, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
            self.skipTest("mounting is not allowed here")
        self.put("small/out.gguf", b"precious")
        self.put("small/filler", bytes(20_000))
        self.put("small/config.toml", b"top_p = 0.5\n")
        model = self.put("m2.gguf", tiny_model().add_tensor("more.weight", [64, 512], 0, bytes(4 * 64 * 512)).build())
        self.only([], "quantize", model, self.at("small/out.gguf"), "-t", "f16", "--force", code=1)
        self.only([], "quantize", model, self.at("small/new"), "--mlx", "--group-size", "32", code=1)
        self.only(["small/folder"], "quantize", self.at("m.gguf"), self.at("small/folder"), "--mlx", "--bits", "2", "--group-size", "32")
        again = ("quantize", self.at("m.gguf"), self.at("small/folder"), "--mlx", "--bits", "8", "--group-size", "32", "--force")
        self.only([], *again, code=1)
        shutil.rmtree(self.at("small/folder"))
        self.env["EMELEX_MODELS_DIR"] = self.at("small/models")
        self.only(["small/models"], "import", model, "--copy", code=1)
        with open(self.at("small/filler"), "ab") as file:
            try:
                file.write(bytes(65_536))
                file.flush()
            except OSError:
                os.truncate(self.at("small/filler"), os.path.getsize(self.at("small/filler")))
        self.env["EMELEX_CONFIG"] = self.at("small/config.toml")
        before = snapshot(self.tree)
        if self.emelex("config", "set", "top_p", "0.9").returncode != 0:
            self.assertEqual(snapshot(self.tree), before)

    def test_a_read_only_folder_costs_nothing(self):
        locked = self.at("docs")
        quantize = ("quantize", self.at("m.gguf"), self.at("docs/made"), "--mlx", "--group-size", "32")
        self.only(["docs/made"], *quantize)
        self.put("docs/config.toml", b"top_p = 0.5\n")
        if not self.mount(locked, "--bind", locked) or not self.mount(locked, "-o", "remount,bind,ro"):
            self.skipTest("mounting is not allowed here")
        self.only([], "quantize", self.at("m.gguf"), self.at("docs/thesis.txt"), "-t", "q8_0", "--force", code=1)
        self.only([], "quantize", self.at("m.gguf"), self.at("docs/new"), "--mlx", "--group-size", "32", code=1)
        self.only([], *quantize, "--force", code=1)
        self.env["EMELEX_CONFIG"] = self.at("docs/config.toml")
        self.only([], "config", "set", "top_p", "0.9", code=1)
        self.env["EMELEX_MODELS_DIR"] = self.at("docs/models")
        self.add("org/m-GGUF", {"m-Q4_0.gguf": tiny_gguf(9000)})
        for command in (["import", self.at("m.gguf"), "--copy"], ["import", self.at("m.gguf")], ["pull", "org/m-GGUF", *QUICK],
                        ["default", "m"], ["rm", "m"]):
            self.only([], *command, code=1)
        self.only([], "gc")
        self.only([], "list")


if __name__ == "__main__":
    unittest.main(verbosity=2)
