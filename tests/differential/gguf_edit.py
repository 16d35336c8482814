"""A GGUF file as lists of its keys and tensors, which may be changed in ways that no writer allows: doubled, of another type."""

import struct
from dataclasses import dataclass

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
ALIGNMENT = 32


@dataclass
class Key:
    name: str
    type: int
    value: object  # of an array: (type of its values, list)


@dataclass
class Tensor:
    name: str
    shape: list  # innermost first, as in the file
    type: int
    data: bytes


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, code):
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def string(self):
        n = self.number("Q")
        self.at += n
        return self.data[self.at - n : self.at].decode("utf-8", "surrogateescape")

    def value(self, type):
        if type == STRING:
            return self.string()
        if type == ARRAY:
            kind, n = self.number("I"), self.number("Q")
            return kind, [self.value(kind) for _ in range(n)]
        return self.number(NUMBERS[type])


def read(path):
    reader = _Reader(open(path, "rb").read())
    assert reader.data[:4] == b"GGUF"
    reader.at = 8
    n_tensors, n_keys = reader.number("Q"), reader.number("Q")
    keys = []
    for _ in range(n_keys):
        name, type = reader.string(), reader.number("I")
        keys.append(Key(name, type, reader.value(type)))
    infos = []
    for _ in range(n_tensors):
        name = reader.string()
        shape = [reader.number("Q") for _ in range(reader.number("I"))]
        infos.append((name, shape, reader.number("I"), reader.number("Q")))
    start = -(-reader.at // ALIGNMENT) * ALIGNMENT
    ends = sorted([offset for *_, offset in infos] + [len(reader.data) - start])
    tensors = [Tensor(name, shape, type, reader.data[start + offset : start + ends[ends.index(offset) + 1]])
               for name, shape, type, offset in infos]  # fmt: skip
    return keys, tensors


def _string(text):
    data = text.encode("utf-8", "surrogateescape")
    return struct.pack("<Q", len(data)) + data


def _value(type, value):
    if type == STRING:
        return _string(value)
    if type == ARRAY:
        kind, values = value
        return struct.pack("<IQ", kind, len(values)) + b"".join(_value(kind, x) for x in values)
    return struct.pack("<" + NUMBERS[type], value)


def write(path, keys, tensors):
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for key in keys:
        header += _string(key.name) + struct.pack("<I", key.type) + _value(key.type, key.value)
    body = b""
    for tensor in tensors:
        body += b"\0" * (-len(body) % ALIGNMENT)
        header += _string(tensor.name) + struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        header += struct.pack("<IQ", tensor.type, len(body))
        body += tensor.data
    with open(path, "wb") as file:
        file.write(header + b"\0" * (-len(header) % ALIGNMENT) + body + b"\0" * (-len(body) % ALIGNMENT))
    return path
