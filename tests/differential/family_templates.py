"""Chat templates in the manner of the families of models, written for these tests: tools, system prompts, content in
parts, reasoning, documents."""

# Calls in XML tags, results grouped in one turn of the user, thoughts only behind the last question.
TAGGED_CALLS = """{%- macro text_of(content) %}
    {%- if content is string %}
        {{- content }}
    {%- elif content is iterable %}
        {%- for part in content %}
            {%- if part.type == 'image' or 'image_url' in part %}
                {{- '<|vision|>' }}
            {%- elif 'text' in part %}
                {{- part.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- text_of(messages[0].content) + '\\n\\n' }}
    {%- endif %}
    {{- '# Tools\\n\\nYou have these functions:\\n<tools>' }}
    {%- for tool in tools %}
        {{- '\\n' }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '\\n</tools><|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + text_of(messages[0].content) + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last_question=messages | length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- set index = messages | length - 1 - loop.index0 %}
    {%- if not ns.found and message.role == 'user' %}
        {%- set ns.last_question = index %}
        {%- set ns.found = true %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = text_of(message.content) %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set thoughts = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thoughts = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.index0 > ns.last_question and (loop.last or thoughts) %}
            {{- '<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- content }}
        {%- for call in message.tool_calls or [] %}
            {%- if call.function %}
                {%- set call = call.function %}
            {%- endif %}
            {{- ('\\n' if content or not loop.first else '') + '<tool_call>\\n{"name": "' + call.name + '", "arguments": ' }}
            {{- call.arguments if call.arguments is string else call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

# Questions in brackets; the tools stand before the last question; identifiers of calls are checked.
BRACKETS = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set questions = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("questions and answers must alternate, got " ~ message.role ~ " at " ~ loop.index) }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == questions[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function or tool %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, value in tool.items() if key != "return" %}
                    {%- if value is string %}
                        {{- '"' + key + '": "' + value + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + value | tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {{- ", " if not loop.last else "]" }}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for call in message.tool_calls %}
            {%- set out = call.function | tojson %}
            {{- out[:-1] }}
            {%- if not call.id is defined or call.id | length != 9 %}
                {{- raise_exception("a call needs an id of 9 letters") }}
            {%- endif %}
            {{- ', "id": "' + call.id + '"}' }}
            {{- ", " if not loop.last else "]" + eos_token }}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] | trim + eos_token }}
    {%- elif message["role"] == "tool" %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content | string }}
        {{- ', "call_id": "' + (message.tool_call_id or "none")[:9] + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("no such role: " + message.role) }}
    {%- endif %}
{%- endfor %}
"""

# Turns with names of their own; what the system says goes into the first question; other roles are refused.
TURNS = """{{ bos_token }}
{%- set first = '' -%}
{%- if messages[0]['role'] in ['system', 'developer'] -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set messages = messages[1:] -%}
{%- endif -%}
{%- for message in messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate") }}
    {%- endif -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {{ '<start_of_image>' if item['type'] == 'image' else item['text'] | trim if item['type'] == 'text' }}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\\n' }}
{%- endif -%}
"""

# A role is a token of its own; tools stand in the system's turn; a default for the system.
ROLE_TOKENS = """{% set default_system = 'You are helpful.' %}
{% macro say(role) %}<|{{ role }}|>{{ caller() }}<|end|>{% endmacro %}
{% if messages and messages[0].role != 'system' %}{% call say('system') %}{{ default_system }}{% endcall %}{% endif %}
{% for message in messages %}
{% if message.role == 'system' and tools %}
{% call say('system') %}{{ message.content }}<|tool|>{{ tools | map(attribute='function', default={}) | list | tojson }}<|/tool|>{% endcall %}
{% elif message.tool_calls %}
{% call say(message.role) %}{% for call in message.tool_calls %}<|tool_call|>{{ (call.function or call) | tojson(separators=(',', ':')) }}<|/tool_call|>{% endfor %}{% endcall %}
{% else %}
{% call say(message.role) %}{{ message.content if message.content is string else message.content | selectattr('text', 'defined') | map(attribute='text') | join('\\n') }}{% endcall %}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}<|assistant|>{% endif %}"""

