// SPDX-License-Identifier: Apache-2.0
// Chat templates: published ones byte for byte, the rules of Jinja and Python that they lean on, errors and limits.
#include "catch.hpp"
#include "io/rendering.hpp"
#include "io/scratch.hpp"

using namespace atom;
using io::ChatTemplate;
using io::Json;
using io::TemplateOptions;

namespace {

const Json& variables() {
  static const Json json = io::parse_json(
      R"({"s": "Hello World", "u": "Gr\u00fc\u00dfe \u03a3\u03a3 \ud83d\ude00", "n": null, "i": 7, "x": 2.5, "big": 18446744073709551615,
          "l": [3, 1, 2], "d": {"b": 1, "a": [1, {"z": null}], "items": 5}, "nested": [[1, [2]], [3]],
          "users": [{"n": "x", "a": 3}, {"n": "Y", "a": 1}, {"n": "z"}],
          "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]})",
      "variables");
  return json;
}

std::string rendered(std::string_view source, const TemplateOptions& options = {}) {
  return ChatTemplate(source, "t").render(variables(), options);
}
std::string printed(const std::string& expression) { return rendered("{{ " + expression + " }}"); }
std::string wrong(std::string_view source, const TemplateOptions& options = {}) {
  return error_of([&] { rendered(source, options); });
}

using Table = std::vector<std::pair<std::string, std::string>>;
void check_printed(const Table& table) {
  for (const auto& [expression, expected] : table) {
    INFO(expression);
    CHECK(printed(expression) == expected);
  }
}
void check_rendered(const Table& table) {
  for (const auto& [source, expected] : table) {
    INFO(source);
    CHECK(rendered(source) == expected);
  }
}

}  // namespace

TEST_CASE("templates are rendered byte for byte") {
  const std::string folder = ATOM_TEST_DIR "/golden/templates/";
  for (const char* name : {"chatml", "headers", "tools", "HuggingFaceTB-SmolLM3-3B", "Qwen-Qwen3-0.6B"}) {
    const auto results = render_cases(folder + name + ".jinja", folder + name + ".json");
    CHECK(results.size() >= 13);
    for (const Rendering& result : results)
      if (!result.good) FAIL_CHECK(name << ": found " << result.found << ", expected " << result.expected);
  }
}

TEST_CASE("white space around tags is what trim_blocks and lstrip_blocks leave") {
  check_rendered({
      {"  {% if i %}\n  x\n  {% endif %}\n  y\n", "  x\n  y"},
      {"a\n   {%- if i %}\n b {% endif -%}  \n c\n", "a b c"},
      {"x\r\ny\r{{ i }}\r\n", "x\ny\n7"},
      {"  {# c #}\n  {# d -#}\n  z", "z"},
      {"{{ i }}\n\n", "7\n"},
      {"  {{- i -}}  b", "7b"},
      {"   {%+ if i %}x{% endif +%}\ny", "   x\ny"},
      {"{% raw %}{{ x }}{% if %}{% endraw %}", "{{ x }}{% if %}"},
      {"{%- raw -%} a {%- endraw -%} b", "ab"},
      {"a\u00a0{%- set a=1 -%}\u3000b", "ab"},
      {"{{ {'a': {'b': 1}}['a'] }}{{ '}}' }}", "{'b': 1}}}"},
      {"{% for x in l %}\n{{ x }}\n{% endfor %}\n", "3\n1\n2\n"},
      {"a { b } c #}", "a { b } c #}"},
      {"", ""},
  });
}

