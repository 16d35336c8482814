"""No file is computed as another model: keys and tensors are removed, altered and doubled, and emelex's logits are the peer's or it refuses.

    key_mutations_check.py LOGITS_TOOL EMELEX [--seed N] [--pairs N] [--no-singles] [--seconds N] [NAME…]

For each family a tiny random model (family_models.py) becomes a folder, of which transformers is the peer, and a GGUF file, of which
llama.cpp is. Each key of config.json and of the file's metadata, keys that the model does not have but the peer reads for some, and one
tensor of each kind are changed one at a time; then PAIRS random pairs of changes. What the peer refuses, emelex must refuse, unless the
change is without effect: `emelex show --keys` says so of each key that was changed (or WITHOUT_EFFECT does), and emelex's logits are the
peer's of the file without these changes. A refusal must name a key or a tensor. --seconds bounds the run; what was left out is said.
Without --seed the pairs differ with every run.
"""

import argparse
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", TRANSFORMERS_VERBOSITY="error")

import numpy as np
import torch
import transformers as tf

import family_models
import gguf_edit
import llama_converter
from llama_worker import Worker
from logits_files import run_logits

torch.set_num_threads(1)
LIMIT = 1e-3
GELU_LIMIT = 2e-2  # llama.cpp's is a table in float16
TOKENS = 60

# Keys of config.json that no model of ours has by itself, and values at which somebody might ask for something.
MORE_CONFIG = {"is_causal": False, "rope_theta": 777.0, "rope_scaling": {"rope_type": "linear", "factor": 3.0}, "partial_rotary_factor": 0.5,
               "original_max_position_embeddings": 64, "tie_word_embeddings": True, "use_sliding_window": True, "sliding_window": 9,
               "attention_bias": True, "mlp_bias": True, "head_dim": 8, "layer_types": ["sliding_attention"], "rope_local_base_freq": 77.0,
               "logit_scale": 3.0, "use_qk_norm": True, "use_bidirectional_attention": True, "attn_logit_softcapping": 1.5,
               "final_logit_softcapping": 1.5, "num_experts": 2, "mlp_only_layers": [0], "decoder_sparse_step": 2,
               "query_pre_attn_scalar": 7}  # fmt: skip
# Keys of GGUF without the architecture: name → (type, value).
U32, F32, BOOL, STR, I32 = 4, 6, 7, 8, 5
MORE_GGUF = {"attention.causal": (BOOL, False), "pooling_type": (U32, 1), "attention.scale": (F32, 0.9), "attn_logit_softcapping": (F32, 1.5),
             "final_logit_softcapping": (F32, 1.5), "logit_scale": (F32, 3.0), "residual_scale": (F32, 0.3), "embedding_scale": (F32, 3.0),
             "rope.scaling.type": (STR, "linear"), "rope.scaling.factor": (F32, 3.0), "rope.scale_linear": (F32, 3.0),
             "rope.scaling.attn_factor": (F32, 1.7), "rope.freq_base": (F32, 777.0), "rope.freq_base_swa": (F32, 777.0),
             "rope.scaling.original_context_length": (U32, 64), "rope.scaling.finetuned": (BOOL, False), "rope.dimension_count": (U32, 8),
             "rope.dimension_count_swa": (U32, 8), "attention.key_length_swa": (U32, 8), "attention.value_length": (U32, 8),
             "expert_gating_func": (U32, 2), "expert_weights_scale": (F32, 2.5), "expert_weights_norm": (BOOL, True),
             "expert_shared_count": (U32, 1), "expert_group_count": (U32, 2), "expert_count": (U32, 2), "expert_used_count": (U32, 1),
             "leading_dense_block_count": (U32, 1), "nextn_predict_layers": (U32, 1), "attention.head_count_kv": (U32, 1),
             "attention.max_alibi_bias": (F32, 8.0), "attention.clamp_kqv": (F32, 0.5), "interleave_moe_layer_step": (U32, 2),
             "swiglu_clamp_exp": (9, (F32, [0.5] * 3)), "embedding_length_out": (U32, 32)}  # fmt: skip
