"""Writes tests/data/gguf-llamacpp.jsonl: what llama.cpp makes of texts with small vocabularies, one case for each way in which a
GGUF file may say how to. Run by hand:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install gguf==0.19.0 numpy==2.4.6 xllamacpp==2026.10.11549
    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36 && tar xzf llama_cpp_python-0.3.36.tar.gz
    /tmp/venv/bin/python tests/reference/gguf_ids.py tests/data llama_cpp_python-0.3.36/vendor/llama.cpp

llama.cpp itself comes from the wheel of xllamacpp, whose library has its C interface; the declarations of that interface
from the source distribution of llama-cpp-python. A C compiler joins the two.
"""

import ctypes
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf

DATA, SOURCE = Path(sys.argv[1]), Path(sys.argv[2])
JOINT = """
#include "llama.h"
static void quiet(enum ggml_log_level level, const char *text, void *data) { (void)level; (void)text; (void)data; }
void *joint_load(const char *path) {
    llama_log_set(quiet, 0);
    struct llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    return llama_model_load_from_file(path, params);
}
int joint_ids(void *model, const char *text, int length, int *ids, int room, int add, int parse) {
    return llama_tokenize(llama_model_get_vocab(model), text, length, ids, room, add, parse);
}
int joint_ends(void *model, int id) { return llama_vocab_is_eog(llama_model_get_vocab(model), id); }
int joint_hidden(void *model, int id) { return llama_vocab_is_control(llama_model_get_vocab(model), id); }
"""


def joint(folder):
    """The library with llama.cpp's functions, and ours that call them."""
    wheel = importlib.util.find_spec("xllamacpp").submodule_search_locations[0]
    ctypes.CDLL(f"{wheel}/xllamacpp.abi3.so", mode=ctypes.RTLD_GLOBAL)
    (folder / "joint.c").write_text(JOINT)
    include = [f"-I{SOURCE}/include", f"-I{SOURCE}/ggml/include"]
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "joint.so", folder / "joint.c", *include], check=True)
    library = ctypes.CDLL(str(folder / "joint.so"))
    library.joint_load.restype = ctypes.c_void_p
    return library


class Vocabulary:
    def __init__(self, library, folder, arrays):
        path = folder / "vocabulary.gguf"
        write(path, arrays)
        self.library, self.size = library, len(arrays["tokens"])
        self.model = ctypes.c_void_p(library.joint_load(str(path).encode()))
        assert self.model, arrays.get("pre")

    def ids(self, text, add=False, parse=False):
        data = text.encode()
        room = (ctypes.c_int * (len(data) + 16))()
        count = self.library.joint_ids(self.model, data, len(data), room, len(room), add, parse)
        assert count >= 0
        return list(room[:count])

    def where(self, asks):
        return [id for id in range(self.size) if asks(self.model, id)]


