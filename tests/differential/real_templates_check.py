"""Compares emelex's template interpreter with Jinja2 on the chat templates of real models, over made conversations.

    real_templates_check.py RENDER_TOOL [CONVERSATIONS]

The templates lie in llama-cpp-python's source distribution, which is fetched into the wheel cache once.
"""

import random
import sys

import llama_sources
from conversations import variables
from jinja_reference import compare


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    rng = random.Random(11)
    cases = []
    for name, template in llama_sources.chat_templates().items():
        cases.append({"name": name, "template": template, "variables": [variables(rng) for _ in range(count)]})
    renderings, errors, failures = compare(sys.argv[1], cases)
    print(f"{len(cases)} templates, {renderings} renderings, {errors} of them errors, {failures} differ")
    return 1 if failures or len(cases) < 60 or errors > renderings / 2 else 0


if __name__ == "__main__":
    sys.exit(main())
