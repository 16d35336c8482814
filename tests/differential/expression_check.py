"""Compares emelex's template language with Jinja2, expression by expression, and the kinds of their mistakes.

    expression_check.py RENDER_TOOL [GENERATED]

Beside the written cases, GENERATED expressions and templates are made from a seed.
"""

import random
import sys

from expression_cases import DATA, STATEMENTS, expressions
from jinja_reference import ours, same, theirs

# What emelex refuses as unsupported though Jinja has it, each with why: the only differences that are allowed.
LACKS = {
    "{% block": "inheritance has no other files to inherit from", "{% autoescape": "chat templates are no HTML",
    "| pprint": "prints for people", "| wordwrap": "needs Python's textwrap",
    "(-8) ** 0.5": "complex numbers", "99999999999999999999": "integers have 64 bits",
}


def kind_of_theirs(result):
    error = result.get("error", "")
    name = error.split(":")[0]
    if "text" in result:
        return "text"
    if name in ("TemplateSyntaxError", "TemplateAssertionError", "SyntaxError"):
        return "no template"
    if name == "UndefinedError":
        return "undefined"
    if name == "SecurityError":
        return "kept from templates"
    return "mistake"


def kind_of_ours(result):
    if "text" in result:
        return "text"
    if result["code"] in ("corrupt_file", "unsupported"):
        return "no template"
    return "undefined" if "is undefined" in result["error"] else "mistake"


# A mistake that is found while rendering by one may be found while reading by the other, or be called by another name.
ALLOWED = {("no template", "mistake"), ("mistake", "no template"), ("mistake", "undefined"), ("undefined", "no template"),
           ("kept from templates", "undefined"), ("kept from templates", "mistake")}


# Addresses in memory and names of Python's, where a function or generator is printed.
PYTHONS_OWN = (" object at 0x", "generator object ", "<function", "<bound", "<built-in", "<class", "<macro")


