#include <doctest/doctest.h>

#include <string>

#include "emelex/error.h"
#include "text/jinja/template.h"

using namespace emelex;
using jinja::Dict;
using jinja::Template;
using jinja::Text;
using jinja::Value;

// The language itself is compared with Jinja2 in tests/differential/template_check.py; here are its limits, its errors,
// and who wrote what.
namespace {

Text render(std::string_view source, const std::string& data = "") {
  Dict variables;
  variables.set(Value("data"), Value(Text(data, true)));
  return Template(source, "tiny.gguf").render(variables);
}

std::pair<ErrorCode, std::string> error_of(std::string_view source) {
  try {
    render(source);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ErrorCode::internal, "no error"};
}

// The text with what came from the data in brackets.
std::string marked(const Text& text) {
  std::string out;
  for (const Segment& segment : text.segments()) {
    out += segment.from_message ? "[" + segment.text + "]" : segment.text;
  }
  return out;
}

}  // namespace

TEST_CASE("a template renders its text, its loops and its conditions") {
  CHECK(render("{% for x in [1, 2] %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}.").bytes() == "1, 2.");
}

TEST_CASE("every byte keeps its origin through all that is done to strings") {
  CHECK(marked(render("a{{ data }}b", "X")) == "a[X]b");
  CHECK(marked(render("{{ 'a' + data ~ 'b' }}", "X")) == "a[X]b");
  CHECK(marked(render("{{ ('<' + data | trim + '>')[1:-1] }}", " X ")) == "[X]");
  CHECK(marked(render("{{ data | replace('-', '+') }}", "X-Y")) == "[X]+[Y]");
  CHECK(marked(render("{{ data.split(',') | join(';') }}", "X,Y")) == "[X];[Y]");
  CHECK(marked(render("{{ (data ~ 'b') | upper }}{{ data.lower() }}{{ data | title }}", "xY")) == "[XY]B[xyXy]");
  CHECK(marked(render("{{ ['a', data] | tojson }}", "\"")) == "[\"a\", \"[\\\"]\"]");
  CHECK(marked(render("{{ [data] }}", "X'\n")) == "[\"[X'\\n]\"]");
  CHECK(marked(render("{{ (data ~ 'b') * 2 }}{{ ('a' ~ data) | reverse }}", "X")) == "[X]b[X]b[X]a");
  CHECK(marked(render("{% set t %}a{{ data }}{% endset %}{{ t | indent(1, true) }}", "X")) == " a[X]");
  CHECK(marked(render("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(data) }}", "X")) == "<[X]>");
  CHECK(marked(render("{% for c in data %}{{ c }}.{% endfor %}", "XY")) == "[X].[Y].");
  CHECK(marked(render("{{ 'a%s' % data }}{{ '{0:>3}{0!r}'.format(data) }}", "X")) == "a[X]  [X]'[X]'");
  CHECK(marked(render("{{ '<%(k)5s>' % {'k': data} }}{{ 'a{}' | format }}{{ '%s' | format(data) }}", "X")) ==
        "<    [X]>a{}[X]");
  CHECK(marked(render("{{ data | e }}{{ ('<' | safe) + data }}", "<&")) == "[&lt;&amp;]<[&lt;&amp;]");
  CHECK(marked(render("{{ (data ~ 'b') | center(5) }}{{ data.partition('-') | join('b') }}", "X-Y")) ==
        " [X-Y]b[X]b[-]b[Y]");
  CHECK(marked(render("{{ data.splitlines() | join('|') }}{{ data | truncate(2, true, '.', 0) }}", "X\nY")) ==
        "[X]|[YX].");
  CHECK(marked(render("{{ [data] | groupby(0) | map('first') | join }}{{ [data] | batch(1) | first }}", "X")) ==
        "[X]['[X]']");
  CHECK(marked(render("{% for x in [data, ['b', data]] recursive %}{{ loop(x) if x is not string else x }}{% endfor %}",
                      "X")) == "[X]b[X]");
}

TEST_CASE("errors name the line and the column") {
  const auto [code, message] = error_of("a\n  {{ 1 + 'é' }}");
  CHECK(code == ErrorCode::invalid_argument);
  CHECK(message ==
        "[chat template] expected values that go with '+', got int and str at line 2, column 8 of tiny.gguf");
}

TEST_CASE("an exception that a template raises keeps its words") {
  const auto [code, message] = error_of("{{ raise_exception('roles must alternate') }}");
  CHECK(code == ErrorCode::invalid_argument);
  CHECK(message.find("roles must alternate") != std::string::npos);
}

TEST_CASE("what is no template is refused when it is read") {
  for (const char* source : {"{{",
                             "{{ }}",
                             "{{ 1",
                             "{% if %}",
                             "{% if 1 %}",
                             "{% endif %}",
                             "{% for in x %}{% endfor %}",
                             "{{ 'a }}",
                             "{# a",
                             "{{ (1 }}",
                             "{{ 1) }}",
                             "{{ a. }}",
                             "{{ [1, }}",
                             "{% set %}",
                             "{{ '\\uD800' }}",
                             "{% raw %}x",
                             "{% break %}",
                             "{{ a b }}",
                             "{{ ! }}",
                             "{%",
                             "{% %}",
                             "{{ 1 if }}",
                             "{% set 1 = 2 %}",
                             "{% macro %}{% endmacro %}"}) {
    CAPTURE(source);
    CHECK(error_of(source).first == ErrorCode::corrupt_file);
  }
}

