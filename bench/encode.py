"""emelex's tokenizers beside `tokenizers`, `tiktoken` and `sentencepiece`: the same vocabularies and texts, one thread, in turn.

    .venv/bin/python bench/encode.py [--megabytes 10] [--rounds 3] [--md FILE] [--json FILE] [NAME…]

Vocabularies: Llama 3's tiktoken file, Mistral's Tekken and sentencepiece files, SmolLM2's in its GGUF file. Texts, a third
each: program text (Python's own sources), English (the documentation in them), and what else people write (the translations
that the machine's programs carry; where there are none, the sentences of the tests). Nothing is fetched.

Times are of the processor, not of a clock, as machines are shared. Texts on which a peer gives
other ids are counted.
"""

import argparse
import ast
import base64
import gettext
import json
import os
import random
import resource
import sys
import sysconfig
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import mistral_common
import sentencepiece
import tiktoken
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests/differential"), str(ROOT / "bench")]

import machine
from corpus import SENTENCES
from report import spread, table
from token_strings import call_tool, run_tool
from tokens_check import GPT4, MODEL, make_reference, read_vocabulary

TOOL = Path(os.environ.get("TOKENIZE_TOOL") or ROOT / "build/release/tests/text/tokenize_tool")
LLAMA3 = ROOT / "build/models/tokenizers/llama3.model"
MISTRAL = Path(mistral_common.__file__).parent / "data"


# Texts ---------------------------------------------------------------------------------------------------------------

def take(parts, size):
    """Parts, in the order given and again from the start, until they have that many bytes."""
    text, length = [], 0
    while length < size:
        for part in parts:
            text.append(part)
            length += len(part.encode())
            if length >= size:
                break
    return "".join(text)


def docstrings(source):
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    nodes = (n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef)))
    return [text + "\n\n" for text in map(ast.get_docstring, nodes) if text]


def translations():
    for path in sorted(Path("/usr/share/locale").glob("*/LC_MESSAGES/*.mo")):
        try:
            with open(path, "rb") as file:
                catalog = gettext.GNUTranslations(file)
        except (OSError, ValueError, LookupError):  # an old or damaged one
            continue
        yield from (text + "\n" for key, text in catalog._catalog.items() if key and isinstance(text, str))


