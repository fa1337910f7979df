"""What llama.cpp makes of texts and conversations with the vocabulary and the template of a GGUF file.

    python llama_cpp.py CORPUS OUT NAME=FILE.gguf …

CORPUS is a file of {"text": …} lines; what is longer than 60 bytes is left out. Each file's ids are written to OUT/NAME.json: of every
text with special tokens parsed, the same with what stands around a text, and of whole conversations through the file's template.
Made with xllamacpp 2026.10.11549, whose server is asked, and gguf 0.19.0.
"""

import json
import sys
import urllib.request
from pathlib import Path

import gguf
import xllamacpp

TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello, what about people in shops?"},
    {"role": "user", "content": " Two  blanks,\nand 人人 "},
]
TALKS = [TALK[:1], TALK, [{"role": "system", "content": "Be brief."}] + TALK]
MARKED = ["{0}user\nhi{1}\n{0}assistant\n", "a{0}b", "a {1} b", "a  {0}  b", "{0}", " {1}", "{0}{1}\n", "x\n\n{1}y"]
MARKS = {"gemma3-270m": ("<start_of_turn>", "<end_of_turn>")}


def ask(server, path, **body):
    request = urllib.request.Request(
        server.listening_address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def main():
    corpus, out = Path(sys.argv[1]), Path(sys.argv[2])
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    texts = [text for text in texts if len(text.encode()) <= 60]
    for argument in sys.argv[3:]:
        name, file = argument.split("=", 1)
        params = xllamacpp.CommonParams()
        params.model.path = file
        params.n_ctx, params.n_parallel, params.use_jinja = 512, 1, True
        server = xllamacpp.Server(params)
        ids = lambda text, special: ask(server, "/tokenize", content=text, add_special=special, parse_special=True)["tokens"]
        marks = MARKS.get(name, ("<|im_start|>", "<|im_end|>"))
        rows = [[text, ids(text, False), ids(text, True)] for text in texts + [text.format(*marks) for text in MARKED]]
        prompt = lambda talk: ask(server, "/apply-template", messages=talk)["prompt"]
        # A file without a template has none of its own to compare: llama.cpp then takes ChatML, whatever the model.
        has_template = "tokenizer.chat_template" in gguf.GGUFReader(file).fields
        chats = [[talk, ids(prompt(talk), True)] for talk in TALKS] if has_template else []
        case = {"by": f"llama.cpp (xllamacpp {xllamacpp.__version__})", "vocabulary": name,
                "file": Path(file).name, "tokenizer_config": {}, "added_tokens": {}}
        head = json.dumps(case, ensure_ascii=False)[:-1]
        lines = lambda rows: ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        Path(out, f"{name}.gguf.json").write_text(f'{head},\n"texts": [\n{lines(rows)}\n],\n"chats": [\n{lines(chats)}\n]}}\n')
        print(name, len(rows), len(chats), flush=True)


main()
