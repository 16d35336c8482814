"""emelex beside llama.cpp: same file, same threads, in turn, several rounds; prints the median ratio of each test.

Machines are shared and drift, so a round runs both and the ratio is taken within the round. Run it through bench/compare,
which installs the peer.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def emelex_rates(arguments):
    report = subprocess.run(
        [arguments.emelex, "bench", arguments.model, "-p", arguments.prompt, "-n", arguments.generate,
         "-d", str(arguments.depth), "-t", str(arguments.threads), "-r", "1", "-o", "json"],
        check=True, stdout=subprocess.PIPE, text=True)
    return {row["test"]: row["mean"] for row in json.loads(report.stdout)["tests"]}


def peer_rates(arguments):
    report = subprocess.run(
        [sys.executable, HERE / "llama_cpp_peer.py", arguments.model, str(arguments.threads), str(arguments.depth),
         arguments.prompt, arguments.generate], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(report.stdout)


def main():
    parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__.split("\n")[0])
    parser.add_argument("model", nargs="?", default=str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("-p", "--prompt", default="512", help="tokens of a prompt; several with commas, 0: none")
    parser.add_argument("-n", "--generate", default="128", help="tokens to generate; several with commas, 0: none")
    parser.add_argument("-d", "--depth", type=int, default=0, help="tokens in the cache before the clock starts")
    parser.add_argument("-t", "--threads", type=int, default=os.cpu_count())
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("--emelex", default=str(ROOT / "build/release/emelex"))
    arguments = parser.parse_args()

    rounds = []
    for i in range(arguments.rounds):
        if sys.stderr.isatty():
            print(f"\rround {i + 1} of {arguments.rounds}", end="", file=sys.stderr, flush=True)
        rounds.append((emelex_rates(arguments), peer_rates(arguments)))
    if sys.stderr.isatty():
        print("\r" + " " * 30 + "\r", end="", file=sys.stderr)

    print(f"{Path(arguments.model).name}, {arguments.threads} threads, {arguments.rounds} rounds; tok/s: median (min – max)\n")
    print("| test | emelex | llama.cpp | ratio |\n| --- | --- | --- | --- |")
    for test in rounds[0][0]:
        ours = [pair[0][test] for pair in rounds]
        theirs = [pair[1][test] for pair in rounds]
        ratios = [a / b for a, b in zip(ours, theirs)]
        cells = [f"{statistics.median(x):.{digits}f} ({min(x):.{digits}f} – {max(x):.{digits}f})"
                 for x, digits in ((ours, 1), (theirs, 1), (ratios, 2))]
        print(f"| {test} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