MORE_TENSORS = {"blk.0.attn_q.bias": "attn_q", "blk.0.attn_norm.bias": "dim", "output.bias": "vocab", "blk.0.attn_q.scale": 1, "blk.0.attn_sinks.weight": "heads",
                "blk.0.attn_q_norm.weight": "head", "blk.0.exp_probs_b.bias": 4, "cls.output.weight": "dim", "blk.99.attn_norm.weight": "dim",
                "rope_freqs.weight": "rope", "blk.0.post_attention_norm.weight": "dim", "token_embd_norm.weight": "dim"}  # fmt: skip

# Where emelex computes what transformers does and llama.cpp passes over: (architecture, key), "*" for all.
OURS = {("llama", "attention.sliding_window"), ("phi3", "attention.sliding_window"), ("qwen2", "attention.sliding_window"),
        ("qwen3", "attention.sliding_window"), ("smollm3", "attention.sliding_window"), ("smollm3", "attention.rope_pattern"),
        ("qwen3moe", "attention.sliding_window"), ("qwen3moe", "expert_weights_norm"), ("gemma2", "attention.scale"), ("gemma3", "attention.scale"),
        ("olmo2", "rope.freq_base"), ("olmo2", "rope.freq_base_swa"),
        ("*", "rope.scaling.yarn_beta_fast"), ("*", "rope.scaling.yarn_beta_slow"), ("*", "rope.scaling.yarn_attn_factor")}  # fmt: skip

FAMILIES = ("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3 moe", "phi2", "phi3", "phi4", "gemma2, as in GGUF", "gemma3, as in GGUF",
            "smollm3", "olmo2", "olmo3", "gpt-oss, plain", "granite", "command r")  # fmt: skip
BAD = ("ANOTHER MODEL", "crashed", "computed, refused by the peer", "refused without a name")
# Changes that a peer refuses and that change nothing, beside the keys that `emelex show --keys` calls without effect:
# (peer, key, how) → why.
WITHOUT_EFFECT = {("GGUF", "vocab_size", "removed"): "the embedding's rows are the vocabulary, and any other number is refused",
                  ("folder", "pad_token_id", "removed"): "transformers' default id is outside a tiny vocabulary; no logit depends on it"}


