"""A model hub on the loopback interface that speaks Hugging Face's protocol, and misbehaves when it is told to.

Two servers, as there are in the world: the hub, which knows repositories, and the storage that it redirects to for large
files. What they send is written down, answer by answer, so that a test can say which bytes went over the wire.
"""

import hashlib
import http.server
import json
import re
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field

from faults import Listed

LARGE = (".gguf", ".safetensors", ".bin")
STEP = 1 << 18  # bytes of a file at a time
RATE_LIMIT_POLICY = '"fixed window";"api";q=500;w=300'


def sha256(content):
    hash = hashlib.sha256()
    for at in range(0, len(content), STEP):
        hash.update(content[at:at + STEP])
    return hash.hexdigest()


def git_blob_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + bytes(content)).hexdigest()


class File:
    """`content` is bytes or anything that slices like them."""

    def __init__(self, content, large):
        self.content, self.size, self.large = content, len(content), large
        self.sha256 = sha256(content)
        # git holds a small text in place of a large file, whose own hash the blob's id then is.
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (self.sha256.encode(), self.size)
        self.pointer_size = len(pointer)
        self.blob_id = git_blob_sha1(pointer if large else content)
        self.etag = self.sha256 if large else self.blob_id

    def lfs(self, hash_key):
        return {hash_key: self.sha256, "size": self.size, "pointerSize": self.pointer_size}


@dataclass
class Repository:
    """Revisions by name; a commit's id is made from what it holds."""

    files: dict
    gated: bool = False
    private: bool = False
    renamed_to: str = ""
    commit: str = field(init=False)

    def __post_init__(self):
        self.files = {path: content if isinstance(content, File) else File(content, path.endswith(LARGE))
                      for path, content in self.files.items()}
        names = "".join(f"{path} {file.sha256}\n" for path, file in sorted(self.files.items()))
        self.commit = hashlib.sha1(names.encode()).hexdigest()


@dataclass
class Answer:
    """One answer that had a file's bytes in it: [start, start + sent) of the file."""

    run: int
    where: str
    repo: str
    path: str
    start: int
    wanted: int
    sent: int = 0
    fault: str = ""


class Refused(Exception):
    def __init__(self, status, code="", message="", headers=()):
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers)