TEST_CASE("values print as Python prints them") {
  check_printed({
      {"d", "{'b': 1, 'a': [1, {'z': None}], 'items': 5}"},
      {"[1, 2.0, 'it\\'s', \"q\\\"\", none, true, (1,), ()]", "[1, 2.0, \"it's\", 'q\"', None, True, (1,), ()]"},
      {"['\\n\\t\\x00\\u200b\\u00e9\\U0001f600\\\\']", "['\\n\\t\\x00\\u200b\u00e9\U0001f600\\\\']"},
      {"[1e16, 1e15, 1e-4, 1e-5, 0.1 + 0.2, 5e-324, -0.0]",
       "[1e+16, 1000000000000000.0, 0.0001, 1e-05, 0.30000000000000004, 5e-324, -0.0]"},
      {"[big, big + 1, -big, 10 ** 20]",
       "[18446744073709551615, 18446744073709551616, -18446744073709551615, 100000000000000000000]"},
      {"d.items()", "dict_items([('b', 1), ('a', [1, {'z': None}]), ('items', 5)])"},
      {"range(1, 10, 3)", "range(1, 10, 3)"},
      {"namespace(a='x')", "<Namespace {'a': 'x'}>"},
      {"[missing]", "[Undefined]"},
      {"none", "None"},
  });
}

TEST_CASE("operators follow Python") {
  check_printed({
      {"[7 // 2, -7 // 2, -7 % 3, 7 % -3, 7 / 2, 2 ** -1, -2 ** 2, 7.5 // 2, -7.5 % 2]",
       "[3, -4, 2, -2, 3.5, 0.5, 4, 3.0, 0.5]"},
      {"[1 < 2 < 3, 1 < 2 > 5, 1 == 1.0 == true, [1, 2] < [1, 3], 'a' < 'B', (1,) == [1]]",
       "[True, False, True, True, False, False]"},
      {"['ell' in s, 'b' in d, 1 in l, 9 not in l, [1] in [[1]], 'x' in missing]",
       "[True, True, True, True, True, False]"},
      {"'a' ~ 1 + 2 ~ none ~ 2.0", "a12None2.0"},
      {"'ab' * 2 + 'c'", "ababc"},
      {"[1] + [2] * 2", "[1, 2, 2]"},
      {"'' or n or 'z' and 5", "5"},
      {"not 1 == 2", "True"},
      {"1 if i > 5 else 2", "1"},
      {"[l[::-1], l[1:], l[-2:], s[:5], s[::-1], u[-1], u[2:5], u[::2]]",
       "[[2, 1, 3], [1, 2], [1, 2], 'Hello', 'dlroW olleH', '\U0001f600', '\u00fc\u00dfe', 'G\u00fce\u03a3 ']"},
      {"'%s|%5.2f|%-4s|%05d|%x|%%' % ('a', 3.14159, 'b', 42, 255)", "a| 3.14|b   |00042|ff|%"},
      {"'{} {0[b]}'.format(d) if false else '{1}{0:>4}{x!r}'.format(1, 'b', x='q')", "b   1'q'"},
      {"'{:,} {:.1%} {:+d} {:^7} {:*<4}'.format(1234567, 0.256, 5, 'mid', 'l')", "1,234,567 25.6% +5   mid   l***"},
  });
}

TEST_CASE("attributes, items and methods") {
  check_printed({
      {"d['items']", "5"},
      {"d.items is callable", "True"},
      {"d.get('zz', 'f') ~ d.get('zz')", "fNone"},
      {"messages[0].role ~ messages[-1]['role'] ~ messages.0.content", "userassistanthi"},
      {"[d.zz is defined, l[9] is defined, n.foo is defined, missing is defined]", "[False, False, False, False]"},
      {"s.split('o', 1) + s.rsplit('o', 1) + ' a  b '.split() + 'a b c '.split(none, 1)",
       "['Hell', ' World', 'Hello W', 'rld', 'a', 'b', 'a', 'b c ']"},
      {"'<think>a</think>b'.split('</think>')[0].split('<think>')[-1]", "a"},
      {"'\\n x '.strip() ~ 'xxaxx'.strip('x') ~ 'abc'.lstrip('ab') ~ '\\u3000x\\u00a0'.strip()", "xacx"},
      {"[s.find('o'), s.rfind('o'), s.find('o', 5), s.count('l'), s.find('zz'), u.find('\u03a3')]",
       "[4, 7, 7, 3, -1, 6]"},
      {"[s.startswith(('x', 'He')), s.endswith('ld'), s.startswith('l', 2)]", "[True, True, True]"},
      {"s.replace('l', 'L', 1) ~ 'ab'.replace('', '-')", "HeLlo World-a-b-"},
      {"u.upper() ~ u.lower() ~ 'hello wORLD'.title() ~ 'aBC'.capitalize()",
       "GR\u00dcSSE \u03a3\u03a3 \U0001f600gr\u00fc\u00dfe \u03c3\u03c2 \U0001f600Hello WorldAbc"},
      {"'-'.join(['a', 'b']) ~ 'a,b'.partition(',') ~ 'a\\nb\\r\\nc'.splitlines()",
       "a-b('a', ',', 'b')['a', 'b', 'c']"},
      {"['12'.isdigit(), 'a1'.isalnum(), ' '.isspace(), 'AB'.isupper()]", "[True, True, True, True]"},
  });
}