def altered(value, key=""):
    """Another value of the same kind, or of one that somebody might write."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 2 if value < 4 else value // 2
    if isinstance(value, float):
        return value * 3.0
    if isinstance(value, str):
        return {"silu": "gelu", "default": "linear", "sliding_attention": "full_attention"}.get(value, value + "x")
    if isinstance(value, list):
        return [altered(x) if isinstance(x, (bool, int, float)) else x for x in value][::-1]
    if isinstance(value, dict):
        return None
    return 1.5 if key.endswith("softcapping") else 1  # transformers wants a float there, where emelex takes any number


def places(config, prefix=()):
    for key, value in config.items():
        yield (*prefix, key)
        if isinstance(value, dict) and key.startswith(("rope", "text_config", "full_", "sliding_")):
            yield from places(value, (*prefix, key))


class Folder:
    """Changes of a folder; the peer is transformers."""

    name, limit = "folder", LIMIT

    def __init__(self, programs, case, base):
        (self.tool, self.emelex), self.case, self.base = programs, case, Path(base)
        self.config = json.loads((self.base / "config.json").read_text())
        from safetensors.torch import load_file

        self.tensors = load_file(self.base / "model.safetensors")

    def changes(self):
        for place in places(self.config):
            if place[-1] in ("model_type", "transformers_version", "dtype", "architectures"):
                continue
            for how in ("removed", "altered", "doubled", "null"):
                yield ("key", place, how)
        for key, value in MORE_CONFIG.items():
            if key not in self.config:
                yield ("more", (key,), value)
        kinds = {}
        for name in sorted(self.tensors):
            kinds.setdefault("".join("#" if c.isdigit() else c for c in name), name)
        for name in kinds.values():
            for how in ("removed", "altered", "twice", "bias"):
                yield ("tensor", name, how)

    def apply(self, folder, changes):
        config, tensors, doubled, other = copy.deepcopy(self.config), dict(self.tensors), [], {}
        for kind, what, how in changes:
            if kind == "more":
                config[what[0]] = how
            elif kind == "key":
                inner = config
                for key in what[:-1]:
                    inner = inner.get(key) or {}
                if what[-1] not in inner:
                    continue
                if how == "removed":
                    del inner[what[-1]]
                elif how == "null":
                    inner[what[-1]] = None
                elif how == "altered":
                    inner[what[-1]] = altered(inner[what[-1]], what[-1])
                elif len(what) == 1:
                    doubled.append(what[0])
            elif how == "removed":
                tensors.pop(what, None)
            elif how == "altered" and what in tensors:
                tensors[what] = tensors[what][:-1]
            elif how == "bias" and what.endswith(".weight"):
                tensors[what.removesuffix("weight") + "bias"] = torch.ones(self.tensors[what].shape[0])
            elif how == "twice":
                other[what] = torch.flip(self.tensors[what], [0]) * 2
        text = json.dumps(config)
        for key in doubled:  # the last counts
            text = "{" + json.dumps(key) + ": " + json.dumps(altered(config.get(key))) + "," + text[1:]
        (folder / "config.json").write_text(text)
        from safetensors.torch import save_file

        tensors = {name: values.contiguous().clone() for name, values in tensors.items()}
        if not other:
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
            return folder
        names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        save_file(tensors, folder / names[0], metadata={"format": "pt"})
        save_file({name: values.contiguous() for name, values in other.items()}, folder / names[1], metadata={"format": "pt"})
        index = {"metadata": {}, "weight_map": {name: names[0] for name in tensors} | {name: names[1] for name in other}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder

    @torch.inference_mode()
    def peer(self, path, ids):
        try:
            model, info = tf.AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager", dtype=torch.float32,
                                                                  output_loading_info=True)  # fmt: skip
            if info["missing_keys"] or info["mismatched_keys"]:
                return None  # it makes up random numbers
            return model.eval()(torch.tensor([ids])).logits[0].float().numpy()
        except Exception:
            return None


class Gguf:
    """Changes of a GGUF file; the peer is llama.cpp."""

    name = "GGUF"

    def __init__(self, programs, case, base, conversion, worker):
        (self.tool, self.emelex), self.case, self.worker = programs, case, worker
        path = llama_converter.convert(conversion, base, Path(base) / "model.gguf")
        self.keys, self.tensors = gguf_edit.read(path)
        self.architecture = next(key.value for key in self.keys if key.name == "general.architecture")
        self.limit = GELU_LIMIT if self.architecture.startswith(("gemma", "phi2")) else LIMIT

    def changes(self):
        own = {key.name for key in self.keys}
        for key in self.keys:
            if not key.name.startswith(self.architecture + ".") and key.name != "general.type":
                continue
            for how in ("removed", "altered", "doubled"):
                yield ("key", key.name, how)
        for key, (type, value) in MORE_GGUF.items():
            if f"{self.architecture}.{key}" not in own:
                yield ("more", f"{self.architecture}.{key}", (type, value))
        kinds = {}
        for tensor in self.tensors:
            kinds.setdefault("".join("#" if c.isdigit() else c for c in tensor.name), tensor.name)
        for name in kinds.values():
            for how in ("removed", "altered", "doubled"):
                yield ("tensor", name, how)
        for name in MORE_TENSORS:
            if not any(tensor.name == name for tensor in self.tensors):
                yield ("tensor", name, "added")

    def size(self, what):
        sizes = {key.name.removeprefix(self.architecture + "."): key.value for key in self.keys}
        q = next((t.shape[-1] for t in self.tensors if t.name == "blk.0.attn_q.weight"), 64)
        heads = sizes["attention.head_count"]
        return what if isinstance(what, int) else {"attn_q": q, "dim": sizes["embedding_length"], "vocab": self.case.vocab_size, "heads": heads,
                                                   "head": q // heads, "rope": q // heads // 2}[what]  # fmt: skip

    def apply(self, folder, changes):
        keys, tensors = copy.copy(self.keys), copy.copy(self.tensors)
        for kind, what, how in changes:
            if kind == "more":
                keys.append(gguf_edit.Key(what, *how))
            elif kind == "key":
                at = next((i for i, key in enumerate(keys) if key.name == what), None)
                if at is None:
                    continue
                key = keys[at]
                value = (key.value[0], altered(key.value[1])) if key.type == gguf_edit.ARRAY else altered(key.value)
                if how == "removed":
                    del keys[at]
                elif how == "altered":
                    keys[at] = gguf_edit.Key(key.name, key.type, value)
                else:
                    keys.append(gguf_edit.Key(key.name, key.type, value))
            elif how == "added":
                n = self.size(MORE_TENSORS[what])
                values = np.random.default_rng(1).random(n, np.float32) + 0.5
                tensors.append(gguf_edit.Tensor(what, [n], 0, values.tobytes()))
            else:
                at = next((i for i, tensor in enumerate(tensors) if tensor.name == what), None)
                if at is None:
                    continue
                tensor = tensors[at]
                if how == "removed":
                    del tensors[at]
                elif how == "doubled":
                    tensors.append(tensor)
                else:
                    row = len(tensor.data) // tensor.shape[-1] // 32 * 32 or 32
                    smaller = [*tensor.shape[:-1], tensor.shape[-1] - 1]
                    tensors[at] = gguf_edit.Tensor(tensor.name, smaller, tensor.type, tensor.data[: len(tensor.data) - row])
        return gguf_edit.write(folder / "model.gguf", keys, tensors)

    def peer(self, path, ids):
        return self.worker.logits(path, ids)

    def is_ours(self, changes):
        names = [what.removeprefix(self.architecture + ".") for kind, what, _ in changes if kind != "tensor"]
        return any((architecture, name) in OURS for name in names for architecture in (self.architecture, "*"))


def emelex(tool, path, ids):
    """Logits, or the error with its text in `said`."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            return run_logits(tool, path, [ids], "float", context=256)[0]
        except subprocess.CalledProcessError as error:
            said.seek(0)
            error.said = said.read().decode(errors="replace").strip()
            return error
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def key_states(program, path):
    """Key → what `emelex show --keys` says of it: used, no effect, refused or unknown."""
    done = subprocess.run([program, "show", str(path), "--keys"], capture_output=True, text=True)
    matches = [re.match(r"(\S+)\s+(used|no effect|refused|unknown)\b", line) for line in done.stdout.splitlines()]
    return {match.group(1): match.group(2) for match in matches if match}


