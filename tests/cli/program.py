"""What the tests of the built program share. EMELEX is the program, EMELEX_TEST_MODEL the demo model."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

EMELEX = os.environ["EMELEX"]
MODEL = os.environ.get("EMELEX_TEST_MODEL", "")
SANITIZED = bool(os.environ.get("EMELEX_SANITIZE"))
NO_MODEL = "there is no demo model; scripts/fetch-demo-model gets it"
needs_model = unittest.skipUnless(os.path.exists(MODEL), NO_MODEL)


def skip(reason):
    """Ends the program as ctest's SKIP_RETURN_CODE says."""
    print("skipped:", reason)
    sys.exit(77)


class ProgramTest(unittest.TestCase):
    """Each test has a folder of its own, which is also home and registry."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="emelex-cli-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.env = dict(os.environ, EMELEX_MODELS_DIR=os.path.join(self.folder, "models"), HOME=self.folder,
                        XDG_STATE_HOME=os.path.join(self.folder, "state"), XDG_CONFIG_HOME=os.path.join(self.folder, "config"),
                        TERM="xterm")

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        return path

    def emelex(self, *arguments, stdin=b"", **options):
        return subprocess.run([EMELEX, *arguments], input=stdin, capture_output=True, env=self.env, timeout=300, **options)

    def start(self, *arguments):
        """With pipes from stdout and stderr and nothing to read."""
        return subprocess.Popen([EMELEX, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, env=self.env)

    def check_fails(self, code, *arguments, says="", **options):
        result = self.emelex(*arguments, **options)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, (arguments, text))
        self.assertEqual(result.stdout, b"", arguments)
        self.assertRegex(text, r"\Aemelex: error: [^\n]+\n\Z", arguments)
        self.assertIn(says, text)