def write(path, arrays):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(arrays["model"])
    writer.add_token_list(arrays["tokens"])
    for key, add in (
        ("pre", writer.add_tokenizer_pre),
        ("scores", writer.add_token_scores),
        ("token_type", writer.add_token_types),
        ("merges", writer.add_token_merges),
    ):
        if key in arrays:
            add(arrays[key])
    for key, value in arrays.items():
        if key.endswith("_id"):
            writer.add_uint32(f"tokenizer.ggml.{key}", value)
        if key.startswith("add_"):
            writer.add_bool(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def cases():
    """Name, the file with the arrays, what is changed in them."""
    bytes_ = json.loads((DATA / "gguf.json").read_text())
    pieces = json.loads((DATA / "bpe.gguf.json").read_text())
    names = [name for split in splits() for name in split["names"]]
    for name in names:
        yield f"pre {name}", "gguf.json", {"pre": name, "add_bos_token": None}
    yield "no pre", "gguf.json", {"pre": None}
    fill = bytes_["tokens"][-12:]
    named = ["<|eot_id|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|fim_prefix|>", "<|end|>", "<|return|>",
             "<|call|>", "<|message|>", "<think>", "    ", "\t\t"]  # fmt: skip
    assert len(named) == len(fill)
    merges = [merge for merge in bytes_["merges"] if merge.replace(" ", "", 1) not in fill]
    merges = [merge for merge in merges if not set(merge.split(" ")) & set(fill)]
    tokens = bytes_["tokens"][:-12] + named
    types = bytes_["token_type"][:-12] + [1, 1, 3, 3, 1, 3, 3, 3, 3, 4, 4, 4]
    yield "names", "gguf.json", {"tokens": tokens, "merges": merges, "token_type": types}
    yield "names without types", "gguf.json", {"tokens": tokens, "merges": merges, "token_type": None}
    yield "whole words", "gguf.json", {"pre": "llama3", "merges": bytes_["merges"][:40]}

    tokens, types = pieces["tokens"][:], pieces["token_type"][:]
    yield "pieces", "bpe.gguf.json", {}
    yield "pieces, no space before", "bpe.gguf.json", {"add_space_prefix": False}
    yield "pieces, no bos, eos", "bpe.gguf.json", {"add_bos_token": False, "add_eos_token": True}
    yield "pieces, frame by default", "bpe.gguf.json", {"bos_token_id": None, "eos_token_id": None}
    yield "pieces, unknown is control", "bpe.gguf.json", {"token_type": [3] + types[1:]}
    yield "pieces without types", "bpe.gguf.json", {"token_type": None}
    yield "pieces without scores", "bpe.gguf.json", {"scores": None}
    unused = [5 if id % 3 == 0 and id > 400 else kind for id, kind in enumerate(types)]
    yield "pieces, some unused", "bpe.gguf.json", {"token_type": unused}
    spaces = ["  ", "   ", "    ", "\n\n", "<start_of_turn>", "<end_of_turn>", "<|im_end|>", "<table>", "▁▁▁▁▁"]
    tokens[-9:], types[-9:] = spaces, [4, 4, 4, 4, 3, 3, 4, 4, 4]
    for prefix in (True, False):
        change = {"tokens": tokens, "token_type": types, "add_space_prefix": prefix}
        yield f"pieces, user-defined, space before {prefix}", "bpe.gguf.json", change
    yield "merged pieces", "merged.gguf.json", {}
    yield "merged pieces, no bos, space before", "merged.gguf.json", {"add_bos_token": False, "add_space_prefix": True}
    yield "merged pieces without types", "merged.gguf.json", {"token_type": None}
    yield "pieces, another unknown", "bpe.gguf.json", {"tokens": tokens, "token_type": [3] + types[1:], "unknown_token_id": 899}


def splits():
    import tomllib

    return tomllib.loads((DATA.parent.parent / "tables/splits.toml").read_text())["split"]


TEXTS = [
    "", " ", "  ", "Hello world", "Hello  world   again    and     more", " leading", "trailing ", "a\tb\t\tc", "line\nbreak\n\n\nend\n",
    "it's I'LL we've you'RE 'tis don'T 'ſ", "1 12 123 1234 12345 3.14 1,000,000", "x=1;y+=2**3 // ok?!", "été naïve Ünïcödé",
    "e\u0301 a\u0308 decomposed", "日本語のテキスト、です。", "中文 ABC 中文", "한국어 문장", "Привет, мир!", "नमस्ते दुनिया", "สวัสดี", "🙂👍🏽 emoji",
    "a\u00a0b\u3000c\u2003d\u0085e", "\r\n\r\nx\r\n", "CamelCaseHTTPServer foo_bar", "<s>a</s> <unk>b", "<|im_start|>user\nHi<|im_end|>\n",
    "<|eot_id|>x<|fim_pad|> <|repo_name|><|file_sep|><|fim_prefix|><|end|><|return|><|call|><|message|>", "a<think>b    c\t\td     e",
    "<start_of_turn>model\n\n<end_of_turn> <table>x", "x   \n   y", "٣٤٥ ²³ Ⅷ", "…—«»“”", "foo/bar\n//baz/\n", "\u200b\ufeffz", "A" * 40, "ǅ ʼn ﬁ ß",
]  # fmt: skip


def main():
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = joint(folder)
        for case, file, change in cases():
            arrays = json.loads((DATA / file).read_text()) | change
            vocabulary = Vocabulary(library, folder, {key: value for key, value in arrays.items() if value is not None})
            made = {
                "file": file, "change": {key: value for key, value in change.items() if key != "pre"},
                "literal": [vocabulary.ids(text) for text in TEXTS],
                "parsed": [vocabulary.ids(text, add=True, parse=True) for text in TEXTS],
                "ends": vocabulary.where(library.joint_ends),
                "hidden": vocabulary.where(library.joint_hidden),
            }  # fmt: skip
            # Many names of splits give the same.
            row = rows.setdefault(json.dumps(made), made | {"cases": [], "pre": []})
            row["cases"].append(case)
            row["pre"].append(arrays.get("pre"))
    lines = [json.dumps({"texts": TEXTS}, ensure_ascii=False)]
    lines += [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows.values()]
    (DATA / "gguf-llamacpp.jsonl").write_text("\n".join(lines) + "\n")


main()
