"""Measures llama.cpp, through llama-cpp-python's bindings, as `emelex bench` measures emelex: one warm-up, then one timed
run of each test. Prints a JSON object: test name → tokens per second.

    llama_cpp_peer.py MODEL THREADS DEPTH PROMPTS GENERATES      (the last two: numbers with commas)
"""

import ctypes
import json
import sys
import time

import llama_cpp as ll


def fail(message):
    sys.exit(f"llama_cpp_peer: {message}")


class Peer:
    def __init__(self, path, threads, context):
        ll.llama_backend_init()
        self.log = ll.llama_log_callback(lambda *_: None)  # kept alive as long as it may be called
        ll.llama_log_set(self.log, None)
        self.model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
        if not self.model:
            fail(f"cannot load {path}")
        parameters = ll.llama_context_default_params()
        parameters.n_ctx = context
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = ll.llama_init_from_model(self.model, parameters)
        self.memory = ll.llama_get_memory(self.context)
        self.vocab_size = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))

    def decode(self, tokens):
        for at in range(0, len(tokens), 512):
            part = tokens[at : at + 512]
            array = (ctypes.c_int32 * len(part))(*part)  # the batch only points to it
            if ll.llama_decode(self.context, ll.llama_batch_get_one(array, len(part))) != 0:
                fail("llama_decode failed")
        ll.llama_synchronize(self.context)

    def tokens(self, count):
        return [(i * 7919 + 13) % self.vocab_size for i in range(count)]

    def restore(self, depth):
        ll.llama_memory_seq_rm(self.memory, 0, depth, -1)

    def prompt(self, count):
        start = time.perf_counter()
        self.decode(self.tokens(count))
        return count / (time.perf_counter() - start)

    def generate(self, count):
        start = time.perf_counter()
        for token in self.tokens(count):
            self.decode([token])
        return count / (time.perf_counter() - start)


def main():
    path, threads, depth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    prompts, generates = ([int(n) for n in part.split(",") if int(n) > 0] for part in sys.argv[4:6])
    peer = Peer(path, threads, depth + max(prompts + generates) + 1)
    peer.decode(peer.tokens(depth))
    suffix = f" @ d{depth}" if depth else ""
    rates = {}
    for kind, counts, run in (("pp", prompts, peer.prompt), ("tg", generates, peer.generate)):
        for count in counts:
            for _ in range(2):  # the first is the warm-up
                peer.restore(depth)
                rates[f"{kind}{count}{suffix}"] = run(count)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