TEST_CASE("what emelex lacks is said to be unsupported") {
  for (const char* source :
       {"{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% block x %}{% endblock %}",
        "{{ 1 | no_such_filter }}", "{{ 1 is no_such_test }}", "{{ 'x'.encode() }}", "{{ [1] | random }}",
        "{{ lipsum() }}", "{{ 9223372036854775807 + 1 }}", "{{ 99999999999999999999 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}", "{{ 3 ** 99 }}"}) {
    CAPTURE(source);
    CHECK(error_of(source).first == ErrorCode::unsupported);
  }
  CHECK(error_of("a{% include 'x' %}").second.find("line 1, column 5") != std::string::npos);
}

TEST_CASE("no template runs for long or uses much memory") {
  const std::string loop = "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}";
  for (const std::string& source :
       {loop,
        std::string("{% set ns = namespace(s='a') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"),
        std::string("{{ 'a' * 9223372036854775807 }}"),
        std::string("{{ [0] * 1000000000 }}"),
        std::string("{{ range(1000000000) }}"),
        std::string("{{ range(0, 9223372036854775807, 1) }}"),
        std::string("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        std::string("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"),
        std::string("{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}"),
        std::string("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor "
                    "%}{{ ns.l }}"),
        std::string("{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor "
                    "%}{{ ns.l == ns.l[:] }}"),
        std::string("{% set ns = namespace(f=1) %}{% for i in range(999) %}{% set ns.f = [ns.f].index %}{% endfor %}"),
        std::string("{{ 'a' | indent(9223372036854775807, true) }}"),
        std::string("{{ [1] | tojson(indent=1000000000) }}"),
        std::string("{{ ('a' * 100000).replace('', 'b' * 100000) }}"),
        std::string("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
        std::string("{% for x in [1] recursive %}{{ loop([1]) }}{{ loop([1]) }}{% endfor %}"),
        std::string(
            "{% set ns = namespace(g=[1]) %}{% for i in range(9999) %}{% set ns.g = ns.g | map('abs') %}{% endfor %}"
            "{{ ns.g | list }}"),
        std::string("{% set ns = namespace(j='') %}{% for i in range(99) %}{% set ns.j = joiner(ns.j) %}{% endfor %}"),
        std::string("{{ '%999999999s' % 1 }}"),
        std::string("{{ '%.999999f' % 1 }}"),
        std::string("{{ '{:>{}}'.format(1, 10 ** 18) }}"),
        std::string("{{ 'a'.center(10 ** 18) }}"),
        std::string("{{ 'a'.zfill(10 ** 18) }}"),
        std::string("{{ '\\t'.expandtabs(10 ** 18) }}"),
        std::string("{{ [1] | slice(10 ** 18) | list }}"),
        std::string("{{ [1] | batch(10 ** 18, 1) | list }}"),
        std::string("{{ 1 | center(10 ** 18) }}")}) {
    CAPTURE(source);
    const ErrorCode code = error_of(source).first;
    CHECK(code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("no source nests deeper than the stack allows") {
  const auto nested = [](const std::string& open, const std::string& close, int n) {
    std::string source = "{{ ";
    for (int i = 0; i < n; ++i) source += open;
    source += "1";
    for (int i = 0; i < n; ++i) source += close;
    return source + " }}";
  };
  for (const auto& [open, close] : {std::pair<std::string, std::string>{"(", ")"},
                                    {"[", "]"},
                                    {"-", ""},
                                    {"not ", ""},
                                    {"{1:", "}"},
                                    {"", " + 1"},
                                    {"", "|abs"},
                                    {"", ".a"},
                                    {"", "[0]"},
                                    {"", " and 1"},
                                    {"1 if 1 else ", ""},
                                    {"f(", ")"},
                                    {"", " is defined"},
                                    {"", "()"}}) {
    CAPTURE(open + close);
    CHECK(error_of(nested(open, close, 100'000)).first == ErrorCode::unsupported);
  }
  std::string statements;
  for (int i = 0; i < 50'000; ++i) statements += "{% if 1 %}";
  CHECK(error_of(statements).first == ErrorCode::unsupported);
  CHECK(error_of(std::string(2'000'000, 'x')).first == ErrorCode::unsupported);
}

TEST_CASE("chains that stay in the limits are read") {
  CHECK(render("{{ 1" +
               [] {
                 std::string more;
                 for (int i = 0; i < 60; ++i) more += " + 1";
                 return more;
               }() +
               " }}")
            .bytes() == "61");
}

TEST_CASE("text that is not UTF-8 passes through") {
  CHECK(render("\xFF{{ data | upper | trim }}{{ data[0] }}{{ data | length }}", "a\xC3").bytes() ==
        "\xFF"
        "A\xC3"
        "a2");
}
