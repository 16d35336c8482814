"""The hub server against huggingface_hub, unmodified: what their client accepts is what the protocol is."""

import os
import random
import sys
import tempfile
import time
import unittest

from faults import Fault, Listed
from hub_server import HubServer, Repository

# The library reads its environment when it is imported, and every test needs another home: so one endpoint for all.
CONTENT = random.Random(8).randbytes(3_000_001)
REPOSITORIES = {
    "org/model-GGUF": Repository({"README.md": b"# A model\n", "model.Q4_K_M.gguf": CONTENT, "sub/config.json": b"{}"}),
    "org/gated": Repository({"a.gguf": CONTENT, "b.gguf": CONTENT}, gated=True),
    "org/denied": Repository({"a.gguf": CONTENT}, gated="denied"),
    "org/private": Repository({"config.json": b"{}"}, private=True),
    "old/name": Repository({}, renamed_to="org/model-GGUF"),
}
HUB = HubServer(REPOSITORIES).__enter__()
HOME = tempfile.TemporaryDirectory(prefix="emelex-hub-")
os.environ.update(HF_ENDPOINT=HUB.endpoint, HF_HOME=HOME.name, HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_XET="1",
                  HF_HUB_DISABLE_PROGRESS_BARS="1")
os.environ.pop("HF_TOKEN", None)
try:
    import huggingface_hub
    from huggingface_hub import errors
except ImportError as missing:
    print(f"skipped: {missing}; tests/requirements.txt names what is needed")
    sys.exit(77)


def content(path):
    with open(path, "rb") as file:
        return file.read()


class HuggingFaceClient(unittest.TestCase):
    def setUp(self):
        HUB.faults = Listed()

    def test_it_reads_what_the_repository_holds(self):
        info = huggingface_hub.HfApi().model_info("org/model-GGUF", files_metadata=True)
        repository = REPOSITORIES["org/model-GGUF"]
        self.assertEqual(info.sha, repository.commit)
        file = next(entry for entry in info.siblings if entry.rfilename.endswith(".gguf"))
        self.assertEqual((file.size, file.lfs.sha256), (len(CONTENT), repository.files[file.rfilename].sha256))
        tree = {entry.path: entry for entry in huggingface_hub.HfApi().list_repo_tree("org/model-GGUF", recursive=True)}
        self.assertEqual(set(tree), set(repository.files))
        self.assertEqual(tree["model.Q4_K_M.gguf"].lfs.sha256, file.lfs.sha256)

    def test_metadata_is_that_of_the_linked_file(self):
        url = huggingface_hub.hf_hub_url("org/model-GGUF", "model.Q4_K_M.gguf")
        metadata = huggingface_hub.get_hf_file_metadata(url)
        self.assertEqual(metadata.size, len(CONTENT))
        self.assertEqual(metadata.etag, REPOSITORIES["org/model-GGUF"].files["model.Q4_K_M.gguf"].sha256)
        self.assertTrue(metadata.location.startswith(HUB.storage))

    def test_it_downloads_files_and_whole_repositories(self):
        self.assertEqual(content(huggingface_hub.hf_hub_download("org/model-GGUF", "model.Q4_K_M.gguf")), CONTENT)
        folder = huggingface_hub.snapshot_download("org/model-GGUF")
        self.assertEqual(content(os.path.join(folder, "sub/config.json")), b"{}")

    def test_it_goes_on_after_the_connection_was_cut(self):
        HUB.faults = Listed(Fault("cut", path="a.gguf"))
        path = huggingface_hub.hf_hub_download("org/gated", "a.gguf", token=HUB.token)
        self.assertEqual(content(path), CONTENT)
        self.assertIn("cut", {answer.fault for answer in HUB.answers})

    def test_it_waits_for_a_rate_limit(self):
        for kind in ("rate_limit", "retry_after"):
            HUB.faults = Listed(Fault(kind, where="api", wait=1))
            start = time.monotonic()
            self.assertEqual(len(list(huggingface_hub.HfApi().list_repo_tree("org/model-GGUF", recursive=True))), 3)
            self.assertGreater(time.monotonic() - start, 1)

    def test_refusals_have_their_reason(self):
        for repo, file, options, expected in (
                ("org/none", "a", {}, errors.RepositoryNotFoundError), ("org/private", "config.json", {}, errors.RepositoryNotFoundError),
                ("org/gated", "b.gguf", {}, errors.GatedRepoError), ("org/denied", "a.gguf", {"token": HUB.token}, errors.GatedRepoError),
                ("org/model-GGUF", "none", {}, errors.RemoteEntryNotFoundError),
                ("org/model-GGUF", "README.md", {"revision": "none"}, errors.RevisionNotFoundError)):
            with self.subTest(repo=repo, file=file), self.assertRaises(expected) as raised:
                huggingface_hub.hf_hub_download(repo, file, **options)
            self.assertIs(type(raised.exception), expected)
        self.assertEqual(content(huggingface_hub.hf_hub_download("org/private", "config.json", token=HUB.token)), b"{}")

    def test_a_renamed_repository_is_found(self):
        self.assertEqual(huggingface_hub.HfApi().model_info("old/name").id, "org/model-GGUF")

    def test_the_token_does_not_leave_the_hub(self):
        huggingface_hub.hf_hub_download("org/gated", "a.gguf", token=HUB.token, force_download=True)
        self.assertFalse(any(token for _, where, _, token in HUB.requests if where == "storage"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
