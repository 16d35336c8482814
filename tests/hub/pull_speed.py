"""How long one large file takes from a hub on this machine, and how much memory: emelex pull, huggingface_hub and curl, in turn.

    EMELEX=build/release/emelex .venv/bin/python -B tests/hub/pull_speed.py [MEGABYTES] [ROUNDS]

The hub is the same for all, and the disk that of TMPDIR, which needs room for the file. emelex hashes the file and has it on the disk
at its end, the others do neither; so there is a fourth way, curl with both after it. Loopback is quicker than any network, and hub and
client share the processor: with few cores that decides. A real hub would take none of it, so this one takes little: its file repeats
one block, which stays in the cache.
"""

import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from gguf_builder import HIDDEN
from hub_case import DIM, FEED_FORWARD, STEP, U32, HubServer, Repository, tiny_model

HF = "import huggingface_hub as h; h.hf_hub_download('org/large-GGUF', 'large-Q4_0.gguf')"


class LargeModel:
    """The file of a model that slices like bytes, and of which only the head and a block of its weights are there."""

    def __init__(self, size):
        file = tiny_model()
        hidden = HIDDEN + size // (len(FEED_FORWARD) * 4 * DIM)
        file.set("llama.feed_forward_length", U32, hidden)
        large = {name: file.tensors.pop(name) for name in FEED_FORWARD}
        at = len(file.build()) - len(file.header_and_entries())
        for name, tensor in large.items():
            file.tensors[name] = tensor  # after the others
            file.change(name, data=b"", offset=at, dimensions=[hidden, DIM] if "down" in name else [DIM, hidden])
            at += 4 * DIM * hidden
        self.head, self.block = file.build(), memoryview(bytes(STEP))
        self.size = len(self.head) + len(large) * 4 * DIM * hidden

    def __len__(self):
        return self.size

    def __getitem__(self, key):
        begin, end, _ = key.indices(self.size)
        weights = self.block[:max(0, end - max(begin, len(self.head)))]  # of more than a block only that: the hub asks for no more
        return self.head[begin:end] + weights if begin < len(self.head) else weights


def timed(command, env):
    """Seconds, of the processor as well, and megabytes of memory at most."""
    os.sync()  # what was written before is not this one's burden
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def touch_memory(folder, megabytes):
    """A virtual machine gets memory that it has not used for a while page by page from its host: whoever came first would pay for that."""
    path = os.path.join(folder, "touched")
    with open(path, "wb") as file:
        for _ in range(megabytes):
            file.write(bytes(1_000_000))
    os.remove(path)


def serve(size, connection):
    """In a process of its own, whose memory is not that of the clients it starts."""
    with HubServer({"org/large-GGUF": Repository({"large-Q4_0.gguf": LargeModel(size)})}) as hub:
        connection.send(hub.endpoint)
        connection.recv()


def main():
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory(prefix="emelex-speed-") as folder:
        ours, theirs = multiprocessing.Pipe()
        hub = multiprocessing.Process(target=serve, args=(megabytes * 1_000_000, theirs), daemon=True)
        hub.start()
        measure(folder, ours.recv(), megabytes, rounds)
        ours.send("enough")
        hub.join()


def measure(folder, endpoint, megabytes, rounds):
    env = dict(os.environ, HF_ENDPOINT=endpoint, HF_HOME=folder + "/hf", EMELEX_MODELS_DIR=folder + "/models", HOME=folder,
               HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", no_proxy="127.0.0.1")
    url = endpoint + "/org/large-GGUF/resolve/main/large-Q4_0.gguf"
    ways = {"emelex pull": [os.environ["EMELEX"], "pull", "org/large-GGUF"],
            "huggingface_hub": [sys.executable, "-c", HF],
            "curl": ["curl", "-sSfL", "-o", folder + "/curl.gguf", url],
            "curl, hash, sync": ["sh", "-c", f"curl -sSfL -o {folder}/curl.gguf {url} && openssl dgst -sha256 {folder}/curl.gguf && "
                                 f"sync {folder}/curl.gguf"]}
    touch_memory(folder, megabytes)
    taken = {name: [] for name, command in ways.items() if shutil.which(command[0])}
    for i in range(rounds):
        names = list(taken)
        for name in names[i % len(names):] + names[:i % len(names)]:  # each is first in turn
            taken[name].append(timed(ways[name], env))
            for left in ("hf", "models"):
                shutil.rmtree(os.path.join(folder, left), ignore_errors=True)
            if os.path.exists(folder + "/curl.gguf"):
                os.remove(folder + "/curl.gguf")
    for name, runs in taken.items():
        seconds = statistics.median(run[0] for run in runs)
        ratios = [emelex[0] / other[0] for emelex, other in zip(taken["emelex pull"], runs)]
        print(f"{name:16} {seconds:6.2f} s  {megabytes / seconds:6.0f} MB/s  {statistics.median(run[1] for run in runs):6.2f} s of CPU  "
              f"{max(run[2] for run in runs):5.0f} MB of memory  emelex takes {statistics.median(ratios):.2f} of its time "
              f"({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
