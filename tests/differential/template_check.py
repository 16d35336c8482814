"""Compares emelex's template interpreter with Jinja2 as transformers sets it up, text by text.

    template_check.py RENDER_TOOL [CONVERSATIONS]
"""

import os
import random
import sys
from pathlib import Path

import family_templates
import gguf
from conversations import variables
from jinja_reference import compare

ROOT = Path(__file__).resolve().parents[2]
MODEL = os.environ.get("EMELEX_TEST_MODEL") or str(ROOT / "build/models/SmolLM2-135M-Instruct.Q4_1.gguf")

# Whole templates, in the manner of the families of models.
TEMPLATES = [
    # ChatML
    """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    # headers, with a date and a trimmed system message
    """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|end|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start|>assistant<|end|>\\n\\n' }}
{%- endif %}
""",
    # alternating roles, or an exception
    """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}""",
    # a namespace that remembers, from the end
    """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- set reasoning_content = '' %}
    {%- if '</think>' in content %}
        {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {%- if loop.index0 > ns.last_query_index and (loop.last or (not loop.last and reasoning_content)) %}
        {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}""",
    # macros over a JSON schema, recursively
    """{%- macro render_type(spec) -%}
    {%- if spec.type == "array" -%}{{ render_type(spec['items']) + "[]" }}
    {%- elif spec.type == "object" and spec.properties is defined -%}
        {{- "{\\n" -}}
        {%- for name, inner in spec.properties.items() -%}
            {{- name + ("" if name in (spec.required or []) else "?") + ": " + render_type(inner) -}}
            {%- if not loop.last -%}{{- ", " -}}{%- endif -%}
        {%- endfor -%}
        {{- "}" -}}
    {%- elif spec.enum is defined -%}{{ '"' + spec.enum|join('" | "') + '"' }}
    {%- else -%}{{ spec.type | default("any") }}
    {%- endif -%}
{%- endmacro -%}
{% for tool in tools or [] %}
// {{ tool.description }}
type {{ tool.name }} = (_: {{ render_type(tool.parameters) }}) => any;
{% endfor %}{{ tools | tojson }}
{{ tools | tojson(indent=2) }}""",
    # content in parts
    """{% for message in messages %}{{ message.role | upper }}:{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content | selectattr('type', 'equalto', 'text') %}{{ part.text }}{% endfor %}{% endif %}
{% endfor %}""",
]

# Snippets: each for a part of the language.
SNIPPETS = [
    "{% for x in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a','b') }};{% else %}none{% endfor %}",
    "{% for x in [] %}a{% else %}none{% endfor %}{% for a, b in [(1,2),(3,4)] %}{{ a + b }},{% endfor %}{% for (a, b), c in [((1,2),3)] %}{{ a ~ b ~ c }}{% endfor %}",
    "{% for x in range(10) if x is odd %}{% if x == 7 %}{% break %}{% endif %}{% if x == 3 %}{% continue %}{% endif %}{{ x }} of {{ loop.length }}\n{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 3 %}{% endif %}{{ x }}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}",
    "{% set a, b = 1, [2, 3] %}{{ a }}{{ b }}{% set text %}  some {{ a }} text\n{% endset %}[{{ text }}]{% set u | upper | trim %} abc {% endset %}[{{ u }}]",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m(b=1, a=0) }}{{ m() }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro wrap(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call wrap('b') %}in{% endcall %}{% macro each(l) %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) each([1,2]) %}[{{ x }}]{% endcall %}",
    "{% filter upper | trim %}  abc {{ 'def' }} {% endfilter %}{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}",
    "{% raw %}{{ not }} {% this %}{% endraw %}{# a comment #}x{#- another -#}  y",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n{{ 'x' }}\n  {#- c -#}  \n d {%- if true -%}  e  {%- endif -%}  f\n    {%+ if true %}g{% endif +%}\nh",
    "line\n\t {% set x = 1 %}   \n\n {% for i in [1,2] %} \n{{ i }} \n {% endfor %}end\n\n",
    "{{ 1 + 2 * 3 ** 2 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** -1 }} {{ 1.5 + 1 }} {{ 10 / 4 }} {{ 1e20 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 7.0 // 2 }} {{ -5.5 % 2 }} {{ 100000000000000000.0 }} {{ 123456789.123 }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1,2] < [1,3] }} {{ not 1 == 2 }} {{ 1 in [1,2] }} {{ 'b' not in 'abc' }} {{ 'k' in {'k': 1} }} {{ true and 'x' or 'y' }} {{ none == none }} {{ 1 != '1' }} {{ 3 >= 3 }} {{ true == 1 }}",
    "{{ 'a' 'b' ~ 1 ~ none ~ true ~ 1.0 ~ [1,'x'] }} {{ 'ab' * 3 }} {{ [1] + [2] }} {{ [0] * 3 }} {{ (1,) + (2, 3) }}",
    "{{ 'yes' if 1 > 0 else 'no' }} {{ 'yes' if false }} {{ 1 if false else 2 if false else 3 }}",
    "{{ [1,2,3,4,5][1:3] }} {{ [1,2,3][-1] }} {{ [1,2,3][::-1] }} {{ 'héllo wörld'[1:-1:2] }} {{ 'abc'[5:] }} {{ 'abc'[-2:] }} {{ 'abc'[0] }} {{ 'abc'[-1] }} {{ [1,2,3,4][::2] }} {{ [1,2,3][5:1:-1] }} {{ 'añb'[::-1] }} {{ (1,2,3)[:2] }}",
    "{{ {'a': 1, 'b': [true, none, 1.5, 'it\\'s', \"q\\\"\"]} }} {{ {'a': {'b': 2}}.a.b }} {{ {'a': 1}['a'] }} {{ {'items': 3}['items'] }} {{ {1: 'x'}[1] }} {{ {}|length }} {{ (1,) }} {{ () }} {{ 'tab\\tnew\\nback\\\\' }} {{ ['tab\\tnew\\nback\\\\ é \\x07 \\u200b'] }}",
    "{{ undefined_thing }}|{{ undefined_thing is defined }}|{{ undefined_thing | default('d') }}|{{ '' | default('d') }}|{{ '' | default('d', true) }}|{{ none | d('x', boolean=true) }}|{{ {'a': 1}.b is undefined }}|{{ not undefined_thing }}|{{ undefined_thing == undefined_other }}",
    "{{ '  ab c ' | trim }}|{{ 'xxabxx' | trim('x') }}|{{ 'abc' | length }}|{{ [1,2]|count }}|{{ 'aBc' | upper }}|{{ 'ABC é' | lower }}|{{ 'hello big-world (again)' | title }}|{{ 'hELLO w' | capitalize }}|{{ 'a,b' | replace(',', ';') }}|{{ 'aaa' | replace('a', 'b', 2) }}",
    "{{ [1, 'b', none] | join(', ') }}|{{ [{'n': 1}, {'n': 2}] | join('-', attribute='n') }}|{{ [3,1,2] | first }}|{{ [3,1,2] | last }}|{{ [] | first is defined }}|{{ 'abc' | list }}|{{ [1,2,3] | reverse | list }}|{{ 'abc' | reverse }}|{{ {'a': 1}.items() | list }}|{{ {'b': 1, 'a': 2} | dictsort }}|{{ {'a': 1} | items | list }}",
    "{{ [{'t': 'x', 'v': 1}, {'t': 'y', 'v': 2}, {'v': 3}] | selectattr('t', 'equalto', 'x') | list }}|{{ [{'t': 1}, {}] | selectattr('t') | list }}|{{ [{'t': 1}, {}] | rejectattr('t', 'defined') | list }}|{{ [1,2,3,4] | select('even') | list }}|{{ [1,2,3] | reject('odd') | list }}|{{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }}|{{ ['a', 'b'] | map('upper') | join }}|{{ [{}] | map(attribute='x', default='d') | list }}",
    "{{ [3,1,2] | sort }}|{{ ['b','A','c'] | sort }}|{{ ['b','A','c'] | sort(case_sensitive=true, reverse=true) }}|{{ [{'n': 2}, {'n': 1}] | sort(attribute='n') }}|{{ [1,1,2,'a','A'] | unique | list }}|{{ [1,5,3] | max }}|{{ [4,2] | min }}|{{ [1,2,3] | sum }}|{{ [{'x': 1}, {'x': 2}] | sum(attribute='x') }}",
    "{{ '12' | int }}|{{ 'x' | int }}|{{ 'x' | int(5) }}|{{ 3.9 | int }}|{{ '3.7' | int }}|{{ '1.5' | float }}|{{ 2 | float }}|{{ 2.5 | round }}|{{ 2.345 | round(2) }}|{{ 2.1 | round(method='ceil') }}|{{ -3 | abs }}|{{ 5 | string ~ 'x' }}|{{ true | int }}|{{ ' 7 ' | int }}",
    "{{ data | tojson }}|{{ data | tojson(indent=4) }}|{{ data | tojson(separators=(',', ':')) }}|{{ data | tojson(sort_keys=true) }}|{{ data | tojson(ensure_ascii=true) }}|{{ [] | tojson(indent=2) }}|{{ {} | tojson(indent=2) }}|{{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}|{{ 'a</b>&\\'\"\\u0001\\x7f' | tojson }}|{{ (1, 2) | tojson }}",
    "{{ 1 is integer }}{{ true is integer }}{{ 1.0 is float }}{{ 1 is number }}{{ true is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is mapping }}{{ [] is sequence }}{{ 'a' is sequence }}{{ {} is sequence }}{{ 1 is sequence }}{{ 1 is iterable }}{{ 'a' is iterable }}{{ none is none }}{{ x is none }}{{ true is boolean }}{{ 1 is boolean }}{{ true is true }}{{ 1 is true }}{{ false is false }}{{ range is callable }}{{ 4 is divisibleby 2 }}{{ 3 is odd }}{{ 4 is even }}{{ 1 is eq 1 }}{{ 1 is ne 2 }}{{ 2 is gt 1 }}{{ 1 is in [1] }}{{ 'a' is lower }}{{ 'A' is upper }}{{ 'a' is not none }}{{ 1 is sameas 1 }}",
    "{{ ' a '.strip() }}|{{ 'xax'.strip('x') }}|{{ 'xax'.lstrip('x') }}|{{ 'xax'.rstrip('x') }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ 'abc'.endswith('bc') }}|{{ 'a b  c'.split() }}|{{ 'a,b,,c'.split(',') }}|{{ 'a,b,c'.split(',', 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ' a b c '.split(none, 1) }}|{{ 'abc'.upper() }}|{{ 'AbC'.lower() }}|{{ \"they're bill's\".title() }}|{{ 'hello WORLD'.capitalize() }}|{{ 'abab'.replace('a', 'x') }}|{{ 'abab'.replace('a', 'x', 1) }}|{{ 'ab'.replace('', '-') }}|{{ 'abcabc'.find('c') }}|{{ 'abcabc'.rfind('c') }}|{{ 'abc'.find('z') }}|{{ 'abab'.count('ab') }}|{{ ','.join(['a', 'b']) }}|{{ 'a1'.isalpha() }}|{{ '12'.isdigit() }}|{{ ' '.isspace() }}|{{ 'Ab'.isupper() }}|{{ 'ab'.islower() }}|{{ 'abc'.removeprefix('a') }}|{{ 'abc'.removesuffix('c') }}|{{ '' .split(',') }}|{{ 'straße'.upper() }}",
    "{{ d.get('a') }}|{{ d.get('z') }}|{{ d.get('z', 'q') }}|{{ d.keys() | list }}|{{ d.values() | list }}|{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}|{% for k in d %}{{ k }}{% endfor %}|{{ d | list }}|{{ d.a }}|{{ d['b'] }}|{{ d | length }}|{{ 'a' in d }}|{{ d.items is callable }}",
    "{{ range(5) | list }}{{ range(1, 4) | list }}{{ range(5, 0, -2) | list }}{{ dict(a=1, b=2) }}{{ dict({'x': 1}, y=2) }}{{ [1,2,2].count(2) }}{{ [1,2].index(2) }}",
    "{{ 'a\\nb\\n\\nc' | indent }}|{{ 'a\\nb\\n\\nc' | indent(2, true) }}|{{ 'a\\n\\nc' | indent(2, blank=true) }}|{{ 'a\\nb' | indent('> ', true) }}|{{ '' | indent }}",
    "{{ raise_exception('no: ' ~ 1) }}", "{{ 1 + 'a' }}", "{{ x.y.z }}", "{{ [1][5] }}{{ [1][5] is defined }}", "{{ 1 / 0 }}", "{{ undefined_function() }}",
    "{{ -1 | abs }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ (1, 2)[0] }} {{ [1, 2].0 }} {{ 1_000 }} {{ 'x' if 'a' is string and 'b' is string else 'y' }} {{ not false and true }} {{ 1 if 2 is odd or 3 is odd }}",
    "{{ '%' }}{{ '}}' }}{{ {'a': {'b': 1}} }}{{ \"{%\" }}{{ '\\u00e9\\x41\\101\\q' }}",
    "{% if x is defined and x %}a{% elif data.list | length > 2 %}b{% else %}c{% endif %}{% if not (1 > 2) %}d{% endif %}",
    "{%- for x in 'añ' -%} {{ x }} {%- endfor -%}{% for x in 'ab' %}{% for y in 'cd' %}{{ loop.index }}{{ x }}{{ y }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in [1,1,2] %}{{ loop.changed(x) }}{% endfor %}{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, 2, a=3) }}",
    "{{ messages[0]['content'].split()[0] ~ messages | map(attribute='role') | join(',') }}{{ messages | selectattr('role', 'in', ['user', 'tool']) | list | length }}{{ messages[1:] | length }}{{ (messages | last).role }}{{ messages | tojson }}",
    "{% set l = [] %}{% for m in messages %}{% set l = l + [m.role] %}{% endfor %}{{ l }}{% set ns = namespace(l=[]) %}{% for m in messages %}{% set ns.l = ns.l + [m.role] %}{% endfor %}{{ ns.l }}",
    "{{ messages[0].content | replace('\\n', ' ') | trim | capitalize }}{{ messages[0].content.strip().split('\\n')[-1] }}{{ messages[0]['content'][:10] }}{{ messages[0].content | upper | length }}",
]

DATA = {"list": [1, 2.5, True, None], "text": "é\n\"q\" \\ 😀\u2028", "nested": {"z": [], "a": {}, "m": [{"k": "v"}]}}


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40  # conversations for each template
    rng = random.Random(7)
    templates = TEMPLATES + family_templates.TEMPLATES + SNIPPETS
    if Path(MODEL).exists():
        templates.insert(0, gguf.GGUFReader(MODEL).fields["tokenizer.chat_template"].contents())
    more = {"data": DATA, "d": {"a": 1, "b": "x"}}
    cases = [{"template": template, "variables": [variables(rng) | more for _ in range(count)]}
             for template in templates]
    renderings, errors, failures = compare(sys.argv[1], cases)
    print(f"{len(templates)} templates, {renderings} renderings, {errors} of them errors, {failures} differ")
    return 1 if failures or errors > renderings / 2 else 0


if __name__ == "__main__":
    sys.exit(main())