def names_something(said, changes):
    """Whether a refusal names a key or a tensor: of two that contradict each other it may name the one that was not changed."""
    changed = [(what if isinstance(what, str) else what[-1]).rpartition("blk.0.")[2] for _, what, _ in changes]
    words = said.removeprefix("logits_tool: ")
    return re.search(r"'[\w.]+'|[a-z]+(_[a-z]+)+", words) is not None or any(name in said for name in changed)


def is_without_effect(subject, change, states):
    kind, what, how = change
    if kind == "tensor":
        return False
    key = what if isinstance(what, str) else ".".join(what)
    listed = (subject.name, key.removeprefix(f"{getattr(subject, 'architecture', '')}."), how) in WITHOUT_EFFECT
    return listed or states.get(key) == "no effect"


def verdict_against_peer(subject, changes, path, ids, ours):
    """The verdict of a file that emelex computes and its peer refuses."""
    refused = "computed, refused by the peer"
    states = key_states(subject.emelex, path)
    rest = tuple(change for change in changes if not is_without_effect(subject, change, states))
    if len(rest) == len(changes):
        return refused, ""
    with tempfile.TemporaryDirectory() as folder:
        theirs = subject.peer(subject.apply(Path(folder), rest), ids)
    if theirs is None or theirs.shape != ours.shape:
        return refused, ""
    off = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return ("without effect" if off <= subject.limit else "ANOTHER MODEL"), f"{off:.1e} off"


