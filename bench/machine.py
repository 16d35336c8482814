"""What bench/compare runs on."""

import json
import os
import platform
import subprocess
from pathlib import Path

from peers import child


def said_by(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu_fields():
    """Of /proc/cpuinfo, a dictionary for each processor."""
    try:
        blocks = Path("/proc/cpuinfo").read_text().strip().split("\n\n")
    except OSError:
        return []
    return [{k.strip(): v.strip() for k, _, v in (line.partition(":") for line in block.splitlines())} for block in blocks]


def cores():
    """Physical ones, as emelex counts them; fewer where this process may use fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pairs = {(cpu.get("physical id"), cpu.get("core id")) for cpu in cpu_fields() if "core id" in cpu}
    physical = len(pairs) or int(said_by("sysctl", "-n", "hw.physicalcpu") or 0) or allowed
    return min(physical, allowed)


def processor():
    """Its name, and on Linux its family and model: a virtual machine may call all of them the same."""
    for cpu in cpu_fields():
        if "model name" in cpu:
            numbers = [f"{key.removeprefix('cpu ')} {cpu[key]}" for key in ("cpu family", "model") if key in cpu]
            return cpu["model name"] + (f" ({', '.join(numbers)})" if numbers else "")
    return said_by("sysctl", "-n", "machdep.cpu.brand_string")


def describe(threads):
    cpu = processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu or platform.machine(), "cores": cores(), "threads": threads, "memory_gb": memory / 1e9,
            "system": f"{platform.system()} {platform.release()} {platform.machine()}", "load_before": os.getloadavg()}


class Probe:
    """What memory and arithmetic give just now; see probe.cpp."""

    def __init__(self, build_folder, threads):
        self.build_folder, self.threads = build_folder, threads

    def __call__(self, model):
        """Raises Failure where it cannot be built or run."""
        source = Path(__file__).with_name("probe.cpp")
        program = child.build(source, self.build_folder / "probe", ["-march=native"])
        return json.loads(child.run([program, self.threads, largest_file(model)], 120).output)


def files_of(model):
    path = Path(model)
    return [path] if path.is_file() else sorted(path.glob("*.safetensors"))


def largest_file(model):
    return max(files_of(model), key=lambda file: file.stat().st_size, default=model)


def put_in_page_cache(model):
    for file in files_of(model):
        with open(file, "rb", buffering=0) as data:
            while data.read(1 << 24):
                pass
