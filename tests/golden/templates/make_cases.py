#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the renderings beside this script were made: with Jinja, set up as `transformers` does it.

    pip install jinja2 && python3 tests/golden/templates/make_cases.py

Writes NAME.json for each NAME.jinja; neither the build nor the tests need it. A conversation that a template refuses by
raise_exception becomes an "error"; one that it cannot render in any other way is left out.
"""
import datetime
import json
import pathlib

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).resolve().parent
NOW = "2026-11-23 12:00:00"
BOS, EOS = "<s>", "</s>"

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "Wetter für \"heute\" <&>",
    "parameters": {"type": "object", "required": ["city"],
                   "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}}}}
CLOCK = {"type": "function", "function": {
    "name": "clock", "description": "line\nline", "parameters": {"type": "object", "required": [], "properties": {}}}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


CALL = assistant("", tool_calls=[{"type": "function", "function": {
    "name": "weather", "arguments": {"city": "Köln", "days": 2, "scale": 0.5, "near": None, "all": True}}}])
RESULT = {"role": "tool", "name": "weather", "content": "{\"sky\": \"☁\"}"}
THOUGHT = assistant("<think>\nTwo and two.\n</think>\n\nFour.")

INPUTS = [{"messages": messages, "add_generation_prompt": prompt, **more} for messages, prompt, more in [
    ([user("Hello")], True, {}),
    ([user("Hello"), assistant("Hi there.")], False, {}),
    ([system("Be short."), user("Hello"), assistant("Hi."), user("And now?")], True, {}),
    ([system("  Only this.  \n")], True, {}),
    ([], True, {}),
    ([user(""), assistant("  \n ")], False, {}),
    ([user("Grüße, 世界 😀 {{ 1 }} <|im_end|> {% x %}")], True, {}),
    ([user("2 + 2?"), THOUGHT], False, {}),
    ([user("2 + 2?"), THOUGHT, user("Sure?"), THOUGHT], False, {}),
    ([user("2 + 2?")], True, {"enable_thinking": False}),
    ([user("Rain?")], True, {"tools": [WEATHER, CLOCK]}),
    ([user("Rain?"), CALL, RESULT, assistant("Clouds.")], False, {"tools": [WEATHER]}),
    ([user("Rain?"), CALL, RESULT, RESULT], True, {"tools": [CLOCK, WEATHER]}),
    ([assistant("I begin."), user("No.")], True, {}),
    ([user([{"type": "text", "text": "In"}, {"type": "image"}, {"type": "text", "text": "parts"}])], True, {}),
]]


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return CallBlock(self.call_method("_run"), [], [], body).set_lineno(line)

    def _run(self, caller):
        return caller()


class Raised(Exception):
    pass


def raise_exception(message):
    raise Raised(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
ENVIRONMENT.filters["tojson"] = tojson
ENVIRONMENT.globals["raise_exception"] = raise_exception
ENVIRONMENT.globals["strftime_now"] = datetime.datetime.fromisoformat(NOW).strftime

for path in sorted(HERE.glob("*.jinja")):
    template = ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))
    cases = []
    for given in INPUTS:
        try:
            variables = {"tools": None, "documents": None, "bos_token": BOS, "eos_token": EOS, **given}
            cases.append({"input": given, "output": template.render(**variables)})
        except Raised as error:
            cases.append({"input": given, "error": str(error)})
        except (jinja2.TemplateError, TypeError):
            pass
    text = json.dumps({"bos_token": BOS, "eos_token": EOS, "now": NOW, "cases": cases}, ensure_ascii=False, indent=1)
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