def mixed_text(megabytes):
    rng = random.Random(5)
    third = int(megabytes * 1e6 / 3)
    sources = [path.read_text(errors="replace") for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
               if "site-packages" not in path.parts]
    rng.shuffle(sources)
    english = [text for source in sources for text in docstrings(source)]
    foreign = list(translations()) or [sentence + "\n" for sentence in SENTENCES]
    rng.shuffle(foreign)
    parts = [take(parts, third) for parts in (sources, english, foreign)]
    return "".join(part[:len(part) * third // len(part.encode())] for part in parts)


def documents(text, size=10_000):
    return [text[i:i + size] for i in range(0, len(text), size)]


GROWING = {"one letter": "a", "spaces": " ", "combining marks": "\u0301", "letters and marks": "e\u0301\u0323", "mixed": None}


# Peers ---------------------------------------------------------------------------------------------------------------

def by_tokenizers(tokenizer):
    return lambda texts: [e.ids for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def merges_of(ranks, key):
    """As converters make them: one for each way to part a token in two, in the order of what they make."""
    merges = [(key(token), ranks[token[:i]], ranks[token[i:]], token[:i], token[i:]) for token in ranks
              for i in range(1, len(token)) if token[:i] in ranks and token[i:] in ranks]
    return [(left, right) for *_, left, right in sorted(merges)]


def tokenizers_of_ranks(ranks, first_id, pattern):
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    characters = [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]

    def name(token):
        return "".join(characters[byte] for byte in token)

    merges = [(name(left), name(right)) for left, right in merges_of(ranks, ranks.get)]
    tokenizer = Tokenizer(models.BPE({name(t): r + first_id for t, r in ranks.items()}, merges, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return tokenizer


def tokenizers_of_pieces(model):
    pieces = {model.id_to_piece(i): i for i in range(model.vocab_size())}
    merges = merges_of(pieces, lambda piece: -model.get_score(pieces[piece]))
    tokenizer = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return tokenizer


def llama3():
    lines = (line.split() for line in LLAMA3.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    rust = tiktoken.Encoding("llama3", pat_str=GPT4, mergeable_ranks=ranks, special_tokens={})
    return LLAMA3, {"tokenizers": by_tokenizers(tokenizers_of_ranks(ranks, 0, GPT4)),
                    "tiktoken": lambda texts: [rust.encode_ordinary(text) for text in texts]}


def tekken():
    path = MISTRAL / "tekken_240911.json"
    file = json.loads(path.read_text())
    config, specials = file["config"], file["config"]["default_num_special_tokens"]
    count = config["default_vocab_size"] - specials
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in file["vocab"][:count]}
    rust = tiktoken.Encoding("tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    shifted = lambda text: [i + specials for i in rust.encode_ordinary(text)]
    return path, {"tokenizers": by_tokenizers(tokenizers_of_ranks(ranks, specials, config["pattern"])),
                  "tiktoken": lambda texts: [shifted(text) for text in texts]}


def mistral():
    path = MISTRAL / "mistral_instruct_tokenizer_240323.model.v3"
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return path, {"tokenizers": by_tokenizers(tokenizers_of_pieces(model)),
                  "sentencepiece": lambda texts: model.encode(texts, num_threads=1)}


def smollm2():
    vocabulary = read_vocabulary(MODEL)
    tokenizer = make_reference(vocabulary, "smollm")
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token, kind in zip(vocabulary[0], vocabulary[2]) if kind == 4])
    tokenizer.encode_special_tokens = True
    return Path(MODEL), {"tokenizers": by_tokenizers(tokenizer)}


VOCABULARIES = {"Llama 3": llama3, "Tekken": tekken, "Mistral v3": mistral, "SmolLM2": smollm2}


# Measuring -----------------------------------------------------------------------------------------------------------

def timed(function, *arguments):
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def of_children(function, *arguments):
    def seconds():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    start = seconds()
    result = function(*arguments)
    return seconds() - start, result


def ours(path, texts):
    """Seconds to start and load, seconds to encode, and the ids. Reading the texts and writing the ids counts as ours."""
    load, _ = of_children(call_tool, TOOL, path, "text", b"", None)
    both, (ids, *_) = of_children(run_tool, TOOL, path, texts, "text")
    return load, both - load, ids


def compare(name, path, peers, texts, rounds):
    size = sum(len(text.encode()) for text in texts)
    speeds = {program: [] for program in ["emelex", *peers]}
    loads, different = [], {}
    for _ in range(rounds):
        load, seconds, ids = ours(path, texts)
        loads.append(load * 1000)
        speeds["emelex"].append(size / seconds / 1e6)
        for peer, encode in peers.items():
            seconds, theirs = timed(encode, texts)
            speeds[peer].append(size / seconds / 1e6)
            different[peer] = sum(a != b for a, b in zip(ids, theirs))
            if different[peer]:
                at = next(i for i, (a, b) in enumerate(zip(ids, theirs)) if a != b)
                print(f"{name}, {peer}: text {at} differs", file=sys.stderr)
    return {"name": name, "megabytes": size / 1e6, "texts": len(texts), "speeds": speeds, "load_ms": loads, "different": different}


def growth(name, path, mixed, rounds):
    rows = []
    for kind, letter in GROWING.items():
        seconds = []
        for megabytes in (1, 2, 4):
            size = megabytes * 1_000_000
            text = letter * (size // len(letter.encode())) if letter else mixed.encode()[:size].decode(errors="ignore")
            seconds.append(min(ours(path, [text])[1] for _ in range(rounds)))
        rows.append({"name": name, "text": kind, "ms": [s * 1000 for s in seconds]})
    return rows


def ratios(a, b):
    return [x / y for x, y in zip(a, b)]


def markdown(result):
    host = result["machine"]
    lines = [f"{host['cpu']}, one thread; {result['rounds']} rounds; median (min – max)", ""]
    rows = []
    for r in result["speed"]:
        mine = r["speeds"]["emelex"]
        row = [r["name"], spread(mine), spread(r["load_ms"])]
        for peer in ("tokenizers", "tiktoken", "sentencepiece"):
            theirs = r["speeds"].get(peer)
            row += [f"{spread(theirs)}: {spread(ratios(mine, theirs), '{:.1f}'.format)} ×" if theirs else "–"]
        row += ["; ".join(f"{peer} {n} of {r['texts']}" for peer, n in r["different"].items() if n) or "none"]
        rows.append(row)
    lines += [table(["vocabulary", "emelex, MB/s", "start and load, ms", *(f"{p}, MB/s: emelex is" for p in
                     ("tokenizers", "tiktoken", "sentencepiece")), "texts that differ"], rows)]
    rows = [[g["name"], g["text"], *(f"{ms:.0f}" for ms in g["ms"]), *(f"{b / a:.2f}" for a, b in zip(g["ms"], g["ms"][1:]))]
            for g in result["growth"]]
    if rows:
        lines += ["One text of 1, 2 and 4 MB, the best of the rounds:", "",
                  table(["vocabulary", "text", "1 MB, ms", "2 MB, ms", "4 MB, ms", "2 / 1", "4 / 2"], rows)]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="bench/encode.py", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(VOCABULARIES))
    parser.add_argument("--megabytes", type=float, default=10, help="of mixed text [10]")
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    parser.add_argument("--no-growth", action="store_true", help="only the mixed text")
    for name in ("md", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help="write the result there, too")
    arguments = parser.parse_args()
    if not TOOL.exists():
        sys.exit("bench/encode.py: build tokenize_tool first: make test, or cmake --build build/release --target tokenize_tool")
    text = mixed_text(arguments.megabytes)
    result = {"machine": machine.describe(1), "rounds": arguments.rounds, "speed": [], "growth": []}
    for name in arguments.names or VOCABULARIES:
        path, peers = VOCABULARIES[name]()
        result["speed"].append(compare(name, path, peers, documents(text), arguments.rounds))
        if not arguments.no_growth:
            result["growth"] += growth(name, path, text * (1 + int(4.1 / arguments.megabytes)), arguments.rounds)
    result["machine"]["load_after"] = os.getloadavg()
    output = markdown(result)
    print(output)
    if arguments.md:
        arguments.md.write_text(output)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
