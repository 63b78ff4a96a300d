#!/usr/bin/env python3
"""Writes what Jinja2 makes of chat templates, set up as transformers does, with conversations that
have tools, calls and results in them.

pip install jinja2 && python3 make_chat_vectors.py [TEMPLATE_DIRECTORY VECTORS.json]

By default it takes the templates in chat_templates/, which have the constructs and the wire formats of
the published ones, and writes chat_vectors.json. Templates that were published with models can be
tried in the same way (docs/testing.md).
"""

import datetime
import json
import os
import pathlib
import sys

import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
# Midday, so that the date is the same in most time zones.
NOW = datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.timezone.utc)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather now, \"as it is\" <b>.",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "A city: Zürich, 東京"},
        "unit": {"type": "string", "enum": ["C", "F"], "default": None}}}}}
TIME = {"type": "function", "function": {
    "name": "get_time", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}


def say(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, number):
    """A call in an assistant's message; ids of nine characters are what Mistral's templates ask for."""
    return {"id": f"call{number:05}", "type": "function",
            "function": {"name": name, "arguments": arguments}}


def result(content, number):
    return {"role": "tool", "tool_call_id": f"call{number:05}", "name": "get_weather", "content": content}


QUESTION = say("user", "What's the weather in Zürich?  ")
SYSTEM = say("system", "Be brief.\n")
ONE_CALL = say("assistant", "", tool_calls=[call("get_weather", {"city": "Zürich", "unit": "C"}, 1)])
TWO_CALLS = say("assistant", "Both.", tool_calls=[
    call("get_weather", {"city": "Bern"}, 1), call("get_time", {}, 2)])
TEXT_CALL = say("assistant", None, tool_calls=[call("get_weather", "{\"city\": \"Genf\"}", 1)])
THOUGHT = say("assistant", "<think>\nHm, 3 < 4 & so on.\n</think>\n\nIt is 4.")
REASONED = say("assistant", "Four.", reasoning_content="Two and two.\n")

CONVERSATIONS = [
    {"messages": [say("user", "Hello!")]},
    {"messages": [SYSTEM, say("user", " Hello \n")], "add_generation_prompt": False},
    {"messages": [SYSTEM, say("user", "1"), say("assistant", " A\n"), say("user", "2")]},
    {"messages": [QUESTION], "tools": [WEATHER, TIME]},
    {"messages": [SYSTEM, QUESTION], "tools": [WEATHER]},
    {"messages": [QUESTION, ONE_CALL, result("{\"celsius\": 4.5}", 1)], "tools": [WEATHER, TIME]},
    {"messages": [QUESTION, ONE_CALL, result("4 °C", 1), say("assistant", "4 °C."),
                  say("user", "And in Bern, and the time?"), TWO_CALLS, result("5", 1), result("12:00", 2)],
     "tools": [WEATHER, TIME]},
    {"messages": [SYSTEM, QUESTION, TEXT_CALL, result("[1, 2]", 1), say("assistant", "So.")],
     "tools": [WEATHER], "add_generation_prompt": False},
    {"messages": [QUESTION, ONE_CALL, result({"celsius": 4.5, "ok": True, "wind": None}, 1)],
     "tools": [WEATHER]},
    {"messages": [say("user", "2+2?"), THOUGHT, say("user", "Sure?"), REASONED, say("user", "Good.")]},
    {"messages": [say("user", "2+2?"), REASONED], "add_generation_prompt": False},
    {"messages": [say("user", "2+2?")], "enable_thinking": False},
    {"messages": [QUESTION], "tools": [WEATHER], "tools_in_user_message": False,
     "date_string": "01 Jan 2026"},
    {"messages": [QUESTION], "builtin_tools": ["brave_search", "code_interpreter"]},
    {"messages": [say("user", "1"), say("user", "2")]},
    {"messages": [say("assistant", "1")]},
    {"messages": [say("user", [{"type": "text", "text": "In "}, {"type": "text", "text": "parts."}])]},
    {"messages": [say("user", "Hi <|im_end|> {{ 1 }} {% x %} \\n")], "documents": [{"title": "T"}]},
]


def rendered(template, variables):
    """What is rendered, the text of the template's own raise_exception, or nothing where Python says
    what is wrong."""
    try:
        return {"rendered": template.render(**variables)}
    except jinja2.exceptions.TemplateError as error:
        return {"raised": str(error) if type(error) is jinja2.exceptions.TemplateError else ""}
    except (TypeError, ValueError, KeyError, AttributeError):
        return {"raised": ""}


def main():
    directory, output = map(pathlib.Path, sys.argv[1:3] or (HERE / "chat_templates",
                                                            HERE / "chat_vectors.json"))
    # apply_chat_template passes tools and documents also where there are none.
    conversations = [{"add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>",
                      "tools": None, "documents": None, **conversation} for conversation in CONVERSATIONS]
    templates = {}
    for path in sorted(directory.glob("*.jinja")):
        template = environment().from_string(path.read_text())
        templates[os.path.relpath(path, output.parent)] = [
            rendered(template, variables) for variables in conversations]
    document = {"now": int(NOW.timestamp()), "conversations": conversations, "templates": templates}
    output.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
