"""Models in several GGUF files that contradict each other."""

from case import Case
from gguf_builder import I32, STRING, U16, U64, Gguf, array, tiny_model

NAMES = [f"model-0000{no + 1}-of-00003.gguf" for no in range(3)]


def parts():
    whole = tiny_model()
    result = []
    for no in range(3):
        part = tiny_model() if no == 0 else Gguf()
        part.set("split.no", U16, no).set("split.count", U16, 3).set("split.tensors.count", I32, len(whole.tensors))
        part.tensors = dict(list(whole.tensors.items())[no::3])
        result.append(part)
    return result


def split(name, kind, says, change, opened=0):
    models = parts()
    files = {}
    change(models, files)
    written = {NAMES[no]: model.build() for no, model in enumerate(models) if model is not None}
    return Case("split-" + name, kind, {**written, **files}, says, open=NAMES[opened])


def setting(no, key, kind, value):
    return lambda models, _: models[no].set(key, kind, value)


def cases():
    def remove(no):
        return lambda models, _: models.__setitem__(no, None)
    yield split("missing-second", "split", "part 2 of 3, 'model-00002-of-00003.gguf'.*download it too", remove(1))
    yield split("missing-first", "split", "part 1 of 3, 'model-00001-of-00003.gguf'.*download it too", remove(0), opened=2)
    for value in (0, 2):
        yield split(f"no-{value}", "split", f"split.no 1.*got split.no {value}", setting(1, "split.no", U16, value))
    yield split("no-negative", "split", "'split.no' to be from 0 to 2, got -1", setting(1, "split.no", I32, -1))
    yield split("no-32-bits", "dimensions", "'split.no' to be from 0 to 2, got 4294967297", setting(1, "split.no", U64, 2**32 + 1))
    yield split("no-text", "type", "'split.no' to be an integer, got a string", setting(1, "split.no", STRING, "../x"))
    for value in (2, 4, 1024):
        yield split(f"count-{value}", "split", f"'-00001-of-0*{value}.gguf'", setting(0, "split.count", U16, value))
    for value in (1025, 65535):
        yield split(f"count-{value}", "split", f"'split.count' to be from 0 to 1024, got {value}", setting(0, "split.count", U16, value))
    yield split("count-minus-1", "dimensions", "'split.count'.* got -1", setting(0, "split.count", I32, -1))
    yield split("count-2-to-63", "dimensions", "'split.count' to be an integer below", setting(0, "split.count", U64, 2**63))
    yield split("count-other-in-second", "split", "split.count 3.*got split.no 1 and split.count 4", setting(1, "split.count", U16, 4))
    for value in (0, 10, 12):
        yield split(f"tensors-{value}", "split", r"split\.tensors\.count", lambda models, _, value=value: [
            model.set("split.tensors.count", I32, value) for model in models])
    yield split("tensors-minus-1", "split", r"'split\.tensors\.count'.* got -1", setting(0, "split.tensors.count", I32, -1))
    yield split("tensors-other-in-second", "split", "of one model", setting(1, "split.tensors.count", I32, 77))
    yield split("name-other-in-third", "split", "'general.name'.*of one model", setting(2, "general.name", STRING, "Another"))

    def whole(models, _):
        models[1] = tiny_model()
    yield split("whole-model-as-second", "split", "a model of its own", whole)

    def twice(models, _):
        models[2].tensors.update(models[0].tensors)
    yield split("tensor-in-two", "split", "once more", twice)

    def renamed(models, files):
        files["renamed.gguf"] = models[1].build()
    case = split("renamed", "folder", "'-00002-of-00003.gguf'.*'renamed.gguf'", renamed)
    case.open = "renamed.gguf"
    yield case

    def truncated(models, files):
        files[NAMES[1]] = models[1].build()[:-100]
    yield split("second-cut", "range", "within .* bytes.*00002-of-00003.gguf", truncated)
    yield split("second-empty", "format", "an empty one.*00002-of-00003.gguf", lambda _, files: files.update({NAMES[1]: b""}))
    yield split("second-pointer", "format", "Git LFS pointer.*00002-of-00003.gguf",
                lambda _, files: files.update({NAMES[1]: b"version https://git-lfs.github.com/spec/v1\n"}))
    yield split("second-big-endian", "format", "big-endian.*00002-of-00003.gguf", lambda _, files: files.update({NAMES[1]: b"GGUF\0\0\0\3" + bytes(64)}))

    def reaching(models, _):
        models[0].set("split.prefix", STRING, "../../etc/passwd").set_raw("split.files", 9, array(STRING, ["/etc/passwd"]))
        models[1] = None
    yield split("other-paths-are-no-matter", "folder", "part 2 of 3, 'model-00002-of-00003.gguf'", reaching)
