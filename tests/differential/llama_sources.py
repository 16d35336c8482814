"""Files of llama-cpp-python's source distribution, which is fetched once and never part of this repository."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("EMELEX_WHEEL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "emelex/wheels")


def version():
    for line in (ROOT / "tests/requirements-peers.txt").read_text().splitlines():
        if line.startswith("llama-cpp-python=="):
            return line.split("==")[1].strip()
    raise SystemExit("tests/requirements-peers.txt has no llama-cpp-python")


def archive():
    path = CACHE / f"llama_cpp_python-{version()}.tar.gz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", CACHE,
                        f"llama-cpp-python=={version()}"], check=True)
    return path


def files(folder, suffix):
    """Name → bytes of the files in that folder of llama.cpp."""
    found = {}
    with tarfile.open(archive()) as tar:
        for member in tar:
            path = Path(member.name)
            if member.isfile() and path.suffix == suffix and str(path.parent).endswith(f"vendor/llama.cpp/{folder}"):
                found[path.name] = tar.extractfile(member).read()
    return found


def unpack(folder, names):
    """Puts those files and folders of llama.cpp into `folder`."""
    with tarfile.open(archive()) as tar:
        for member in tar:
            inside = member.name.partition("/vendor/llama.cpp/")[2]
            if member.isfile() and inside.startswith(tuple(names)):
                path = Path(folder) / inside
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())


def chat_templates():
    return {name: text.decode() for name, text in sorted(files("models/templates", ".jinja").items())}
