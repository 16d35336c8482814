"""Jinja2 as transformers sets it up, and emelex's interpreter beside it."""

import copy
import datetime
import json
import subprocess
import tempfile
import warnings
from pathlib import Path

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace


class Generation(Extension):
    """{% generation %} marks what a model wrote. Its body is called like that of a {% call %}, and stays as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("text"), [], [], body).set_lineno(line)

    def text(self, caller):
        return caller()


class PublicNamespace(Namespace):
    """As in transformers, a namespace has no names with an underscore before them."""

    def __init__(*args, **kwargs):
        members = dict(*args[1:], **kwargs)
        for name in members:
            check_name(name)
        Namespace.__init__(args[0], members)

    def __setitem__(self, name, value):
        check_name(name)
        Namespace.__setitem__(self, name, value)


def check_name(name):
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(name)


def environment():
    def raise_exception(message):
        raise TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["namespace"] = PublicNamespace
    env.globals["strftime_now"] = lambda form: datetime.datetime.now().strftime(form)
    return env


def ours(tool, cases):
    """[{"template": …, "variables": [{…}, …]}, …] → for each a list of {"text": …} or {"error": …}."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "cases.json", Path(folder) / "results.json"
        names[0].write_text(json.dumps(cases))
        subprocess.run([tool, *map(str, names)], check=True)
        return json.loads(names[1].read_text())


def theirs(cases):
    env = environment()
    warnings.simplefilter("ignore", SyntaxWarning)  # of the Python that Jinja makes
    results = []
    for case in cases:
        try:
            template = env.from_string(case["template"])
        except Exception as error:  # whatever Python raises is an error to us
            results.append([{"error": f"{type(error).__name__}: {error}"} for _ in case["variables"]])
            continue
        results.append([render(template, variables) for variables in case["variables"]])
    return results


def render(template, variables):
    try:
        # A copy, since a template can change a list for all that the sandbox does: `l | indent` adds to it.
        return {"text": template.render(**copy.deepcopy(variables))}
    except TemplateError as error:
        return {"error": f"{type(error).__name__}: {error}", "raised": type(error) is TemplateError, "words": str(error)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def same(expected, got):
    """Equal texts; or an error for an error, with its own words where the template raised it."""
    if "text" in expected or "text" in got:
        return expected.get("text") == got.get("text")
    return not expected.get("raised") or expected["words"] in got["error"]


def compare(tool, cases, show=20):
    """→ the number of renderings, of errors on both sides, and of differences, which are printed."""
    for _ in range(3):
        day = datetime.date.today()
        results, expected = ours(tool, cases), theirs(cases)
        if datetime.date.today() == day:  # else strftime_now may have given two days
            break
    renderings = errors = failures = 0
    for case, theirs_all, ours_all in zip(cases, expected, results):
        for variables, theirs_one, ours_one in zip(case["variables"], theirs_all, ours_all):
            renderings += 1
            errors += "error" in theirs_one
            if same(theirs_one, ours_one):
                continue
            failures += 1
            if failures <= show:
                describe(case, variables, theirs_one, ours_one)
    return renderings, errors, failures


def describe(case, variables, expected, got):
    name = case.get("name") or repr(case["template"][:300])
    print(f"template {name}\n  with {json.dumps(variables, ensure_ascii=False)[:1500]}")
    if "text" not in expected or "text" not in got:
        print(f"  expected {str(expected)[:600]}\n  got      {str(got)[:600]}")
        return
    a, b = expected["text"], got["text"]
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    start = max(0, at - 60)
    print(f"  at {at}: expected {a[start:at + 120]!r}\n          got      {b[start:at + 120]!r}")
