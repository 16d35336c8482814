"""Runs test_faults' case of a pull against a hub on this machine."""

import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("hub", "hub_server"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

from hub_case import tiny_gguf  # noqa: E402
from hub_server import HubServer, Repository  # noqa: E402


class PullFaults(unittest.TestCase):
    def test_each_call_that_fails_is_an_error_or_made_good(self):
        repositories = {"org/tiny": Repository({"tiny-q8_0.gguf": tiny_gguf(100_000)})}
        with HubServer(repositories) as hub:
            env = {name: value for name, value in os.environ.items() if not name.lower().startswith(("hf_", "http_proxy"))}
            env.update(HF_ENDPOINT=hub.endpoint, no_proxy="127.0.0.1", EMELEX_TEST_REPOSITORY="org/tiny")
            result = subprocess.run([os.environ["TEST_FAULTS"], "--test-case=pull"], env=env, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=850, check=False)
        output = result.stdout.decode()
        print(output)
        self.assertEqual(result.returncode, 0, output)
        self.assertIn("1 passed", output)


if __name__ == "__main__":
    unittest.main()