# Documents and tools described at length, with named blocks and answers that quote them.
DOCUMENTS = """{%- macro type_of(spec) -%}
    {%- if spec.type is string -%}
        {{- {'string': 'str', 'integer': 'int', 'number': 'float', 'boolean': 'bool', 'array': 'List', 'object': 'Dict'}.get(spec.type, spec.type) -}}
        {%- if spec.type == 'array' and spec['items'] -%}[{{ type_of(spec['items']) }}]{%- endif -%}
    {%- elif spec.type is sequence -%}
        Union[{{ spec.type | map('capitalize') | join(', ') }}]
    {%- elif spec.anyOf is defined -%}
        Union[{% for inner in spec.anyOf %}{{ type_of(inner) }}{{ ', ' if not loop.last }}{% endfor %}]
    {%- else -%}
        Any
    {%- endif -%}
{%- endmacro -%}
{{ bos_token }}<|START|><|SYSTEM|>
{%- if messages[0]['role'] == 'system' %}
{{ messages[0]['content'] | trim }}
{%- endif %}
{% if tools %}
## Available tools
{% for tool in tools %}
{% set tool = tool.function if tool.function is defined else tool %}
```python
def {{ tool.name | replace('-', '_') }}(
{%- for name, spec in (tool.parameters.properties or {}).items() -%}
{{ name }}: {{ type_of(spec) }}{{ ' = None' if name not in (tool.parameters.required or []) }}{{ ', ' if not loop.last }}
{%- endfor -%}
) -> {{ type_of(tool['return'] or {}) }}:
    \"\"\"{{ tool.description | indent(4) }}
{% if tool.parameters.properties %}

    Args:
{% for name, spec in tool.parameters.properties | dictsort %}
        {{ name }} ({{ type_of(spec) }}): {{ spec.description or 'no description' }}
{% endfor %}
{% endif %}
    \"\"\"
```
{% endfor %}
{% endif %}
{% if documents %}
<results>
{% for document in documents %}
Document: {{ loop.index0 }}
{% for key, value in document.items() %}
{{ key | title }}: {{ value }}
{% endfor %}
{% endfor %}
</results>
{% endif %}
<|END|>
{%- for message in messages if message.role != 'system' %}
<|START|><|{{ message.role | upper }}|>{{ message.content if message.content is not none else '' }}
{%- if message.tool_calls %}
Action:
{{ message.tool_calls | map(attribute='function', default=none) | select | list | tojson(indent=4) }}
{%- endif %}<|END|>
{%- endfor %}
{%- if add_generation_prompt %}<|START|><|CHATBOT|>{% endif %}
"""

