"""Strings on which tokenizers are compared, and the C++ side of the comparison (tests/text/tokenize_tool.cpp)."""

import random
import struct
import subprocess
import tempfile
import unicodedata
from pathlib import Path

# The libraries follow different versions of Unicode: PCRE2 10.42 has 14.0. Characters that are newer are left out, and
# nothing else is.
def unicode_version_known():
    return [i for i in range(0x110000)
            if not 0xD800 <= i <= 0xDFFF and unicodedata.category(chr(i)) != "Cn" and not newer_than_unicode_14(i)]


def newer_than_unicode_14(code):
    ranges = [  # assigned in 15.0, 15.1 and 16.0
        (0x0CF3, 0x0CF3), (0x0ECE, 0x0ECE), (0x10EFD, 0x10EFF), (0x1123F, 0x11241), (0x11B00, 0x11B09),
        (0x11F00, 0x11F59), (0x1342F, 0x1342F), (0x13439, 0x13455), (0x1B132, 0x1B132), (0x1B155, 0x1B155),
        (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A), (0x1E030, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1F6DC, 0x1F6DC),
        (0x1F774, 0x1F776), (0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1FA75, 0x1FA77), (0x1FA87, 0x1FA88),
        (0x1FAAD, 0x1FAAF), (0x1FABB, 0x1FABD), (0x1FABF, 0x1FABF), (0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB),
        (0x1FAE8, 0x1FAE8), (0x1FAF7, 0x1FAF8), (0x2FFC, 0x2FFF), (0x31E4, 0x31E5), (0x31EF, 0x31EF),
        (0x31350, 0x323AF), (0x2EBF0, 0x2EE5D), (0x0897, 0x0897), (0x1B4E, 0x1B4F), (0x1B7F, 0x1B7F),
        (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3), (0x10D40, 0x10D8F),
        (0x10EC2, 0x10EC4), (0x10EFC, 0x10EFC), (0x11380, 0x113E2), (0x116D0, 0x116E3), (0x11BC0, 0x11BF9),
        (0x11F5A, 0x11F5A), (0x13460, 0x143FA), (0x16100, 0x16139), (0x16D40, 0x16D79), (0x18CFF, 0x18CFF),
        (0x1CC00, 0x1CEB3), (0x1E5D0, 0x1E5FF), (0x1F8B2, 0x1F8C1), (0x1FA89, 0x1FA8F), (0x1FABE, 0x1FABE),
        (0x1FAC6, 0x1FAC6), (0x1FADC, 0x1FADF), (0x1FAE9, 0x1FAE9), (0x1FBCB, 0x1FBEF),
    ]
    return any(first <= code <= last for first, last in ranges)


# The reference composes by Unicode 9.0: it does not know that these characters combine. Left out where text is composed.
COMBINING_SINCE_UNICODE_10 = [
    (0x07FD, 0x07FD), (0x0898, 0x089F), (0x08CA, 0x08D3), (0x09FE, 0x09FE), (0x0C3C, 0x0C3C), (0x0D3B, 0x0D3C),
    (0x0EBA, 0x0EBA), (0x1715, 0x1715), (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFA), (0xA82C, 0xA82C), (0x10D24, 0x10D27),
    (0x10EAB, 0x10EAC), (0x10F46, 0x10F50), (0x10F82, 0x10F85), (0x11070, 0x11070), (0x1133B, 0x1133B),
    (0x1145E, 0x1145E), (0x11839, 0x1183A), (0x1193D, 0x1193E), (0x11943, 0x11943), (0x119E0, 0x119E0),
    (0x11A34, 0x11A34), (0x11A47, 0x11A47), (0x11A99, 0x11A99), (0x11D42, 0x11D42), (0x11D44, 0x11D45),
    (0x11D97, 0x11D97), (0x16FF0, 0x16FF1), (0x1E130, 0x1E136), (0x1E2AE, 0x1E2AE), (0x1E2EC, 0x1E2EF),
]


def without_newer_marks(string):
    return "".join(c for c in string
                   if not any(first <= ord(c) <= last for first, last in COMBINING_SINCE_UNICODE_10))


SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "It's what we'll do, they've said; I'm sure she'd agree.",
    "IT'S WHAT WE'LL DO, THEY'VE SAID; I'M SURE SHE'D AGREE.", "Ça va être l'été à Besançon, n'est-ce pas ?",
    "Die Straße führt über die Brücke nach Köln.", "El niño comió piñas en la montaña.",
    "Zażółć gęślą jaźń.", "Příliš žluťoučký kůň úpěl ďábelské ódy.", "Съешь ещё этих мягких французских булок.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.", "أهلاً وسهلاً بكم في العالم الجديد.", "שלום עולם, מה שלומך היום?",
    "नमस्ते दुनिया, आप कैसे हैं?", "আমি বাংলায় গান গাই।", "வணக்கம் உலகம்", "สวัสดีชาวโลก ฉันชอบกินข้าวผัด",
    "你好，世界！今天天气很好。", "こんにちは世界。カタカナとひらがな。", "안녕하세요 세계, 만나서 반갑습니다.",
    "Xin chào thế giới, tôi là một người Việt Nam.", "Ẹ kú àárọ̀, ayé", "ሰላም ልዑል", "გამარჯობა მსოფლიო", "Բարեւ աշխարհ",
    "def f(x):\n    return x ** 2  # square\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
    "<div class=\"a\">&nbsp;</div>", "SELECT * FROM t WHERE a = 'b' AND c >= 1.5e-3;", "x = 3.14159265358979; y=1_000_000",
    "https://example.com/a/b?c=d&e=f#g", "2024-01-31T23:59:59Z 127.0.0.1:8080 50% $9.99 №5 §7",
    "👨‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇫🇷🇩🇪 ❤️ 😀", "e\u0301 a\u030a n\u0303 o\u0302\u0323 Z\u0351\u036b\u0343", "\u0661\u0662\u0663 \u0967\u0968 \u2460\u2161\u00bd\u00b2",
    "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'VE 'M 'LL 'D 'lL '\u017f \u2019s", "a\u00a0b\u2003c\u3000d\u200be\ufefff\u180eg\u0085h\u2028i",
    "\x00\x01\x02\x04\x1c\x1d\x1e\x1f\x7f\x80\x9f", "\U0001d400\U0001d7d8 \U00020000 \U000e0001 \ue000 \U0010ffff",
]
SPACES_OF_ALL_KINDS = [" ", "  ", "   ", "\n", "\r\n", "\t", "\n\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u0085", "\u180e", "\u200b",
                       "\x0b", "\x0c", "\x1c", "\u2028", "\u2029", "\u202f", "\u205f", "\ufeff"]


def make_string(rng, characters, blocks, specials):
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.randrange(10)
        if kind == 0:
            parts.append("".join(chr(rng.choice(characters)) for _ in range(rng.randint(1, 8))))
        elif kind == 1:
            block = rng.choice(blocks)
            parts.append("".join(chr(rng.choice(block)) for _ in range(rng.randint(1, 15))))
        elif kind <= 4:
            sentence = rng.choice(SENTENCES)
            begin = rng.randrange(len(sentence))
            parts.append(sentence[begin:begin + rng.randint(1, 40)])
        elif kind == 5:
            parts.append("".join(rng.choice(SPACES_OF_ALL_KINDS) for _ in range(rng.randint(1, 5))))
        elif kind == 6:
            parts.append("".join(rng.choice("0123456789\u0663\u096f\u00b2\u2167\uff15") for _ in range(rng.randint(1, 6))))
        elif kind == 7:
            token = rng.choice(specials)
            parts.append(token if rng.random() < 0.6 else token[:rng.randrange(1, len(token))] + rng.choice(["", ">", "|"]))
        elif kind == 8:
            parts.append(rng.choice(["'s", "'LL", "'ve", "n't", "'\u017f", "'", "''"]) * rng.randint(1, 2))
        else:
            parts.append(rng.choice("abz AZ._-/\\\"#$%{}()[]<>=+*\n") * rng.randint(1, 60))
    return "".join(parts)


def make_strings(count, specials):
    rng = random.Random(20240131)
    characters = unicode_version_known()
    blocks = [characters[i:i + 128] for i in range(0, len(characters), 128)]
    # Every character once, between letters, digits, spaces and marks, so that no property is missed.
    around = [("a", "b"), (" ", "1"), ("\n", " "), ("'", "s"), ("", "")]
    strings = ["".join(a + chr(c) + b for c in block) for block in blocks for a, b in around]
    strings += SENTENCES + [""]
    strings += [make_string(rng, characters, blocks, specials) for _ in range(count)]
    return strings


def pack(strings):
    data = [string if isinstance(string, bytes) else string.encode() for string in strings]
    return b"".join(struct.pack("<I", len(string)) + string for string in data)


def call_tool(tool, model, mode, data, rule):
    """What the tool writes, and the seconds that it takes to load and to encode."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "strings", Path(folder) / "ids"
        names[0].write_bytes(data)
        arguments = [tool, model, mode, *names] + ([rule] if rule else [])
        done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        words = done.stdout.split()
        return names[1].read_bytes(), [float(word) for word in words[1::2]]


def run_tool(tool, model, strings, mode="parse", rule=None):
    """The ids of each string."""
    data, seconds = call_tool(tool, model, mode, pack(strings), rule)
    numbers = struct.unpack(f"<{len(data) // 4}i", data)
    ids, at = [], 0
    while at < len(numbers):
        ids.append(list(numbers[at + 1:at + 1 + numbers[at]]))
        at += 1 + numbers[at]
    return ids, *seconds


def run_decode(tool, model, lists):
    """The text of each list of ids."""
    data, _ = call_tool(tool, model, "decode", pack([struct.pack(f"<{len(ids)}i", *ids) for ids in lists]), None)
    texts, at = [], 0
    while at < len(data):
        length, = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4:at + 4 + length].decode())
        at += 4 + length
    return texts


def report(name, strings, expected, got, seconds="", most=3):
    """Prints how many differ and the first of them; returns how many."""
    different = [i for i in range(len(strings)) if got[i] != expected[i]]
    for i in different[:most]:
        print(f"  {strings[i]!r}"[:300], f"    expected {expected[i]}"[:300], f"    got      {got[i]}"[:300], sep="\n")
    print(f"{name}: {len(strings)} strings, {len(different)} differ{seconds}", flush=True)
    return len(different)
