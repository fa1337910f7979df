"""Conversations and texts as the released code of a family makes ids of them, with sentencepiece and tiktoken alone.

    python chats.py VOCABULARIES ASSETS OUT

What stands here of a family's code is in its function's comment. sentencepiece 0.2.1, tiktoken 0.12.
"""

import base64
import json
import re
import sys
import unicodedata
from pathlib import Path

import sentencepiece
import tiktoken

VOCABULARIES, ASSETS, OUT = map(Path, sys.argv[1:4])

TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello, what about people in shops?"},
    {"role": "user", "content": " Two  blanks,\nand 人人 "},
]
TALKS = [
    TALK[:1],
    TALK,
    [{"role": "user", "content": "say <s>, </s>, [gMASK], sop, eop, <|user|> and <reserved_106>"}],
    TALK + [{"role": "assistant", "content": "Ça va."}, {"role": "user", "content": "philosophy"}],
]
TEXTS = ["", "Hi", " Hi", "people in shops eat philosophy", "[gMASK]sop<|user|>\n Hi", "sop eop", "人人 👍🏽", "a</s>b", "\n"]


def model(name, file="tokenizer.model"):
    return sentencepiece.SentencePieceProcessor(model_file=str(VOCABULARIES / name / file))


def write(name, by, family, vocabulary, texts, chats, config=None, file="tokenizer.model", tokenizer_config={}):
    case = {
        "by": by, "family": family, "vocabulary": vocabulary, "file": file, "config": config or {},
        "tokenizer_config": tokenizer_config, "added_tokens": {},
    }
    head = json.dumps(case, ensure_ascii=False)[:-1]
    rows = lambda rows: ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (OUT / f"{name}.json").write_text(f'{head},\n"texts": [\n{rows(texts)}\n],\n"chats": [\n{rows(chats)}\n]}}\n')
    print(name, len(texts), len(chats))


def chatglm2():
    """tokenization_chatglm.py of chatglm2-6b: [gMASK] sop before the ids of the text; build_prompt numbers the rounds."""
    spm = model("chatglm2")
    frame = [64790, 64792]

    def prompt(talk):
        text = ""
        for at in range(0, len(talk) - 1, 2):
            text += f"[Round {at // 2 + 1}]\n\n问：{talk[at]['content']}\n\n答：{talk[at + 1]['content']}\n\n"
        return text + f"[Round {len(talk) // 2 + 1}]\n\n问：{talk[-1]['content']}\n\n答："

    texts = [[text, spm.encode(text), frame + spm.encode(text)] for text in TEXTS]
    chats = [[talk, frame + spm.encode(prompt(talk))] for talk in TALKS]
    write("chatglm2", "released code, sentencepiece", "chatglm2", "chatglm2", texts, chats)


def chatglm3():
    """tokenization_chatglm.py of chatglm3-6b: build_chat_input joins a role's id, the ids of "\\n", those of the content."""
    spm = model("chatglm2")
    frame = [64790, 64792]
    roles = {"system": 64794, "user": 64795, "assistant": 64796, "observation": 64797}
    texts = [[text, spm.encode(text), frame + spm.encode(text)] for text in TEXTS]
    chats = []
    for talk in TALKS + [[{"role": "system", "content": "Be brief."}] + TALK]:
        ids = list(frame)
        for message in talk:
            ids += [roles[message["role"]]] + spm.encode("\n") + spm.encode(message["content"])
        chats.append([talk, ids + [roles["assistant"]]])
    write("chatglm3", "released code, sentencepiece", "chatglm3", "chatglm2", texts, chats)


def parting(spm, special):
    """The ids of a text as a slow class makes them: parted at the special tokens, each part by sentencepiece."""
    def encode(text):
        ids = []
        for part in re.split("(" + "|".join(map(re.escape, special)) + ")", text):
            ids += [special[part]] if part in special else spm.encode(part) if part else []
        return ids

    return encode