TEST_CASE("filters and tests") {
  check_printed({
      {"d | tojson", R"({"b": 1, "a": [1, {"z": null}], "items": 5})"},
      {"{'k': [], 'e': '\u00e9<&\\'\"\\n'} | tojson(indent=2)", "{\n  \"k\": [],\n  \"e\": \"\u00e9<&'\\\"\\n\"\n}"},
      {"'\u00e9\U0001f600' | tojson(ensure_ascii=true)", "\"\\u00e9\\ud83d\\ude00\""},
      {"{'b': 1.0, 'a': 1e22} | tojson(sort_keys=true, separators=(',', ':'))", R"({"a":1e+22,"b":1.0})"},
      {"users | selectattr('a') | map(attribute='n') | join(', ')", "x, Y"},
      {"users | selectattr('a', 'defined') | rejectattr('a', 'equalto', 3) | list | length", "1"},
      {"users | map(attribute='a', default=0) | sort | list", "[0, 1, 3]"},
      {"['b', 'A', 'a'] | sort ~ ['b', 'A'] | map('lower') | list", "['A', 'a', 'b']['b', 'a']"},
      {"d | dictsort | first", "('a', [1, {'z': None}])"},
      {"[l | sum, l | max, l | first, l | last, l | length, l | reverse | list]", "[6, 3, 3, 2, 3, [2, 1, 3]]"},
      {"['a', 'A', 'b'] | unique | list ~ l | batch(2) | list", "['a', 'b'][[3, 1], [2]]"},
      {"missing | default('D') ~ ('' | default('E', true)) ~ (n | default('F'))", "DENone"},
      {"'42.7' | int ~ ' 0x1f ' | int(base=16) ~ 'q' | int(5) ~ '2.50' | float ~ 2.5 | round ~ 42.46 | round(1)",
       "423152.52.042.5"},
      {"'a\\nb\\n\\nc' | indent(2)", "a\n  b\n\n  c"},
      {"'foo bar baz' | truncate(6, leeway=0) ~ ('<' | e) ~ ('<b>' | safe)", "foo...&lt;<b>"},
      {"[i is odd, s is string, d is mapping, l is iterable, n is none, true is integer, 5 is divisibleby 5]",
       "[True, True, True, True, True, False, True]"},
      {"[missing is undefined, 1 is sameas 1, i is in [7], 'upper' is filter, x is float, s is sequence]",
       "[True, True, True, True, True, True]"},
  });
}

