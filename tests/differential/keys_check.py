"""Every key that llama.cpp or transformers have a name for is accounted for: used, without effect, or refused.

    keys_check.py EMELEX

llama.cpp's keys are taken from its sources (llama-arch.cpp of llama-cpp-python's source distribution): a tiny GGUF file of each
architecture that emelex has gets all of them, and `emelex show --keys` must know each. transformers' are the fields of each family's
configuration class, as save_pretrained() writes them, and what its modeling file reads of the configuration. A key that is new with
another version of either is unknown to emelex, and fails here.
"""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1", TRANSFORMERS_VERBOSITY="error")

import family_models
import gguf_edit
import llama_converter
import llama_sources

U32 = 4
# What transformers' modeling files read that is no number of the model, or of parts that are not computed.
NOT_OF_THE_MODEL = {"_attn_implementation", "use_cache", "pad_token_id", "return_dict", "get_text_config", "to_dict", "to_diff_dict", "vision_config",
                    "text_config", "mm_tokens_per_image", "image_token_id", "standardize_rope_params", "per_layer_config", "num_labels", "name_or_path",
                    "output_attentions", "output_hidden_states", "_experts_implementation", "problem_type"}  # fmt: skip


def llama_keys():
    """Keys without the architecture."""
    with tarfile.open(llama_sources.archive()) as tar:
        member = next(member for member in tar if member.name.endswith("vendor/llama.cpp/src/llama-arch.cpp"))
        text = tar.extractfile(member).read().decode()
    table = text[text.index("LLM_KV_NAMES") :]
    keys = re.findall(r'"%s\.([^"%]+)"', table[: table.index("\n};")])
    assert len(keys) > 100, "llama.cpp's table of keys is no longer where it was"
    return keys


def states(emelex, path):
    """Key → "used", "no effect", "refused" or "unknown"; None where emelex refuses the file."""
    done = subprocess.run([emelex, "show", str(path), "--keys"], capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()
    found = {}
    for line in done.stdout.splitlines()[1:]:
        match = re.match(r"(\S+)\s+(used|no effect|refused|unknown)\b", line)
        found[match.group(1)] = match.group(2)
    return found, ""


def check_gguf(emelex, conversion, keys, scratch):
    failures, seen = [], set()
    for case in family_models.cases():
        if case.gguf == "none":
            continue
        folder = Path(scratch) / str(len(seen))
        folder.mkdir(exist_ok=True)
        family_models.make(case, folder, 1)
        path = llama_converter.convert(conversion, folder, folder / "model.gguf")
        own, tensors = gguf_edit.read(path)
        architecture = next(key.value for key in own if key.name == "general.architecture")
        if architecture in seen:
            continue
        seen.add(architecture)
        names = {key.name for key in own}
        sizes = {key.name.removeprefix(architecture + "."): key.value for key in own}
        head_dim = sizes["embedding_length"] // sizes["attention.head_count"]
        value = {f"{architecture}.{key}": head_dim for key in ("attention.key_length", "attention.value_length", "rope.dimension_count")}
        # All in one file; a key whose value a model refuses to be made with is accounted for, and goes.
        more = [f"{architecture}.{key}" for key in keys if f"{architecture}.{key}" not in names]
        while True:
            changed = gguf_edit.write(folder / "changed.gguf", [*own, *(gguf_edit.Key(name, U32, value.get(name, 3)) for name in more)], tensors)
            found, error = states(emelex, changed)
            if found is not None:
                break
            named = [name for name in more if name in error]
            if not named:
                failures.append(f"{architecture}: {error}")
                break
            more.remove(max(named, key=len))
        failures += [f"{name} is unknown" for name in more if (found or {}).get(name, "unknown") == "unknown"]
        found, error = states(emelex, path)
        failures += [f"{name} of a converted file is {use}" for name, use in (found or {error: "refused"}).items() if use in ("refused", "unknown")]
    print(f"{len(keys)} keys of llama.cpp, in {len(seen)} architectures")
    return failures


def read_by_modeling(config):
    module = importlib.import_module(type(config).__module__.replace("configuration_", "modeling_"))
    return set(re.findall(r"\bconfig\.([A-Za-z_]\w*)", inspect.getsource(module))) - NOT_OF_THE_MODEL


def check_folders(emelex, scratch):
    failures, seen, count = [], set(), 0
    for case in family_models.cases():
        kind = type(case.config)
        if kind in seen:
            continue
        seen.add(kind)
        folder = Path(scratch) / kind.__name__
        folder.mkdir()
        case.config.save_pretrained(folder)
        found, error = states(emelex, folder)
        if found is None:
            failures.append(f"{kind.__name__}: {error}")
            continue
        config = json.loads((folder / "config.json").read_text())
        fields = set(config) | read_by_modeling(case.config.get_text_config())
        fields |= {name for name in getattr(kind, "__annotations__", {}) if not name.startswith("_")}
        for name in sorted(fields):
            count += 1
            known = {key.rpartition(".")[2]: use for key, use in found.items()}
            if known.get(name) in ("used", "no effect", "refused") or any(key.startswith(name + ".") or f".{name}." in key for key in found):
                continue
            # A field that the file does not have: it gets one.
            (folder / "config.json").write_text(json.dumps(config | {name: None}))
            more, error = states(emelex, folder)
            if more is not None and more.get(name, "unknown") == "unknown":
                failures.append(f"{kind.__name__}: {name} is unknown")
    print(f"{count} fields of {len(seen)} configuration classes of transformers")
    return failures


def main():
    emelex = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        llama = Path(scratch) / "llama.cpp"
        llama.mkdir()
        failures = check_folders(emelex, scratch)
        failures += check_gguf(emelex, llama_converter.load(llama), llama_keys(), scratch)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(len(failures) > 0)


if __name__ == "__main__":
    main()
