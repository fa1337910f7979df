"""What transformers makes of vocabularies as people have them: a folder, what stands beside the vocabulary, texts, ids.

    python make.py VOCABULARIES OUT

VOCABULARIES is the folder of real vocabularies (llama2/, yi/, … with a tokenizer.model each); the small ones of
crates/tokenizers/tests/data are used where the case says so. Each case is written to OUT/NAME.json.
Made with transformers 4.57.6, tokenizers 0.22, sentencepiece 0.2.1 (slow = LlamaTokenizer, fast = AutoTokenizer).
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import transformers

VOCABULARIES, OUT = Path(sys.argv[1]), Path(sys.argv[2])
SMALL = Path(__file__).parents[3] / "crates/tokenizers/tests/data"

PLAIN = [
    "", " ", "a", " a", "  a", "a ", "▁a", "Hello, world!", " Leading", "two  blanks", "\n", "a\nb\n", "\tx", "人人生而自由",
    "naïve café 👍🏽", "people in shops", "philosophy",
]
BESIDE = [
    "a</s>b", "a</s> b", "a </s> b", "a  </s>  b", "</s>", " </s>", "</s> ", "<s>", "<s>a", "<s> a", "a<s>", "a</s></s>b",
    "</s><s>[INST] hi [/INST]", "<s>[INST] hi [/INST] hello </s><s>[INST] more? [/INST]", "x</s>\ny", "</s>\n", "a<unk>b",
    "< s>", "</s", "人</s>人", "</s>人", "</s>👍🏽",
]
CHATML = [
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n", "a<|im_start|>b", "a <|im_start|> b", "a  <|im_end|>  b",
    "<|im_start|>", " <|im_start|>", "<|im_end|>\n", "x<|im_end|></s>", "<|im_start|><|im_end|>", "\n<|im_start|>\n",
    "say <tool> now", "say<tool>now", "<tool>", " <tool> ", "a <tool>b", "tools <word> wordy", "<word>s", "a<word> b",
]


def token(content, **flags):
    known = dict(lstrip=False, normalized=False, rstrip=False, single_word=False, special=True)
    return dict(known, content=content, **{}) | flags


def decoder(first, **flags):
    return {
        str(first): token("<|im_start|>"),
        str(first + 1): token("<|im_end|>"),
        str(first + 2): token("<tool>", special=False, **flags),
        str(first + 3): token("<word>", special=False, single_word=True),
    }


LLAMA = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
GEMMA = {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}


def cases():
    """Name, family, vocabulary, which class, tokenizer_config.json, added_tokens.json, texts."""
    for name, vocabulary, size in [("llama2", "llama2", 32000), ("small", "bpe.model", None)]:
        texts = PLAIN + BESIDE
        yield name, "llama2", vocabulary, "slow", None, None, texts
        yield name + "-legacy", "llama2", vocabulary, "slow", LLAMA | {"legacy": True}, None, texts
        yield name + "-new", "llama2", vocabulary, "slow", LLAMA | {"legacy": False}, None, texts
        yield name + "-no-prefix", "llama2", vocabulary, "fast", LLAMA | {"add_prefix_space": False, "legacy": False}, None, [
            text for text in texts if text != " </s>"
        ]
        yield name + "-eos", "llama2", vocabulary, "slow", LLAMA | {"add_bos_token": True, "add_eos_token": True}, None, texts[:4]
        yield name + "-bare", "llama2", vocabulary, "slow", LLAMA | {"add_bos_token": False}, None, texts[:4]
        if size is None:
            size = SMALL_SIZE
        many = PLAIN + BESIDE + CHATML
        yield name + "-chatml", "llama2", vocabulary, "fast", LLAMA | {"added_tokens_decoder": decoder(size)}, None, many
        flags = decoder(size, lstrip=True, rstrip=True)
        yield name + "-strip", "llama2", vocabulary, "fast", LLAMA | {"added_tokens_decoder": flags}, None, many
        flags = decoder(size, normalized=True)
        yield name + "-normalized", "llama2", vocabulary, "fast", LLAMA | {"added_tokens_decoder": flags}, None, many
        flags = {"added_tokens_decoder": decoder(size), "legacy": False}
        yield name + "-chatml-new", "llama2", vocabulary, "fast", LLAMA | flags, None, many
        added = {"<|im_start|>": size, "<|im_end|>": size + 1}
        yield name + "-added", "llama2", vocabulary, "fast", LLAMA, added, many
        names = LLAMA | {"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}
        yield name + "-added-special", "llama2", vocabulary, "fast", names, added, many
    yi = LLAMA | {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    swap = lambda texts: [t.replace("</s>", "<|endoftext|>").replace("<s>", "<|startoftext|>") for t in texts]
    yield "yi", "yi", "yi", "slow", yi | {"add_bos_token": False}, None, PLAIN + swap(BESIDE)
    yield "minicpm", "minicpm", "minicpm2b", "slow", LLAMA, None, PLAIN + BESIDE + ["<用户>hi<AI>", "<用户> hi <AI>a</s>"]
    # The vocabulary has the first two already, at 6 and 7, which counts; transformers numbers the others on from its end.
    there = dict(sorted(zip(["64002", "64003", "64000", "64001"], decoder(0).values())))
    yield "yi-added", "yi", "yi", "fast", yi | {"add_bos_token": False, "added_tokens_decoder": there}, None, PLAIN + swap(BESIDE) + CHATML
    yield "minicpm-added", "minicpm", "minicpm2b", "fast", LLAMA | {"added_tokens_decoder": decoder(122753)}, None, PLAIN + BESIDE + CHATML


def tokenizer(folder, which):
    if which == "slow":
        return transformers.LlamaTokenizer.from_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


import sentencepiece

SMALL_SIZE = sentencepiece.SentencePieceProcessor(model_file=str(SMALL / "bpe.model")).get_piece_size() if (SMALL / "bpe.model").is_file() else 0

OUT.mkdir(parents=True, exist_ok=True)
for name, family, vocabulary, which, config, added, texts in cases():
    source = SMALL / vocabulary if vocabulary.endswith(".model") else VOCABULARIES / vocabulary / "tokenizer.model"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(source, f"{folder}/tokenizer.model")
        Path(folder, "config.json").write_text('{"model_type": "llama"}')
        if config is not None:
            Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
        if added is not None:
            Path(folder, "added_tokens.json").write_text(json.dumps(added))
        t = tokenizer(folder, which)
        rows = [[text, t(text, add_special_tokens=False)["input_ids"], t(text)["input_ids"]] for text in texts]
    case = {
        "by": f"transformers {transformers.__version__} {type(t).__name__}",
        "family": family,
        "vocabulary": vocabulary,
        "tokenizer_config": config or {},
        "added_tokens": added or {},
    }
    head = json.dumps(case, ensure_ascii=False)[:-1]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    Path(OUT, name + ".json").write_text(f'{head},\n"texts": [\n{lines}\n]}}\n')
    print(name, len(rows), flush=True)