# Marks in wide characters, thoughts cut off, results of tools in runs, and flags that remember what came before.
WIDE_MARKS = """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- set ns = namespace(is_first=false, is_tool=false, system_prompt='', first_system=true) %}
{%- for message in messages %}
    {%- if message['role'] == 'system' %}
        {%- set ns.system_prompt = ns.system_prompt + ('' if ns.first_system else '\\n\\n') + message['content'] %}
        {%- set ns.first_system = false %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}{{ ns.system_prompt }}
{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {%- set ns.is_tool = false %}
        {{- '<｜User｜>' + message['content'] }}
    {%- elif message['role'] == 'assistant' and 'tool_calls' in message %}
        {%- set ns.is_first = false %}
        {%- for call in message['tool_calls'] %}
            {%- if not ns.is_first %}
                {{- '<｜Assistant｜>' if message['content'] is none else '<｜Assistant｜>' + message['content'] }}
                {{- '<｜calls▁begin｜>' }}
                {%- set ns.is_first = true %}
            {%- else %}
                {{- '\\n' }}
            {%- endif %}
            {%- set function = call['function'] %}
            {{- '<｜call▁begin｜>' + function['name'] + '\\n```json\\n' + (function['arguments'] | tojson) + '\\n```<｜call▁end｜>' }}
        {%- endfor %}
        {{- '<｜calls▁end｜><｜end▁of▁sentence｜>' }}
    {%- elif message['role'] == 'assistant' %}
        {%- if ns.is_tool %}
            {{- '<｜outputs▁end｜>' + message['content'] + '<｜end▁of▁sentence｜>' }}
            {%- set ns.is_tool = false %}
        {%- else %}
            {%- set content = message['content'] %}
            {%- if '</think>' in content %}
                {%- set content = content.split('</think>')[-1] %}
            {%- endif %}
            {{- '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}
        {%- endif %}
    {%- elif message['role'] == 'tool' %}
        {{- ('\\n' if ns.is_tool else '<｜outputs▁begin｜>') + '<｜output▁begin｜>' + message['content'] + '<｜output▁end｜>' }}
        {%- set ns.is_tool = true %}
    {%- endif %}
{%- endfor %}
{%- if ns.is_tool %}{{- '<｜outputs▁end｜>' }}{% endif %}
{%- if add_generation_prompt and not ns.is_tool %}{{- '<｜Assistant｜><think>\\n' }}{% endif %}"""

# Channels: thoughts, calls and answers are messages of their own, tools a namespace in TypeScript.
CHANNELS = """{%- macro render_type(spec, indent='') -%}
    {%- if spec.enum is defined -%}
        {{- spec.enum | map('tojson') | join(' | ') -}}
    {%- elif spec.anyOf is defined -%}
        {%- for inner in spec.anyOf -%}{{ render_type(inner, indent) }}{{ ' | ' if not loop.last }}{%- endfor -%}
    {%- elif spec.type is not string and spec.type is iterable -%}
        {{- spec.type | join(' | ') -}}
    {%- elif spec.type == 'array' -%}
        {{- (render_type(spec['items'], indent) if spec['items'] else 'any') ~ '[]' -}}
    {%- elif spec.type == 'object' and spec.properties -%}
        {{- '{\\n' -}}
        {%- for name, inner in spec.properties.items() -%}
            {%- if inner.description -%}{{- indent ~ '// ' ~ inner.description ~ '\\n' -}}{%- endif -%}
            {{- indent ~ name ~ ('' if name in (spec.required or []) else '?') ~ ': ' ~ render_type(inner, indent ~ '  ') -}}
            {%- if inner.default is defined -%}{{- ', // default: ' ~ inner.default -}}{%- endif -%}
            {{- ',\\n' -}}
        {%- endfor -%}
        {{- indent ~ '}' -}}
    {%- elif spec.type in ('integer', 'number') -%}number
    {%- else -%}{{ spec.type or 'any' }}
    {%- endif -%}
{%- endmacro -%}
{{- '<|start|>system<|message|>Today: ' ~ (date_string or strftime_now('%Y-%m-%d')) ~ '\\nReasoning: ' ~ (reasoning_effort | default('medium')) ~ '<|end|>' }}
{%- if tools or messages[0].role in ('system', 'developer') %}
    {{- '<|start|>developer<|message|>' }}
    {%- if messages[0].role in ('system', 'developer') %}{{- '# Instructions\\n\\n' ~ messages[0].content ~ '\\n\\n' }}{% endif %}
    {%- if tools %}
        {{- 'namespace functions {\\n\\n' }}
        {%- for tool in tools %}
            {%- set tool = tool.function or tool %}
            {{- '// ' ~ tool.description ~ '\\ntype ' ~ tool.name ~ ' = (_: ' ~ render_type(tool.parameters) ~ ') => any;\\n\\n' }}
        {%- endfor %}
        {{- '}' }}
    {%- endif %}
    {{- '<|end|>' }}
{%- endif %}
{%- for message in messages if message.role not in ('system', 'developer') %}
    {%- if message.role == 'assistant' %}
        {%- if message.thinking and not loop.last %}{{- '<|start|>assistant<|channel|>analysis<|message|>' ~ message.thinking ~ '<|end|>' }}{% endif %}
        {%- for call in message.tool_calls or [] %}
            {{- '<|start|>assistant to=functions.' ~ (call.function or call).name ~ '<|channel|>commentary json<|message|>' ~ (call.function or call).arguments | tojson ~ '<|call|>' }}
        {%- endfor %}
        {%- if message.content %}
            {%- generation %}{{- '<|start|>assistant<|channel|>final<|message|>' ~ message.content ~ '<|end|>' }}{%- endgeneration %}
        {%- endif %}
    {%- elif message.role == 'tool' %}
        {{- '<|start|>functions.' ~ (message.name or 'unknown') ~ ' to=assistant<|channel|>commentary<|message|>' ~ message.content | tojson ~ '<|end|>' }}
    {%- else %}
        {{- '<|start|>' ~ message.role ~ '<|message|>' ~ message.content ~ '<|end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{% endif %}"""

