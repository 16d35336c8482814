"""How long one large file takes from a hub on this machine: emelex pull, huggingface_hub and curl, in turn.

    EMELEX=build/release/emelex .venv/bin/python -B tests/hub/pull_speed.py [MEGABYTES] [ROUNDS]

The hub is the same for all, and the disk that of TMPDIR. Hashing is part of emelex's time and of nobody else's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from hub_case import HubServer, Repository, tiny_gguf

HF = "import huggingface_hub as h; h.hf_hub_download('org/large-GGUF', 'large-Q4_0.gguf')"


def timed(command, env):
    """Seconds, and megabytes of memory at most."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def main():
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    repository = Repository({"large-Q4_0.gguf": tiny_gguf(megabytes * 1_000_000)})
    with HubServer({"org/large-GGUF": repository}) as hub, tempfile.TemporaryDirectory(prefix="emelex-speed-") as folder:
        env = dict(os.environ, HF_ENDPOINT=hub.endpoint, HF_HOME=folder + "/hf", EMELEX_MODELS_DIR=folder + "/models", HOME=folder,
                   HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", no_proxy="127.0.0.1")
        url = hub.endpoint + "/org/large-GGUF/resolve/main/large-Q4_0.gguf"
        ways = {"emelex pull": [os.environ["EMELEX"], "pull", "org/large-GGUF"],
                "huggingface_hub": [sys.executable, "-c", HF],
                "curl": ["curl", "-sSfL", "-o", folder + "/curl.gguf", url]}
        best = {}
        for _ in range(rounds):
            for name, command in ways.items():
                if shutil.which(command[0]):
                    best[name] = min(best.get(name, (1e9, 0)), timed(command, env))
                for left in ("hf", "models"):
                    shutil.rmtree(os.path.join(folder, left), ignore_errors=True)
        for name, (seconds, memory) in best.items():
            print(f"{name:16} {seconds:6.2f} s  {megabytes / seconds:7.0f} MB/s  {memory:6.0f} MB of memory")


if __name__ == "__main__":
    main()
