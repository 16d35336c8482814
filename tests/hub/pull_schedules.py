"""Many pulls under random faults, with kill -9 at random moments among them.

    EMELEX=build/release/emelex .venv/bin/python -B tests/hub/pull_schedules.py [SCHEDULES] [SEED]

After each schedule, whatever happened in it: nothing half-done is listed, what is listed verifies, a pull from a server
that behaves again finishes, and no part that a pull had put down as complete was asked for again, unless bytes of that
file had been spoiled.
"""

import os
import random
import sys
import time
import unittest

from hub_case import QUICK, HubCase, Slow, complete_parts, tiny_folder, tiny_gguf
from faults import SPOILING, Listed, Random

COUNTS = {"pulls": 0, "killed": 0, "failed": 0, "finished": 0, "faults": 0, "bytes": 0, "needed": 0, "parts kept": 0,
          "by several connections": 0}


class Schedule(HubCase):
    def overlaps(self, repository, kept, run):
        """Requests of a run that ask for bytes of parts that were complete before it."""
        hashes = {path: file.etag for path, file in repository.files.items()}
        spoiled = {answer.path for answer in self.hub.answers if answer.fault in SPOILING}
        for answer in self.hub.answers:
            if answer.run != run or answer.path in spoiled or answer.fault in ("whole", "shifted"):
                continue
            for begin, end in kept.get(hashes[answer.path], []):
                if answer.start < end and begin < answer.start + answer.wanted:
                    yield answer, begin, end

    def runTest(self):
        rng = random.Random(self.seed)
        repo = "org/thing-GGUF"
        if self.seed % 3 == 0:
            files = tiny_folder()
        elif self.seed % 3 == 1:
            files = {"thing-Q4_K_M.gguf": tiny_gguf(rng.randrange(200_000, 1_500_000), self.seed)}
        else:
            size = rng.randrange(100_000, 500_000)
            files = {f"thing-Q4_K_M-0000{i + 1}-of-00003.gguf": tiny_gguf(size, self.seed + i, (i, 3)) for i in range(3)}
        repository = self.add(repo, files)
        folder = self.registry_path("thing" + ("+q4_k_m" if self.seed % 3 else ""), ".pull")
        self.hub.faults = Random(self.seed, rng.choice((0.05, 0.15, 0.3)), rng.randrange(30), 1)
        # A hub on the same machine is quick enough for one connection to do all before there are more.
        self.hub.before_storage = slow = Slow(rng.choice((0, 0.03, 0.06)))
        command = ("pull", repo, *QUICK, "--connections", str(rng.choice((1, 3, 8))))
        for self.hub.run in range(1, rng.randrange(2, 5)):
            kept = complete_parts(folder)
            process = self.start(*command)
            COUNTS["pulls"] += 1
            if rng.random() < 0.6:
                time.sleep(rng.uniform(0, 0.4))
                process.kill()
            _, errors = process.communicate(timeout=120)
            COUNTS[{0: "finished", 1: "failed", -9: "killed"}[process.returncode]] += 1
            self.check_state(repository, kept, errors)
        self.hub.faults, self.hub.run = Listed(), 99
        if rng.random() < 0.1:
            self.assertEqual(self.emelex("gc").returncode, 0)
        kept = complete_parts(folder)
        name = self.pull(repo)
        self.check_state(repository, kept, b"")
        self.assertEqual(list(self.models()), [name])
        COUNTS["by several connections"] += slow.most_at_once > 1
        COUNTS["faults"] += sum(bool(answer.fault) for answer in self.hub.answers)
        COUNTS["bytes"] += self.hub.bytes_sent()
        COUNTS["needed"] += sum(self.repositories[repo].files[os.path.basename(file["path"])].size for file in self.models()[name]["files"])

    def check_state(self, repository, kept, errors):
        COUNTS["parts kept"] += sum(len(parts) for parts in kept.values())
        self.assertEqual(list(self.overlaps(repository, kept, self.hub.run)), [])
        for model in self.models().values():
            for file in model["files"]:
                self.assertTrue(os.path.exists(file["path"]))
        result = self.emelex("verify")
        self.assertEqual(result.returncode, 0, (errors, result.stderr))


def main():
    schedules = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    suite = unittest.TestSuite()
    for i in range(schedules):
        case = Schedule()
        case.seed = seed + i
        suite.addTest(case)
    start = time.monotonic()
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    for case, _ in result.failures + result.errors:
        print("seed", case.seed)
    print(f"{schedules} schedules from seed {seed} in {time.monotonic() - start:.0f} s:", COUNTS)
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
