"""Writes jinja_vectors.json: templates with what Jinja2 renders them to, set up as transformers does.

pip install jinja2 && python3 make_jinja_vectors.py jinja_vectors.json
"""

import json
import sys

import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

ENVIRONMENT = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


ENVIRONMENT.filters["tojson"] = tojson


def raise_exception(m):
    raise jinja2.exceptions.TemplateError(m)


ENVIRONMENT.globals["raise_exception"] = raise_exception
VARIABLES = {
    "n": 3,
    "f": 2.5,
    "big": 1e20,
    "small": 1e-7,
    "s": "Hello, wörld 🙂",
    "t": True,
    "z": None,
    "l": [3, 1, 2],
    "e": [],
    "names": ["b", "A", "c", "B"],
    "d": {"x": 1, "y": [1, 2, {"k": "v"}], "q": 'it\'s "so"\n'},
    "ms": [
        {"role": "system", "content": " S "},
        {"role": "user", "content": "U1"},
        {
            "role": "assistant",
            "content": "A1",
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "user", "content": "U2 </think> rest"},
    ],
}
# One template a line.
LINES = r"""
{{ 1 + 2 * 3 - 4 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 2 ** 10 }}|{{ 7.5 % 2 }}|{{ 2 ** -1 }}
{{ f }} {{ big }} {{ small }} {{ 1.0 }} {{ 100000000000000000.0 }} {{ 0.1 + 0.2 }} {{ 1e15 }} {{ 1e16 }}
{{ t }} {{ z }} {{ l }} {{ d }} {{ missing }}|{{ [] }} {{ {} }} {{ ['a', "b'c", 1.5, none, true] }}
{{ s|length }} {{ s[0] }} {{ s[-1] }} {{ s[7:12] }} {{ s[::-1] }} {{ s[:5] }} {{ s[-3:] }} {{ l[1:] }} {{ l[::-1] }} {{ l[-2:] }} {{ l[5:] }} {{ l[:-1] }} {{ l[::2] }}
{{ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ missing }}
{{ 'x' if t else 'y' }} {{ 'x' if not t else 'y' }} {{ 'x' if e }}| {{ ('a' if n > 5 else 'b') ~ 'c' }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ [1,2] == [1,2] }} {{ {'a':1} == {'a':1.0} }} {{ none == none }} {{ t == 1 }}
{{ 2 in l }} {{ 9 not in l }} {{ 'ell' in s }} {{ 'x' in d }} {{ 'a' in missing }} {{ not 2 in l }}
{{ t and n }} {{ e or 'empty' }} {{ not e }} {{ t or f and z }} {{ z and missing.x }}
{{ missing is defined }} {{ n is defined }} {{ z is none }} {{ s is string }} {{ d is mapping }} {{ l is sequence }} {{ d is sequence }} {{ l is iterable }} {{ n is number }} {{ t is boolean }} {{ n is odd }} {{ n is divisibleby 3 }} {{ n is not none }} {{ n is eq 3 }} {{ n is gt(2) }} {{ 3 is in l }} {{ t is true }} {{ n is integer }} {{ f is float }} {{ 'abc' is lower }} {{ s is not defined }}
{{ s|upper }} {{ s|lower }} {{ 'hello world'|title }} {{ 'hELLO'|capitalize }} {{ '  x '|trim }}| {{ 'xxaxx'|trim('x') }} {{ 'a-b-c'|replace('-', '+') }} {{ 'a-b-c'|replace('-', '+', 1) }}
{{ l|join(', ') }} {{ ms|join(',', attribute='role') }} {{ l|first }} {{ l|last }} {{ e|first }}| {{ l|length }} {{ l|sort }} {{ l|sort(reverse=true) }} {{ names|sort }} {{ names|sort(case_sensitive=true) }} {{ names|unique|list }} {{ names|unique(true)|list }} {{ l|sum }} {{ l|max }} {{ l|min }} {{ 'cab'|list }} {{ l|reverse|list }} {{ 'abc'|reverse }}
{{ d|items|list|tojson }} {{ d|dictsort|tojson }} {{ d|length }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.get('x') }} {{ d.get('w') }} {{ d.get('w', 5) }}
{{ ms|map(attribute='role')|list }} {{ names|map('upper')|join }} {{ ms|map(attribute='none', default='-')|join(',') }}
{{ z|selectattr('role')|list }} {{ z|reject|list }} {{ z|map('upper')|list }} {{ 0|select('odd')|list }} {{ ms|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }} {{ ms|rejectattr('role', 'in', ['user', 'system'])|list|length }} {{ ms|selectattr('tool_calls')|list|length }} {{ ms|selectattr('tool_calls', 'defined')|list|length }} {{ l|select('gt', 1)|list }} {{ l|reject('odd')|list }} {{ [0, 1, '', 'a']|select|list }}
{{ missing|default('dd') }} {{ ''|default('x', true) }} {{ z|default('x') }} {{ missing|d }}|{{ '42'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '1.9'|int }} {{ 2.9|int }} {{ '1.5'|float }} {{ -3|abs }} {{ 2.567|round(2) }} {{ 2.5|round }} {{ 2.1|round(0, 'ceil') }} {{ 3|string ~ 'x' }}
{{ d|tojson }} {{ s|tojson }} {{ l|tojson }} {{ e|tojson }} {{ z|tojson }} {{ t|tojson }} {{ f|tojson }} {{ big|tojson }} {{ '\t\x01/<é\u2028\x7f"\\'|tojson }}
{{ d|tojson(indent=2) }} {{ {'e': [], 'o': {}, 'l': [1, [2]]}|tojson(indent=4) }}
{{ d|tojson(ensure_ascii=true) }} {{ 'é🙂'|tojson(ensure_ascii=True) }} {{ {'b':1,'a':2}|tojson(sort_keys=true) }} {{ d|tojson(separators=(',', ':')) }}
{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b '.split(' ') }} {{ '  a b c '.split(none, 1) }} {{ 'x'.split('</t>')[-1] }}
{{ '  a '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}|{{ 'xyaxy'.strip('xy') }}|{{ '\n\na\n'.lstrip('\n') }}|{{ s.startswith('He') }} {{ s.endswith(('x', '🙂')) }} {{ s.upper() }} {{ 'abcabc'.replace('b', 'X') }} {{ 'abcabc'.replace('b', 'X', 1) }} {{ 'abc'.replace('', '-') }} {{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.find('z') }} {{ 'abcabc'.count('bc') }} {{ '-'.join(['a', 'b']) }} {{ '12'.isdigit() }} {{ 'a\nb\r\nc'.splitlines() }} {{ 'hello world'.title() }} {{ 'aBC'.capitalize() }}
{{ 'line1\nline2\n\nline4'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ') }}
{{ '<a href="x">&\'</a>'|e }} {{ '<b>'|safe }} {{ '<b>'|escape }}
{% for x in l %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.first }}/{{ loop.last }}/{{ loop.length }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.previtem }}/{{ loop.nextitem }}/{{ loop.cycle('a', 'b') }};{% endfor %}
{% for x in e %}x{% else %}none{% endfor %}{% for x in missing %}x{% else %}none2{% endfor %}{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'aé🙂' %}[{{ c }}]{% endfor %}
{% for m in ms if m.role == 'user' %}{{ loop.index }}{{ loop.length }}{{ m.content }};{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %} {{ range(1, 10, 3)|list }} {{ range(5, 0, -2)|list }}
{% for a in [1,2] %}{% for b in [1,2] %}{{ loop.depth }}{{ a }}{{ b }} {% endfor %}{% endfor %}
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}
{% set ns = namespace(x=0, found=false) %}{% for i in l %}{% set ns.x = ns.x + i %}{% if i == 2 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.x }}{{ ns.found }}{{ ns.nothing is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = (1, 2) %}{{ c[0] }}{% set txt %}block {{ n }}{% endset %}{{ txt|upper }}{% set t2 | upper | trim %} x {% endset %}{{ t2 }}|
{% if n == 1 %}one{% elif n == 3 %}three{% else %}other{% endif %}{% if z %}a{% elif e %}b{% else %}c{% endif %}
{% macro m(a, b='B', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(a=1, c=3) }}{{ m() }}
{% macro fact(i) %}{{ 1 if i <= 1 else i * (fact(i - 1)|int) }}{% endmacro %}{{ fact(6) }}
{% filter upper %}abc {{ n }}{% endfilter %}{% raw %}{{ x }} {% y %}{% endraw %}
{# comment #}a{#- c -#} b
{{- ' a' -}}   b
{%- if t -%}   c   {%- endif -%}   d
{{ {'a': {'b': 1}}.a.b }} {{ {'a': {'b': 1}}['a']['b'] }} {{ ms[0].role }} {{ ms[-1]['content'] }} {{ ms[0]['nothing'] }}| {{ ms[9] }}| {{ z.x }}| {{ n.x }}| {{ s.nothing }}|
{{ ms[-1].content.split('</think>')[-1].lstrip() }} {{ (ms|first).role }} {{ ms[1:]|length }} {{ ms[2].tool_calls[0].function.name }}
{{ "a\"b" }} {{ 'a\'b' }} {{ 'tab\there' }} {{ 'A\u00e9' }} {{ 'con' 'cat' }} {{ 'back\\slash' }}
{{ dict(a=1, b=2) }} {{ 'abc' * 2 }} {{ [1] + [2] }} {{ -n }} {{ +n }} {{ --n }} {{ not not t }}
{{ l|map('string')|map('int')|sum }} {{ n|string|length }} {{ (1, 2)|length }} {{ 1 if t }} {{ [t, e]|tojson }}
{{ ms|tojson }}
"""
# White space around tags.
TEMPLATES = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n",
    "  {% if t %}\n  x\n  {% endif %}  \ny",
    "a {%- if t %} b {% endif -%} c\n\n",
    "{%+ if t %}x{% endif +%}\ny",
    "  {{ n }}\n  {# c #}\n z",
    "\n\n{{ n }}\n\n",
    "x\r\ny\r{{ n }}\r\n",
    "{% for i in l %}\n- {{ i }}\n{% endfor %}\nend",
    "  {%- for i in l %}\n   - {{ i }}\n{%- endfor %}\n\n  end",
    "a\n  {%+ if t %}b{% endif %}\n",
    "{% set x %}\n  body\n{% endset %}\n[{{ x }}]",
    "{% raw %}\n {{ a }}\n{% endraw %}\nb",
    "text   {%- raw -%}   r   {%- endraw -%}   e",
    "{{ '{{' }}{{ '%}' }} { % { # }",
    "{% if t %}\t{% endif %}|\n\t{% if t %}|{% endif %}",
]
# Templates that must not render.
FAILING = [
    "{{ missing.x }}",
    "{{ 1 + 'a' }}",
    "{{ 'a' + 1 }}",
    "{{ missing + 1 }}",
    "{{ 1 / 0 }}",
    "{{ l.append(1) }}",
    "{{ n() }}",
    "{{ missing() }}",
    "{% for x in n %}{% endfor %}",
    "{{ n|length }}",
    "{{ raise_exception('no') }}",
    "{% set a, b = l %}",
    "{{ missing|tojson }}",
    "{{ [missing]|tojson }}",
    "{{ z < 1 }}",
    "{{ 'a' in n }}",
    "{% set n.x = 1 %}",
    "{{ s|nofilter }}",
    "{{ s is notest }}",
    "{% if %}x{% endif %}",
    "{% endif %}",
    "{% if t %}",
    "{{ (1 }}",
    "{{ 1 + }}",
    "{{ 'a }}",
    "{% unknown %}",
    "{% for in l %}{% endfor %}",
    "{{ a b }}",
    "{% if t %}{% endfor %}",
    "{{",
    "{# x",
    "{{ missing['x'] }}",
    "{{ missing.x.y }}",
    "{{ s.nothing() }}",
    "{{ m(1) }}",
    "{% macro q(a) %}{% endmacro %}{{ q(1, 2) }}",
    "{% macro q(a) %}{% endmacro %}{{ q(b=2) }}",
]


def render(template):
    return ENVIRONMENT.from_string(template).render(**VARIABLES)


def fails(template):
    try:
        render(template)
    except Exception:
        return True
    return False


assert all(fails(template) for template in FAILING)
templates = [line for line in LINES.split("\n") if line] + TEMPLATES
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(
        {
            "variables": VARIABLES,
            "renders": [{"template": t, "rendered": render(t)} for t in templates],
            "fails": FAILING,
        },
        file,
        ensure_ascii=False,
        indent=1,
    )