def verdict(subject, changes, ids):
    """What became of a changed model, and a figure or what emelex said."""
    with tempfile.TemporaryDirectory() as folder:
        path = subject.apply(Path(folder), changes)
        ours = emelex(subject.tool, path, ids)
        if isinstance(ours, subprocess.CalledProcessError):
            said = ours.said.replace(folder, "")[:300]
            if ours.returncode < 0:
                return "crashed", said
            return ("refused" if names_something(ours.said, changes) else "refused without a name"), said
        theirs = subject.peer(path, ids)
        if theirs is None:
            return verdict_against_peer(subject, changes, path, ids, ours)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        return ("equal" if not np.isfinite(ours).all() else "computed, refused by the peer"), ""
    off = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if off <= subject.limit:
        return "equal", f"{off:.1e} off"
    if isinstance(subject, Gguf) and subject.is_ours(changes):
        return "as transformers", f"{off:.1e} off"
    return "ANOTHER MODEL", f"{off:.1e} off"


def subjects_of(programs, cases, conversion, worker, scratch, seed):
    for case in cases:
        base = Path(scratch) / case.name.replace(" ", "_").replace(",", "")
        base.mkdir()
        with torch.inference_mode():
            family_models.make(case, base, seed)
        yield Folder(programs, case, base)
        if case.gguf not in ("none", "ours"):  # of the latter llama.cpp passes over a window in any case
            copied = base.with_name(base.name + "-gguf")
            shutil.copytree(base, copied)
            yield Gguf(programs, case, copied, conversion, worker)


def work_of(subjects, singles, pairs, rng):
    """Changes of models, each [(subject, changes)], in random order."""
    work = [(subject, (change,)) for subject in subjects for change in subject.changes()] if singles else []
    rng.shuffle(work)
    changes = {subject: list(subject.changes()) for subject in subjects}
    for _ in range(pairs):
        subject = rng.choice(subjects)
        work.append((subject, tuple(rng.sample(changes[subject], 2))))
    return work


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("emelex")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--no-singles", action="store_true")
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("names", nargs="*", default=FAMILIES)
    return parser.parse_intermixed_args()


def main():
    given = arguments()
    start = time.monotonic()
    print(f"seed {given.seed}", flush=True)
    cases = [case for case in family_models.cases() if case.name in given.names]
    assert {case.name for case in cases} == set(given.names), set(given.names) - {case.name for case in cases}
    rng, counts, left_out = random.Random(given.seed), Counter(), 0
    with tempfile.TemporaryDirectory() as scratch:
        conversion_folder = Path(scratch) / "llama.cpp"
        conversion_folder.mkdir()
        conversion = llama_converter.load(conversion_folder)
        subjects = list(subjects_of((given.tool, given.emelex), cases, conversion, Worker(), scratch, given.seed % 1000))
        work = work_of(subjects, not given.no_singles, given.pairs, rng)
        ids = {subject: [rng.randrange(3, subject.case.vocab_size - 4) for _ in range(TOKENS)] for subject in subjects}
        for subject, changes in work:
            if time.monotonic() - start > given.seconds:
                left_out += 1
                continue
            found, more = verdict(subject, changes, ids[subject])
            counts[subject.name, found, len(changes)] += 1
            if found in BAD:
                text = " and ".join(f"{kind} {what if isinstance(what, str) else '.'.join(what)} {how}" for kind, what, how in changes)
                print(f"{found}: {subject.case.name}, {subject.name}: {text}: {more}", flush=True)
    for (kind, found, n), count in sorted(counts.items()):
        print(f"{kind:7} {'pairs' if n > 1 else 'single'}: {count:5} {found}")
    print(f"{len(work) - left_out} of {len(work)} done in {time.monotonic() - start:.0f} s; {left_out} left out")
    sys.exit(sum(count for (_, found, _), count in counts.items() if found in BAD) > 0)


if __name__ == "__main__":
    main()