# Calls as XML with a parameter a line; values by their types; text marked as safe.
XML_CALLS = """{%- macro render_keys(values, known) %}
    {%- for key in values if key not in known %}
        {%- set shown = key | replace(' ', '_') | string %}
        {{- '\\n<' ~ shown ~ '>' ~ (values[key] | tojson | safe if values[key] is mapping or (values[key] is sequence and values[key] is not string) else values[key]) ~ '</' ~ shown ~ '>' }}
    {%- endfor %}
{%- endmacro %}
{%- if tools is iterable and tools | length > 0 %}
    {{- '<|im_start|>system\\n' ~ (messages[0].content if messages[0].role == 'system' else 'You can call tools.') ~ '\\n<tools>' }}
    {%- for tool in tools %}
        {%- if tool.function is defined %}{% set tool = tool.function %}{% endif %}
        {{- '\\n<function>\\n<name>' ~ tool.name ~ '</name>' }}
        {%- if tool.description %}{{- '\\n<description>' ~ (tool.description | trim) ~ '</description>' }}{% endif %}
        {%- for name, fields in tool.parameters.properties | items %}
            {{- '\\n<parameter>\\n<name>' ~ name ~ '</name>' }}
            {{- render_keys(fields, ['name', 'description']) }}
            {{- '\\n</parameter>' }}
        {%- endfor %}
        {{- render_keys(tool, ['name', 'description', 'parameters']) ~ '\\n</function>' }}
    {%- endfor %}
    {{- '\\n</tools><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' and message.tool_calls is iterable and message.tool_calls is not string %}
        {{- '<|im_start|>assistant\\n' ~ (message.content | default('', true) | trim) }}
        {%- for call in message.tool_calls %}
            {%- if call.function is defined %}{% set call = call.function %}{% endif %}
            {{- '\\n<tool_call>\\n<function=' + call.name + '>' }}
            {%- if call.arguments is mapping %}
                {%- for name, value in call.arguments | items %}
                    {%- set value = value | tojson | safe if value is mapping or (value is sequence and value is not string) else value | string %}
                    {{- '\\n<parameter=' + name + '>\\n' + value + '\\n</parameter>' }}
                {%- endfor %}
            {%- endif %}
            {{- '\\n</function>\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.previtem and loop.previtem.role != 'tool' %}{{- '<|im_start|>user' }}{% endif %}
        {{- '\\n<tool_response>\\n' ~ message.content ~ '\\n</tool_response>' }}
        {%- if loop.last or loop.nextitem.role != 'tool' %}{{- '<|im_end|>\\n' }}{% endif %}
    {%- elif not (loop.first and message.role == 'system' and tools) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""

TEMPLATES = [TAGGED_CALLS, BRACKETS, TURNS, ROLE_TOKENS, DOCUMENTS, WIDE_MARKS, CHANNELS, XML_CALLS]