def minicpm3():
    """tokenizer_config.json of MiniCPM3-4B: a slow class of its own (auto_map), BOS, tokens beyond the vocabulary."""
    config = json.loads((VOCABULARIES / "minicpm3" / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    special = {token["content"]: int(id) for id, token in config["added_tokens_decoder"].items()}
    encode = parting(model("minicpm3"), special)
    texts = TEXTS + ["a<|im_end|>b", " <|im_start|> a", "<|im_start|>user\nHi<|im_end|>\n", "say <|fim_prefix|>x"]
    texts = [[text, encode(text), [1] + encode(text)] for text in texts]
    write("minicpm3", "released code, sentencepiece", "minicpm3", "minicpm3", texts, [], {}, tokenizer_config=config)


def baichuan(version, name):
    """generation_utils.py: the token 195 or 196, then the ids of the content; no BOS. Its class is a slow one of transformers,
    which parts a text at its special tokens, in a message too."""
    encode = parting(model(name), {"<unk>": 0, "<s>": 1, "</s>": 2})
    system = [{"role": "system", "content": "Be brief."}]
    chats = []
    for talk in TALKS + [system + TALK]:
        ids = []
        for message in talk:
            ids += {"system": [], "user": [195], "assistant": [196]}[message["role"]] + encode(message["content"])
        chats.append([talk, ids + [196]])
    texts = [[text, encode(text), encode(text)] for text in TEXTS]
    write(name, "released code, sentencepiece", name, name, texts, chats)


def llama2():
    """generation.py of github.com/meta-llama/llama: BOS, a round's text, EOS, as ids."""
    spm = model("llama2")
    chats = []
    for talk in (TALKS[0], TALKS[1], TALKS[3]):
        ids = []
        for at in range(0, len(talk) - 1, 2):
            question, answer = talk[at]["content"].strip(), talk[at + 1]["content"].strip()
            ids += [1] + spm.encode(f"[INST] {question} [/INST] {answer} ") + [2]
        ids += [1] + spm.encode(f"[INST] {talk[-1]['content'].strip()} [/INST]")
        chats.append([talk, ids])
    write("llama2-chat", "generation.py, sentencepiece", "llama2", "llama2", [], chats)


def yi():
    """ChatML with the six user-defined pieces of the vocabulary; the text is encoded as a whole."""
    spm = model("yi")
    chats = []
    for talk in TALKS[:2]:
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in talk) + "<|im_start|>assistant\n"
        chats.append([talk, spm.encode(text)])
    write("yi-chat", "sentencepiece", "yi", "yi", [], chats)


def ranks(path, pattern, specials):
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    tokens = {base64.b64decode(token): int(rank) for token, rank in lines}
    return tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=tokens, special_tokens=specials)


GPT4 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""


def glm4():
    """tokenization_chatglm.py of glm-4-9b; its template as published."""
    names = "<|endoftext|> [MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|>".split()
    specials = {name: 151329 + at for at, name in enumerate(names)}
    encoding = ranks(VOCABULARIES / "glm4/tokenizer.model", GPT4, specials)
    encode = lambda text: encoding.encode(text, allowed_special="all")
    frame = encode("[gMASK]<sop>")
    texts = [[text, encode(text), frame + encode(text)] for text in TEXTS + ["a<|user|>b", " <|user|> \n", "12345"]]
    chats = []
    for talk in TALKS[:2]:
        text = "[gMASK]<sop>" + "".join(f"<|{m['role']}|>\n{m['content']}" for m in talk) + "<|assistant|>"
        chats.append([talk, encode(text)])
    write("glm4", "tiktoken", "glm4", "glm4", texts, chats)


def llama3():
    """llama_models/llama3/tokenizer.py and chat_format.py."""
    path = ASSETS / "llama3/tokenizer.model"
    if not path.is_file():
        return print("llama3: not at hand")
    names = {"<|begin_of_text|>": 128000, "<|end_of_text|>": 128001, "<|start_header_id|>": 128006, "<|end_header_id|>": 128007, "<|eot_id|>": 128009}
    encoding = ranks(path, GPT4, names)
    encode = lambda text: encoding.encode(text, allowed_special="all")
    texts = [[text, encode(text), [128000] + encode(text)] for text in TEXTS + ["a<|eot_id|>b", " <|eot_id|> \n", "12345"]]
    chats = []
    for talk in TALKS[:2]:
        header = lambda role: f"<|start_header_id|>{role}<|end_header_id|>\n\n"
        text = "<|begin_of_text|>" + "".join(header(m["role"]) + m["content"].strip() + "<|eot_id|>" for m in talk)
        chats.append([talk, encode(text + header("assistant"))])
    write("llama3", "tiktoken", "llama3", "llama3", texts, chats)


def qwen1():
    """tokenization_qwen.py and qwen_generation_utils.py of Qwen-7B."""
    path = ASSETS / "qwen1/qwen.tiktoken"
    if not path.is_file():
        return print("qwen1: not at hand")
    names = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645, "<|extra_0|>": 151646, "<|extra_204|>": 151850}
    encoding = ranks(path, GPT4.replace("{1,3}", ""), names)
    encode = lambda text: encoding.encode(unicodedata.normalize("NFC", text), allowed_special="all")
    texts = [[text, encode(text), encode(text)] for text in TEXTS + ["a<|im_end|>b", "<|extra_204|>x", "12345", "e\u0301"]]
    chats = []
    for talk in TALKS[:2]:
        talk = [{"role": "system", "content": "You are a helpful assistant."}] + talk
        text = "\n".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>" for m in talk)
        chats.append([talk, encode(text + "\n<|im_start|>assistant\n")])
    write("qwen1", "tiktoken", "qwen1", "qwen1", texts, chats, file="qwen.tiktoken")


OUT.mkdir(parents=True, exist_ok=True)
chatglm2()
chatglm3()
minicpm3()
baichuan(1, "baichuan1")
baichuan(2, "baichuan2")
llama2()
yi()
glm4()
llama3()
qwen1()
