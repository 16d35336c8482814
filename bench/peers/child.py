"""Runs a program and measures it from outside: time to its first output and peak resident memory."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass


class Failure(Exception):
    """Why there is no figure, in a line for the report."""


@dataclass
class Outcome:
    output: str
    seconds_to_output: float  # from just before fork and exec to the first byte, or to the end if it prints nothing
    peak_bytes: int
    others: float  # processors that were busy with something else meanwhile, on average; None where unknown


def busy_seconds():
    """Of all processors together, since the machine started; what a hypervisor took away counts as busy."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return None


def run(arguments, timeout, environment=None):
    """Raises Failure where the program is missing, fails or is not done in `timeout` seconds."""
    name = os.path.basename(str(arguments[0]))
    with tempfile.TemporaryFile() as errors:
        busy, begin = busy_seconds(), time.perf_counter()
        try:
            child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=errors, env=environment, bufsize=0)
        except OSError as error:
            raise Failure(f"cannot run {name}: {error.strerror}") from None
        late = threading.Event()
        clock = threading.Timer(timeout, lambda: (late.set(), child.kill()))
        clock.start()
        try:
            first = child.stdout.read(65536)
            seconds = time.perf_counter() - begin
            output = first
            while more := child.stdout.read(65536):
                output += more
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            others = None
            if busy is not None:
                used = busy_seconds() - busy - usage.ru_utime - usage.ru_stime
                others = max(0.0, used / (time.perf_counter() - begin))
        finally:
            clock.cancel()
            if child.returncode is None:  # interrupted
                end(child)
            child.stdout.close()
        if late.is_set():
            raise Failure(f"not done in {timeout:g} s")
        if child.returncode != 0:
            errors.seek(0)
            raise Failure(reason(name, child.returncode, errors.read().decode(errors="replace")))
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Outcome(output.decode(errors="replace"), seconds, peak, others)


def end(child):
    """With time to remove what it was writing."""
    child.terminate()
    try:
        child.wait(2)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def reason(name, code, errors):
    """The last line of what it wrote to stderr, short enough for a table."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    return (f"{name}: " + (lines[-1] if lines else ended))[:160]


def build(source, target, flags=()):
    """Compiles a program of one file, unless it is there and newer. → its path"""
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CXX", "c++")
    run([compiler, "-std=c++20", "-O3", "-pthread", source, "-o", target, *flags], 300)
    return target
