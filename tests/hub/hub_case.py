"""What the tests of pulling share: tiny models, a hub of their own, and the built program as its client."""

import contextlib
import functools
import json
import os
import random
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("hub_server", "cli", "hostile"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))

from gguf_builder import (DIM, HIDDEN, MERGES, STRING, TENSOR_Q8_0, TOKENS, U16, U32, Gguf,  # noqa: E402, F401
                          tiny_model)
from hub_server import STEP, HubServer, Repository  # noqa: E402, F401
from program import ProgramTest  # noqa: E402

NOISE = random.Random(15).randbytes(1 << 22)  # the bytes of all models' weights


FEED_FORWARD = {"blk.0.ffn_gate.weight": 0, "blk.0.ffn_up.weight": 1, "blk.0.ffn_down.weight": 2}


@functools.lru_cache(maxsize=None)
def smallest_model():
    return len(tiny_model().build())


def sized_model(size, seed):
    """A model that runs, of about `size` bytes, but of no fewer than it takes; those of its feed-forward layer are noise."""
    model = tiny_model()
    hidden = max(HIDDEN, HIDDEN + (size - smallest_model()) // (len(FEED_FORWARD) * 4 * DIM))
    model.set("llama.feed_forward_length", U32, hidden)
    n = 4 * DIM * hidden
    for name, number in FEED_FORWARD.items():
        at = (seed + number) * 4096 % (len(NOISE) // 2)
        shape = [hidden, DIM] if name == "blk.0.ffn_down.weight" else [DIM, hidden]
        model.change(name, dimensions=shape, data=(NOISE[at:] * (n // len(NOISE) + 2))[:n])
    return model


def tiny_gguf(size, seed=0, split=None):
    """A model of about `size` bytes, if that is enough for one that runs; of a model in several files (number, count) one of about that."""
    if not split:
        return sized_model(size, seed).build()
    no, count = split
    whole = sized_model(count * size, seed)
    part = Gguf()
    part.keys = dict(whole.keys) if no == 0 else {"general.architecture": whole.keys["general.architecture"]}
    part.set("split.no", U16, no).set("split.count", U16, count).set("split.tensors.count", U32, len(whole.tensors))
    part.tensors = {name: tensor for i, (name, tensor) in enumerate(whole.tensors.items()) if FEED_FORWARD.get(name, i) % count == no}
    return part.build()


def tiny_tokenizer():
    """As a tokenizer.json, that of tiny_model()."""
    step = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    special = [{"id": i, "content": TOKENS[i], "special": True} for i in (258, 259)]
    model = {"type": "BPE", "vocab": {token: i for i, token in enumerate(TOKENS[:258])}, "merges": MERGES}
    return json.dumps({"added_tokens": special, "pre_tokenizer": step, "decoder": step, "model": model}).encode()


def tiny_folder():
    """A model in SafeTensors that runs, with files that nobody should fetch."""
    from safetensors_cases import CONFIG, tiny_file
    return {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": tiny_file(), "tokenizer.json": tiny_tokenizer(),
            "pytorch_model.bin": b"a pickle", "modeling_llama.py": b"code", "README.md": b"#", "chat_template.jinja": b"x"}


QUICK = ("--retry-wait", "0.02", "--stall", "1", "--part-size", "0.1")


class Slow:
    """As a hub's `before_storage`: each answer is late, as over a network, so that a pull uses all of its connections."""

    def __init__(self, seconds):
        self.seconds, self.at_once, self.most_at_once = seconds, 0, 0
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1


class HubCase(ProgramTest):
    """Each test has a hub, a home and a registry of its own."""

    def setUp(self):
        super().setUp()
        self.repositories = {}
        self.hub = HubServer(self.repositories)
        self.hub.__enter__()
        self.addCleanup(self.hub.__exit__)
        for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "http_proxy", "HTTP_PROXY",
                     "EMELEX_AUTO_PULL"):
            self.env.pop(name, None)
        self.env.update(HF_ENDPOINT=self.hub.endpoint, HF_HOME=self.path("hf"), no_proxy="127.0.0.1")

    def add(self, repo, files, **options):
        self.repositories[repo] = Repository(files, **options)
        return self.repositories[repo]

    def pull(self, what, *arguments):
        """Succeeds; returns the name."""
        result = self.emelex("pull", what, *QUICK, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout.decode().strip()

    def models(self):
        return {model["name"]: model for model in json.loads(self.emelex("list", "--json").stdout)}

    def check_verifies(self, *names):
        result = self.emelex("verify", *names)
        self.assertEqual(result.returncode, 0, result.stderr.decode())

    def registry_path(self, *parts):
        return os.path.join(self.folder, "models", *parts)

    def unfinished(self, folder):
        """What a killed pull has put down: key → [begin, end) of the file for each part that is complete."""
        return complete_parts(self.registry_path(folder, ".pull"))


def complete_parts(folder):
    """hash → the ranges that a state file of src/hub/part_file.h calls complete."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            if not name.endswith(".state"):
                continue
            with open(os.path.join(folder, name), encoding="ascii", errors="replace") as file:
                lines = file.read().split("\n")
            header = lines[0].split()
            if len(header) != 6:
                continue
            key, size, part_bytes = header[2], int(header[3]), int(header[4])
            have = {}
            for line in lines[1:]:
                fields = line.split()
                if len(fields) == 2 and fields[1].endswith("."):
                    have[int(fields[0])] = int(fields[1][:-1])
            ranges = [(i * part_bytes, min(size, (i + 1) * part_bytes)) for i in have]
            found[key] = [(begin, end) for (begin, end), bytes_there in zip(ranges, have.values()) if bytes_there == end - begin]
    return found
