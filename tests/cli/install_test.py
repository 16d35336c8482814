"""An installed tree may be moved, and needs neither the checkout nor an environment. BUILD is the build folder."""

import os
import shutil
import subprocess
import sys
import unittest

from program import MODEL, NO_MODEL, ProgramTest, skip

BUILD = os.environ["BUILD"]
CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Install(ProgramTest):
    def test_a_moved_tree_runs_with_an_empty_environment(self):
        first = self.path("first place")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", first], check=True, stdout=subprocess.DEVNULL)
        prefix = shutil.move(first, self.path("second place"))
        program = os.path.join(prefix, "bin", "emelex")

        if sys.platform == "linux":
            libraries = subprocess.run(["ldd", program], env={"PATH": os.defpath}, capture_output=True, check=True).stdout.decode()
            self.assertIn(f"libmlx.so => {prefix}/", libraries)
            self.assertNotIn(f"{CHECKOUT}/", libraries)
            self.assertNotIn("not found", libraries)

        version = subprocess.run([program, "--version"], env={}, capture_output=True, timeout=60, check=True)
        self.assertIn(b"MLX", version.stdout)
        result = subprocess.run([program, "run", MODEL, "Hello", "--max-tokens", "4", "--temperature", "0"], env={}, cwd="/",
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout)
        for file in ("include/emelex/engine.h", "share/bash-completion/completions/emelex"):
            self.assertTrue(os.path.exists(os.path.join(prefix, file)), file)
        size = sum(os.path.getsize(os.path.join(folder, file)) for folder, _, files in os.walk(prefix) for file in files)
        print(f"{size / (1 << 20):.1f} MiB installed")


if __name__ == "__main__":
    if not os.path.exists(MODEL):
        skip(NO_MODEL)
    unittest.main(verbosity=2)