class QuietServer(http.server.ThreadingHTTPServer):
    request_queue_size = 64  # a connection that is turned away comes again after a second
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that was killed or had enough is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class HubServer:
    """`with HubServer(repositories) as hub:` — HF_ENDPOINT is hub.endpoint. Attributes may be changed while it runs."""

    def __init__(self, repositories, token="hf_right"):
        self.repositories, self.token = repositories, token
        self.faults = Listed()
        self.before_storage = None  # called before each answer of the storage
        self.run = 0
        self.answers = []
        self.requests = []  # (method, where, path, whether there was a token)
        self._lock = threading.Lock()

    def __enter__(self):
        self._servers = [QuietServer(("127.0.0.1", 0), handler) for handler in (HubHandler, StorageHandler)]
        for server in self._servers:
            server.hub = self
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.endpoint, self.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        return self

    def __exit__(self, *_):
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def note(self, records, record):
        with self._lock:
            records.append(record)

    def bytes_sent(self, path="", run=None):
        return sum(a.sent for a in self.answers if path in ("", a.path) and run in (None, a.run))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # an answer's head in one piece
    where = ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub = self.server.hub
        self.url = urllib.parse.urlsplit(self.path)
        self.parts = urllib.parse.unquote(self.url.path).lstrip("/")
        hub.note(hub.requests, (self.command, self.where, self.parts, "Authorization" in self.headers))
        try:
            self.answer()
        except Refused as refused:
            self.refuse(refused)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def send(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value):
        self.send(200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode())

    def refuse(self, refused):
        headers = dict(refused.headers)
        if refused.code:
            headers["X-Error-Code"] = refused.code
        if refused.message:
            headers["X-Error-Message"] = refused.message
        self.send(refused.status, headers, json.dumps({"error": refused.message}).encode())

    def take_fault(self, where, path):
        """What is to go wrong with this answer's body; what goes wrong without one happens here."""
        fault = self.server.hub.faults.take(where, path)
        if fault is None:
            return None
        if fault.kind == "drop":
            self.close_connection = True
            raise BrokenPipeError
        if fault.kind == "error":
            raise Refused(fault.status, message="the hub has a bad day")
        if fault.kind == "rate_limit":
            raise Refused(429, headers={"RateLimit": f'"api";r=0;t={int(fault.wait)}', "RateLimit-Policy": RATE_LIMIT_POLICY})
        if fault.kind == "retry_after":
            raise Refused(429, headers={"Retry-After": str(int(fault.wait))})
        if fault.kind == "forbidden":
            raise Refused(403, message="Request has expired")
        if fault.kind == "loop":
            raise Refused(302, headers={"Location": self.path})
        return fault

    def send_file(self, repo, path, file, headers, fault):
        """All of a file, or the range that was asked for."""
        start, end, ranged = 0, file.size, False
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        kind = fault.kind if fault else ""
        if match and kind != "whole":
            ranged, start = True, int(match[1])
            end = min(file.size, int(match[2]) + 1) if match[2] else file.size
            if start >= file.size or start >= end:
                raise Refused(416, headers={"Content-Range": f"bytes */{file.size}"})
        content, etag = file.content, file.etag
        body_start = start
        if kind == "shifted" and ranged:
            body_start = start - 1 if start > 0 else start + 1
        length = end - start
        if kind == "short":
            length = max(1, length * 3 // 4)
        body_end = min(file.size, body_start + length)
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {body_start}-{body_end - 1}/{file.size}")
        self.send_header("ETag", f'"{etag[::-1] if kind == "other_etag" else etag}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(body_end - body_start))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        answer = Answer(self.server.hub.run, self.where, repo, path, body_start, body_end - body_start, fault=kind)
        self.server.hub.note(self.server.hub.answers, answer)
        self.send_body(content, body_start, body_end, answer, fault)

    def send_body(self, content, start, end, answer, fault):
        kind = fault.kind if fault else ""
        stop = start + int((end - start) * fault.at) if kind in ("cut", "stall") else end
        spoiled = start + int((end - start - 1) * fault.at) if kind == "corrupt" else -1
        for at in range(start, stop, STEP):
            piece = content[at:min(stop, at + STEP)]
            if kind == "other_etag":
                piece = bytes(byte ^ 0x5A for byte in piece[:64]) + piece[64:]
            if at <= spoiled < at + len(piece):
                piece = bytearray(piece)
                piece[spoiled - at] ^= 1
            self.wfile.write(piece)
            answer.sent += len(piece)
        self.wfile.flush()
        if kind == "stall":
            time.sleep(fault.wait)
        if kind in ("cut", "stall"):
            self.close_connection = True


class HubHandler(Handler):
    where = "resolve"

    def answer(self):
        if match := re.fullmatch(r"api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", self.parts):
            self.take_fault("api", "")
            repo, kind, revision, under = match[1], match[2] or "revision", match[3] or "main", match[4] or ""
            repository = self.find(repo, revision, f"/api/models/{{}}/{kind}/{revision}")
            return self.send_info(repo, repository) if kind == "revision" else self.send_tree(repository, under)
        if match := re.fullmatch(r"([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.parts):
            return self.resolve(match[1], match[2], match[3])
        raise Refused(404, message="Sorry, we can't find the page you are looking for.")

    def find(self, repo, revision, elsewhere):
        repository = self.server.hub.repositories.get(repo)
        authorization = self.headers.get("Authorization")
        known = authorization == f"Bearer {self.server.hub.token}"
        if authorization and not known:
            raise Refused(401, message="Invalid credentials in Authorization header")
        if repository is not None and repository.renamed_to:
            raise Refused(307, headers={"Location": elsewhere.format(repository.renamed_to)})
        if repository is None or (repository.private and not known):
            # To someone without a name, what is missing and what is private look the same.
            raise Refused(404, "RepoNotFound", "Repository not found") if known else Refused(
                401, "RepoNotFound", "Invalid username or password.")
        if revision not in ("main", repository.commit):
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository

    def send_info(self, repo, repository):
        blobs = "blobs=true" in self.url.query.lower()
        siblings = []
        for path, file in repository.files.items():
            entry = {"rfilename": path}
            if blobs:
                entry.update({"blobId": file.blob_id, "size": file.size})
                if file.large:
                    entry["lfs"] = file.lfs("sha256")
            siblings.append(entry)
        self.send_json({"_id": "0" * 24, "id": repo, "modelId": repo, "sha": repository.commit, "private": repository.private,
                        "gated": "manual" if repository.gated else False, "disabled": False, "tags": [], "downloads": 0,
                        "likes": 0, "siblings": siblings})

    def send_tree(self, repository, under):
        entries = []
        for path, file in repository.files.items():
            if path.startswith(under):
                entry = {"type": "file", "oid": file.blob_id, "size": file.size, "path": path}
                if file.large:
                    entry["lfs"] = {**file.lfs("oid")}
                entries.append(entry)
        self.send_json(entries)

    def resolve(self, repo, revision, path):
        repository = self.find(repo, revision, f"/{{}}/resolve/{revision}/{path}")
        if repository.gated and self.headers.get("Authorization") is None:
            raise Refused(401, "GatedRepo", f"Access to model {repo} is restricted. You must have access to it and be "
                          "authenticated to access it. Please log in.")
        if repository.gated == "denied":
            raise Refused(403, "GatedRepo", f"Access to model {repo} is restricted and you are not in the authorized list.")
        file = repository.files.get(path)
        if file is None:
            raise Refused(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": repository.commit})
        headers = {"X-Repo-Commit": repository.commit}
        if not file.large:
            fault = self.take_fault("resolve", path)
            return self.send_file(repo, path, file, headers, fault)
        self.take_fault("resolve", path)
        where = f"{self.server.hub.storage}/{urllib.parse.quote(repo)}/{file.sha256}/{urllib.parse.quote(path)}?signature=x"
        headers.update({"X-Linked-Size": str(file.size), "X-Linked-ETag": f'"{file.etag}"', "Location": where,
                        "Accept-Ranges": "bytes", "ETag": f'"{file.blob_id}"'})
        self.send(302, headers, b"Found. Redirecting")


class StorageHandler(Handler):
    where = "storage"

    def answer(self):
        if "Authorization" in self.headers:
            raise Refused(400, message="Only one auth mechanism allowed")  # as S3 says
        if self.server.hub.before_storage:
            self.server.hub.before_storage()
        match = re.fullmatch(r"([^/]+/[^/]+)/([0-9a-f]{64})/(.+)", self.parts)
        repository = self.server.hub.repositories.get(match[1]) if match else None
        file = repository.files.get(match[3]) if repository else None
        if file is None or file.sha256 != match[2]:
            raise Refused(404, message="NoSuchKey")
        self.send_file(match[1], match[3], file, {}, self.take_fault("storage", match[3]))
