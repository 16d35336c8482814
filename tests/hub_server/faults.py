"""Ways in which a hub, its storage or the network between can misbehave. A plan says which answer gets which."""

import random
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    kind: str       # one of KINDS
    where: str = "storage"  # which answers: "api", "resolve" or "storage"
    path: str = ""  # of this file alone; "": of any
    at: float = 0.5  # cuts and stalls: after this part of the body
    wait: float = 1  # seconds: a rate limit's, or how long a stall lasts
    status: int = 503  # of an "error"
    times: int = 1

    def fits(self, where, path):
        return self.where == where and self.path in ("", path)


# kind → what happens. Those of BODY_KINDS need a body that something can happen to.
KINDS = {
    "drop": "the connection ends before an answer",
    "cut": "the connection ends in the middle of the body",
    "stall": "nothing comes any more in the middle of the body",
    "error": "a 5xx",
    "rate_limit": "a 429 with RateLimit",
    "retry_after": "a 429 with Retry-After",
    "short": "a Content-Length that is less than was asked for, and a body of that length",
    "other_etag": "another ETag, and other bytes",
    "whole": "a 200 with all of the file where a range was asked for",
    "shifted": "a Content-Range that begins elsewhere, with its bytes",
    "corrupt": "a bit in the body is another one",
    "loop": "a redirect to the very same place",
    "forbidden": "a 403, as for a signed address that has expired",
}
BODY_KINDS = ("cut", "stall", "short", "other_etag", "whole", "shifted", "corrupt")
# After these the bytes that the client has can't be told from good ones before the file's hash is known.
SPOILING = ("other_etag", "corrupt")


class Listed:
    """Given faults, each as often as it says."""

    def __init__(self, *faults):
        self._left = [[fault, fault.times] for fault in faults]
        self._lock = threading.Lock()

    def take(self, where, path):
        with self._lock:
            for entry in self._left:
                if entry[1] > 0 and entry[0].fits(where, path):
                    entry[1] -= 1
                    return entry[0]
        return None


class Random:
    """Faults drawn from a seed, at most `most` of them, so that a client that goes on gets there."""

    STORAGE = ("drop", "cut", "cut", "cut", "stall", "error", "rate_limit", "short", "other_etag", "whole", "shifted",
               "corrupt", "loop", "forbidden")
    HUB = ("drop", "error", "error", "rate_limit", "retry_after")

    def __init__(self, seed, rate, most, wait):
        self._random = random.Random(seed)
        self._rate, self._most, self._wait = rate, most, wait
        self._lock = threading.Lock()

    def take(self, where, path):
        with self._lock:
            draw = self._random.random()
            kind = self._random.choice(self.STORAGE if where == "storage" else self.HUB)
            at, status = self._random.random(), self._random.choice((500, 502, 503, 504))
            if self._most <= 0 or draw >= self._rate:
                return None
            self._most -= 1
            return Fault(kind, where, path, at, self._wait, status)