class Maker:
    """Expressions that are mostly meaningful, from a seed."""

    ATOMS = ["n", "f", "neg", "zero", "t", "no", "nil", "s", "empty", "u", "ws", "html", "l", "e", "w", "d", "ed", "rows", "nope",
             "1", "0", "2.5", "'a'", "'é b'", "''", "[]", "{}", "()", "none", "true", "(1, 2)", "[1, 'x']", "{'k': 1}", "range(3)",
             "d.b.c", "rows[0]", "lines", "nested"]
    BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "and", "or"]
    FILTERS = ["upper", "lower", "trim", "title", "capitalize", "length", "first", "last", "list", "join", "join('-')", "sort",
               "int", "float", "round", "abs", "string", "tojson", "default('x')", "default('y', true)",
               "replace('a', 'b')", "e", "safe", "max", "min", "sum", "dictsort",
               "striptags", "urlencode", "indent(1)",
               "truncate(5, true, '.', 0)", "center(9)", "round(1)", "tojson(indent=1)", "groupby('g')", "d('z')", "count"]
    # What these give is printed with its address in memory, so something always goes through it.
    GENERATORS = ["reverse", "unique", "items", "map('string')", "map(attribute='v')", "select", "reject('none')", "selectattr('n')",
                  "batch(2)", "slice(2)"]
    CONSUMERS = ["list", "list", "join", "first", "sort", "sum", "max", "length", "tojson", "map('string') | list", "last", "unique | list"]
    TESTS = ["defined", "none", "string", "number", "mapping", "sequence", "iterable", "odd", "even", "true", "false", "boolean",
             "integer", "float", "lower", "upper", "eq 1", "in [1, 'a']", "callable", "undefined", "sameas true", "divisibleby 2", "gt 1"]
    METHODS = ["upper()", "strip()", "split()", "split('a')", "items() | list", "keys() | list", "values()", "get('a')", "title()", "find('a')",
               "startswith('a')", "count('a')", "index(1)", "lstrip()", "join(['x', 'y'])", "format(1)", "replace('a', '<')", "splitlines()"]
    SLICES = ["[0]", "[-1]", "[1:]", "[:2]", "[::-1]", "['a']", ".a", "[9]", ".0", "[1:2]", "[::2]"]

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def expression(self, depth):
        rng = self.rng
        if depth == 0 or rng.random() < 0.15:
            return rng.choice(self.ATOMS)
        inner = self.expression(depth - 1)
        kind = rng.random()
        if kind < 0.28:
            return f"({inner} {rng.choice(self.BINARY)} {self.expression(depth - 1)})"
        if kind < 0.4:
            return f"({inner} | {rng.choice(self.GENERATORS)} | {rng.choice(self.CONSUMERS)})"
        if kind < 0.6:
            return f"({inner} | {rng.choice(self.FILTERS)})"
        if kind < 0.7:
            return f"({inner} is {rng.choice(['', 'not '])}{rng.choice(self.TESTS)})"
        if kind < 0.8:
            return f"({inner}).{rng.choice(self.METHODS)}"
        if kind < 0.9:
            # Jinja slices constants while it reads, and then what can't be sliced is undefined.
            return f"{inner if inner.isidentifier() and inner not in ('none', 'true') else 's'}{rng.choice(self.SLICES)}"
        if kind < 0.95:
            return f"({inner} if {self.expression(depth - 1)} else {self.expression(depth - 1)})"
        return f"({rng.choice(['not ', '-', '+'])}{inner})"

    def text(self):
        return "".join(self.rng.choice([" ", "  ", "\n", "\t", "a", "b\n", "\r\n", "é", "\n\n", "{", "}", "%", "#"]) for _ in range(self.rng.randint(0, 5)))

    def tag(self, open_with, inside, close_with):
        rng = self.rng
        plus = "+" if open_with != "{{" else ""
        begin, end = rng.choice(["", "", "-", "+"]), rng.choice(["", "", "-", plus])
        return f"{open_with}{begin}{rng.choice([' ', chr(10), ''])}{inside} {end}{close_with}"

    def template(self, depth=3):
        """Statements with white space in and around them."""
        rng = self.rng
        made = self.text()
        for _ in range(rng.randint(1, 3)):
            kind = rng.random() if depth > 0 else rng.random() * 0.4
            block = lambda name, inside, end: self.tag("{%", inside, "%}") + self.template(depth - 1) + self.tag("{%", end, "%}")
            if kind < 0.25:
                made += self.tag("{{", rng.choice(["n", "x", "s", "loop.index", "ns.v", "'-'", "m(1)", "x | upper"]), "}}")
            elif kind < 0.33:
                made += self.tag("{#", rng.choice(["c", "", "{{ x }}", "{% if %}"]), "#}")
            elif kind < 0.4:
                made += self.tag("{%", rng.choice(["set x = n", "set x = 1", "set ns.v = x", "set x, y = 1, 2"]), "%}")
            elif kind < 0.6:
                made += block("if", rng.choice(["if t", "if x", "if loop.first"]), "endif")
            elif kind < 0.75:
                made += block("for", rng.choice(["for x in l", "for x in w", "for x, y in [(1, 2), (3, 4)]", "for x in l if x > 1"]), "endfor")
            elif kind < 0.82:
                made += block("set", "set x", "endset")
            elif kind < 0.88:
                made += block("macro", "macro m(x, z=n)", "endmacro")
            elif kind < 0.92:
                made += block("filter", "filter upper", "endfilter")
            elif kind < 0.96:
                made += block("with", "with x = n", "endwith")
            else:
                made += self.tag("{%", "raw", "%}") + self.text() + self.tag("{%", "endraw", "%}")
            made += self.text()
        return made


def make_cases(count):
    maker = Maker(5)
    written = ["{{ " + expression + " }}" for expression in expressions()] + STATEMENTS
    generated = ["{{ " + maker.expression(3) + " }}" for _ in range(count)]
    generated += ["{% set ns = namespace(v=0) %}" + maker.template() for _ in range(count // 4)]
    return written, generated


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    written, generated = make_cases(count)
    cases = [{"template": template, "variables": [DATA]} for template in written + generated]
    failures = lacking = errors = other_kinds = 0
    for case, (expected,), (got,) in zip(cases, theirs(cases), ours(sys.argv[1], cases)):
        errors += "error" in expected
        if "text" in got and any(word in expected.get("text", "").lower() for word in PYTHONS_OWN):
            continue
        kinds = kind_of_theirs(expected), kind_of_ours(got)
        if same(expected, got) and (kinds[0] == kinds[1] or kinds in ALLOWED):
            continue
        if any(word in case["template"] for word in LACKS) and got.get("code") == "unsupported":
            lacking += 1
            continue
        if "error" in expected and "error" in got:
            other_kinds += 1
        failures += 1
        if failures <= 40:
            print(f"{case['template']!r}\n  expected {str(expected)[:300]}\n  got      {str(got)[:300]}")
    print(f"{len(written)} written and {len(generated)} generated cases, {errors} of them mistakes; {lacking} need what emelex lacks, "
          f"{failures} differ, {other_kinds} of them in the kind of mistake")
    return 1 if failures or len(written) < 300 else 0


if __name__ == "__main__":
    sys.exit(main())
