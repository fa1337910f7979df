"""Conversations as published templates make prompts of them, for families whose own form is written anew from one:
`python genuine.py SOURCE > ../../conversations/texts.json`, where SOURCE is llama.cpp's as llama-cpp-python 0.3.36 carries it,
in whose models/templates they are.

Versions: transformers 5.24.0, jinja2 3.1.6. A conversation that a template refuses is null.
"""

import json
import sys
from pathlib import Path

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

from make import CONVERSATIONS, turns, under

assert (transformers.__version__, jinja2.__version__) == ("5.24.0", "3.1.6")
TEMPLATES = Path(sys.argv[1]) / "models/templates"
# A case of the family → its published template, and what BOS is called.
CASES = {
    "phi3/base": ("microsoft-Phi-3.5-mini-instruct", "<s>"),
    "qwen3/base": ("Qwen-Qwen3-0.6B", None),
    "qwen3-moe/base": ("Qwen-Qwen3-0.6B", None),
    "qwen3.5/base": ("Qwen3.5-4B", None),
    "qwen3.5-moe/base": ("Qwen3.5-4B", None),
    "glm4.5/base": ("GLM-4.6", None),
    "glm4.7-flash/base": ("GLM-4.7-Flash", None),
    "gemma4/dense": ("google-gemma-4-31B-it", "<bos>"),
}
THOUGHT = "<think>\n\nhm, </think>\n\n So. "
MORE = {
    "thinking on": {"messages": turns("Hi"), "enable_thinking": True},
    "thinking off": {"messages": turns("Hi", "Hello.", "Why?/nothink", "So.", "Bye"), "enable_thinking": False},
    "thinking on, under a system text": {"messages": under(" Be brief. ", turns("Hi")), "enable_thinking": True},
    "thought in an answer": {"messages": turns("Hi", THOUGHT, "Why?")},
    "thought in the last answer": {"messages": turns("Hi", THOUGHT)},
    "no thought in the last answer": {"messages": turns("Hi", "\nSo.")},
    "thought beside an answer": {"messages": [*turns("Hi"), {"role": "assistant", "content": "So.", "reasoning_content": "\nhm\n"}, *turns("Why?")]},
    "thought beside the last answer": {"messages": [*turns("Hi"), {"role": "assistant", "content": "So.", "reasoning_content": "\nhm\n"}]},
    "thought in a channel": {"messages": turns("Hi", "<|channel>thought\nhm\n<channel|> So. ", "Why?")},
    "two answers": {"messages": [*turns("Hi", "One"), {"role": "assistant", "content": "Two"}, *turns("Why?")]},
    "what was thought is kept": {"messages": turns("Hi", THOUGHT, "Why?"), "clear_thinking": False},
}  # fmt: skip


def rendered(template, bos, said):
    try:
        return template.render(tools=None, documents=None, bos_token=bos, add_generation_prompt=True, **said)
    except Exception as error:  # whatever it is, the user gets no prompt
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return None


def main():
    said = {name: {"messages": messages} for name, messages in CONVERSATIONS.items()} | MORE
    prompts = {}
    for case, (name, bos) in CASES.items():
        template = _compile_jinja_template((TEMPLATES / f"{name}.jinja").read_text())
        prompts[case] = {of: rendered(template, bos, words) for of, words in said.items()}
    json.dump({"conversations": said, "prompts": prompts}, sys.stdout, ensure_ascii=False, indent=1)
    print()


main()