TEST_CASE("statements, and which variable a name means") {
  check_rendered({
      {"{% for x in l %}{{ loop.index }}/{{ loop.length }}:{{ x }}{{ ',' if not loop.last }}{% endfor %}",
       "1/3:3,2/3:1,3/3:2"},
      {"{% for x in l if x != 1 %}{{ loop.index }}{{ x }}{{ loop.revindex0 }} {% endfor %}", "131 220 "},
      {"{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{% endfor %}", "<3>13<1>21<2>"},
      {"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
      {"{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "32"},
      {"{% for x in l %}{{ x }}{% if x == 1 %}{% break %}{% endif %}{% endfor %}", "31"},
      {"{% for x in [1, 2] %}{% continue %}{% else %}all{% endfor %}", "all"},
      {"{% for k, v in d.items() if k != 'a' %}{{ k }}={{ v }};{% endfor %}", "b=1;items=5;"},
      {"{% for x in nested recursive %}[{{ loop(x) if x is iterable else x }}]{% endfor %}", "[[1][[2]]][[3]]"},
      {"{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "3121"},
      {"{% if false %}{% set i = 2 %}{% endif %}{{ i }}", "7"},
      {"{% for q in [1] %}{{ i }}{% endfor %}{% set i = 2 %}{{ i }}", "2"},
      {"{% set ns = namespace(c=0) %}{% for q in l %}{% set ns.c = ns.c + q %}{% endfor %}{{ ns.c }}", "6"},
      {"{% set a, b = 1, [2] %}{{ a }}{{ b }}{% set c %}in {{ a }}{% endset %}{{ c | upper }}", "1[2]IN 1"},
      {"{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, c=9) }}{{ m() }}",
       "121;129;2;"},
      {"{% macro m() %}{{ q }}{{ varargs }}{{ kwargs }}{% endmacro %}{% set q = 5 %}{{ m(1, z=2) }}", "5(1,){'z': 2}"},
      {"{% macro m() %}<{{ caller('x') }}>{% endmacro %}{% call(a) m() %}in {{ a }}{{ i }}{% endcall %}", "<in x7>"},
      {"{% macro m(k) %}{% if k %}{{ k }}{{ m(k - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "321"},
      {"{% filter replace('a', 'b') | upper %}a{{ s }}{% endfilter %}", "BHELLO WORLD"},
      {"{% with a = 1, b = i %}{{ a }}{{ b }}{% endwith %}{{ a }}", "17"},
      {"{% generation %}{{ i }}{% set i = 9 %}{{ i }}{% endgeneration %}{{ i }}", "797"},
      {"{% set j = joiner() %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "3, 1, 2"},
      {"{% set it = l | map('string') %}{{ it | list }}{{ it | list }}", "['3', '1', '2'][]"},
      {"{% if false %}{{ s | no_such_filter }}{% endif %}ok", "ok"},
      {"{{ tools }}{{ documents is none }}", "NoneTrue"},
  });
}

TEST_CASE("the clock is passed in") {
  TemplateOptions options;
  options.now = io::CivilTime{2026, 11, 23, 14, 5, 9};
  CHECK(rendered("{{ strftime_now('%Y-%m-%d %d %b %Y %A %B %j %I:%M:%S %p %y %-m %U %V %%') }}", options) ==
        "2026-11-23 23 Nov 2026 Monday November 327 02:05:09 PM 26 11 47 48 %");
  CHECK(rendered("{{ strftime_now is defined }}") == "False");
  options.now = io::CivilTime{2026, 2, 29, 0, 0, 0};
  CHECK(wrong("{{ strftime_now('%Y') }}", options) ==
        "[template t:1] strftime_now: found no date and time that exists");
}

TEST_CASE("errors name template and line") {
  const Table table = {
      {"a\n{{ missing.role }}", "2] .role: found \"missing\", which is undefined, expected a value that has it"},
      {"{{ messages[0].tool.name }}", "1] .name: found no \"tool\" in a dict, expected a value that has it"},
      {"{{ 'a' + 1 }}", "1] +: found a string and an integer, expected two numbers, strings or lists"},
      {"{{ 'a' + missing }}",
       "1] +: found a string and \"missing\", which is undefined, expected two numbers, strings or lists"},
      {"{{ l.append(1) }}", "1] call: found \"append\", which may not be used on a list, expected a function"},
      {"{{ s.__class__.x }}",
       "1] .x: found \"__class__\", which may not be used on a string, expected a value that has it"},
      {"{% set d.x = 1 %}", "1] set d.x: found a dict, expected a namespace"},
      {"\n\n{{ raise_exception('boom') }}", "3] raise_exception: boom"},
      {"{% for x in 5 %}{% endfor %}", "1] iteration: found an integer, expected a sequence"},
      {"{{ missing | tojson }}", "1] tojson: found \"missing\", which is undefined, expected what JSON has"},
      {"{{ 1 < 'a' }}", "1] <: found an integer and a string, expected values that have an order"},
      {"{{ 1 // 0 }}", "1] division by zero"},
      {"{{ 2 ** 200 }}", "1] **: the integer has more than 127 bits"},
      {"{{ n | length }}", "1] length: found none, expected what has a length"},
      {"{{ s | trim(1, 2) }}", "1] strip: found 2 arguments, expected at most 1"},
      {"{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "1] macro m: found unknown argument \"b\""},
      {"{{ s | nope }}", "1] there is no filter \"nope\""},
      {"{{ s is nope }}", "1] there is no test \"nope\""},
      {"{% if i %}", "1] if of line 1: found no endif"},
      {"{% include 'x' %}", "1] include: templates cannot read or extend others here"},
      {"{% nope %}",
       "1] found tag \"nope\", expected one of for, if, set, macro, call, filter, with, raw, generation, "
       "break, continue"},
      {"{{ a b }}", "1] found \"b\", expected '}}'"},
      {"{{ 'a }}", "1] found a string without its end"},
      {"{{ (1 }}", "1] found '}' without its other half"},
      {"{% break %}", "1] break: found it outside of a loop"},
      {"{{ s @ 1 }}", "1] found '@' (U+0040), expected what an expression has"},
      {"{% set none = 1 %}", "1] found a value, expected a name to assign to"},
      {"\xff", "1] a text that is not UTF-8: found \"\xff\" at byte 0"},
  };
  for (const auto& [source, expected] : table) {
    INFO(source);
    CHECK(wrong(source) == "[template t:" + expected);
  }
  CHECK(error_of([] { ChatTemplate("").render(Json(1)); }) == "[chat template] found an integer, expected an object");
  CHECK(error_of([] {
          ChatTemplate("").render(Json::object({{"a", "\xff"}}));
        }) == "[template chat_template:1] a text that is not UTF-8: found \"\xff\" at byte 0");
}

TEST_CASE("hostile templates end at a limit") {
  const auto nested = [](std::string_view open) {
    std::string text = "{{ ";
    for (int i = 0; i < 20000; ++i) text += open;
    return text + "1 }}";
  };
  for (const std::string& source : {nested("not "), nested("-"), nested("1 + "), nested("1 if 1 else ")})
    CHECK(wrong(source).find("too deep") != std::string::npos);
  const std::string ns = "{% set ns = namespace(x=['a'], y='a') %}{% for a in range(100000) %}";
  const Table table = {
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "too many steps"},
      {ns + "{% set ns.y = ns.y ~ ns.y %}{% endfor %}", "text too long"},
      {ns + "{% set ns.x = ns.x + ns.x %}{% endfor %}", "too much text"},
      {ns + "{% set ns.x = [ns.x] %}{% endfor %}", "values nested too deep"},
      {ns + "{% set ns.x = ns.x | map('string') %}{% endfor %}", "values nested too deep"},
      {"{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
       "too many steps"},
      {"{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}", "nested too deep"},
      {"{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "calls nested too deep"},
      {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "calls nested too deep"},
      {"{{ 'a' * 1000000000000 }}", "too much text"},
      {"{{ 'a'.center(1000000000) }}", "too large"},
      {"{{ '{:1000000000}'.format(5) }}", "format: found width"},
      {"{{ range(1000000) }}", "too many elements"},
      {"{% for a in range(100000) %}{{ 'abcdefgh' * 100 }}{% endfor %}", "output too long"},
      {"{% set s = ' ' * 2000000 %}{% for a in range(100000) %}{% set q = s.strip() %}{% endfor %}", "too much text"},
  };
  for (const auto& [source, expected] : table) {
    INFO(source);
    CHECK(wrong(source).find(expected) != std::string::npos);
  }
  TemplateOptions options;
  options.limits = {.steps = 100, .depth = 2, .output = 10, .bytes = 10000};
  CHECK(wrong("{{ s }}", options) == "[template t:1] output too long: expected at most 10 bytes");
}
