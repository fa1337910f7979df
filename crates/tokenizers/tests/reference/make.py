"""Trains the small vocabularies in ../data and writes what the reference libraries make of hard strings.

Run by hand, only when the data is to change; the tests read what it wrote.
    python -m venv /tmp/reference && /tmp/reference/bin/pip install sentencepiece==0.2.3 tokenizers==0.23.3 tiktoken==0.14.0 protobuf==7.36.2
    /tmp/reference/bin/python make.py
The sentences are the first articles of the Universal Declaration of Human Rights, and a few lines of our own.
"""

import base64
import io
import json
import pathlib
import random
import unicodedata

import sentencepiece
import tiktoken
import tiktoken._educational
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent / "data"
SENTENCES = (HERE / "sentences.txt").read_text(encoding="utf-8").splitlines()

# A split pattern of the modern kind: contractions, words, up to three digits, punctuation, runs of newlines and spaces.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BLANKS = ["<n>", "<|tab|>"] + [f"<|blank_{n}|>" for n in range(2, 9)]
# Some rules of every sort: one to one, one to many, many to one, to a space, to nothing.
RULES = {
    "Ａ": "A", "ａ": "a", "！": "!", "１": "1", "　": " ", "\u00a0": " ", "\u200b": " ", "\ufeff": "", "\u0001": "",
    "ﬁ": "fi", "㍿": "株式会社", "①": "1", "e\u0301": "é", "u\u0308": "ü", "か\u3099": "が", "½": "1/2",
    "…": "...", "™": "TM", "\t": " ", "\n": " ", "\u1100\u1161": "가", "A\u030a": "Å",
}
IDENTITY = dict(normalization_rule_name="identity", remove_extra_whitespaces=False)
MODELS = {
    # As the Llama kind: bytes, a dummy prefix, no map, spaces kept.
    "bpe": dict(model_type="bpe", vocab_size=900, byte_fallback=True, split_digits=True,
                allow_whitespace_only_pieces=True, **IDENTITY),
    # User-defined pieces, one inside another, one with a space; no dummy prefix.
    "bpe-user": dict(model_type="bpe", vocab_size=900, byte_fallback=True, add_dummy_prefix=False,
                     user_defined_symbols=["<|im_start|>", "<|im", "\n", "\t", "  ", "free and"], **IDENTITY),
    # No bytes: what is unknown becomes <unk>. A map of its own, extra spaces removed.
    "bpe-map": dict(model_type="bpe", vocab_size=600, normalization_rule_tsv="rules.tsv", character_coverage=0.98),
    # The space goes to the end of a word, and pieces may reach over spaces.
    "bpe-suffix": dict(model_type="bpe", vocab_size=900, treat_whitespace_as_suffix=True, split_by_whitespace=False,
                       split_by_unicode_script=False, split_by_number=False, byte_fallback=True, **IDENTITY),
    # The full map of the nmt_nfkc normaliser, and pieces for blanks.
    "unigram": dict(model_type="unigram", vocab_size=900, byte_fallback=True, user_defined_symbols=BLANKS,
                    normalization_rule_name="nmt_nfkc"),
    "unigram-map": dict(model_type="unigram", vocab_size=600, normalization_rule_tsv="rules.tsv",
                        character_coverage=0.98, add_dummy_prefix=False),
    "unigram-bytes": dict(model_type="unigram", vocab_size=900, byte_fallback=True, split_digits=True, **IDENTITY),
    "unigram-suffix": dict(model_type="unigram", vocab_size=700, treat_whitespace_as_suffix=True,
                           remove_extra_whitespaces=True, normalization_rule_name="identity"),
}


def hard_strings():
    """Strings in which tokenizers go wrong, the same at every run."""
    rng = random.Random(5)
    words = [word for line in SENTENCES for word in line.split()]
    odd = list("\u0000\u0001\u0007\u001b\u007f\u0085\u00a0\u00ad\u0300\u0301\u0308\u034f\u0600\u0e33\u115f\u1160\u180e"
               "\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u2060\u2581\u3000\u3099\u309a\ufe0f\ufeff\ufffc\ufffd"
               "éÅﬁㄱ가각ᄀ①㍿ℌ½™…Ａａ１！ﾊﾟǅßıİſ𝒜𝟙👍🏽🇫🇷𐍈😀漢豈龍")
    fixed = [
        "", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", " a", "a ", " a ", "  a  b  ", "a\n b\n\n  c", "a\tb\t\tc",
        "Hello, world!", "hello", "HELLO World", "It's they've I'D WE'LL", "1", "12", "123", "1234567890", "3.14",
        "e\u0301te\u0301", "\u00e9t\u00e9", "e\u0301\u0308", "か\u3099き\u3099", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국어",
        "👩‍👩‍👧‍👦", "🇫🇷🇩🇪", "👍🏽👍", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞a̡͊͠l͟g̡͊o̸", "a\u200bb\u200cc\u200dd", "\ufeffstart", "soft\u00adhyphen",
        "㍿①½™…ﬁ", "ＡＢＣ１２３！", "ｶﾞｷﾞ", "Å Å Å", "▁", "▁▁", " ▁ ", "▁a▁b", "a▁", "<unk>", "<s>", "</s>", "<s>Hi</s>",
        "<0x0A>", "<0xE4><0xBD>", "<|im_start|>user\nHi<|im_end|>", "<|im", "<|im_", "free and equal", "free and", "freeand",
        "<n>", "<|tab|>", "<|blank_2|>", "a<n>b<|tab|>c<|blank_8|>", "<|special_0|>", "<|special_0|><|special_1|>x<|mask|>",
        "a" * 300, "ab" * 200, "aaab" * 80, " " * 200, "\n" * 50, "\t" * 30, "abc " * 60, "=" * 120, "0" * 100, "中" * 90,
        "é" * 40, "😀" * 20, "\u0301" * 20, "ا" * 50,
    ]
    # Paths of equal scores, told apart by rounding alone: what stands before decides.
    fixed += [before * times + "=" * 7 + "." * 9 for before in ("<n>", "<|blank_4|>", "a", "中") for times in (1, 2, 3, 5, 8)]
    strings = fixed + SENTENCES + [line[::2] for line in SENTENCES[:12]]
    for _ in range(60):
        strings.append("".join(rng.choice([" ", "  ", "\n", "", "\t", " "]) + rng.choice(words) for _ in range(rng.randint(1, 9))))
    for _ in range(60):
        strings.append("".join(rng.choice(odd + [" ", " ", "a", "e", "the", "中"]) for _ in range(rng.randint(1, 14))))
    for _ in range(40):
        planes = [(0, 0x7F), (0x80, 0x2FF), (0x300, 0x36F), (0x370, 0x1FFF), (0x2000, 0x33FF), (0x3400, 0xD7FF),
                  (0xE000, 0xFFFF), (0x10000, 0x1FFFF)]
        strings.append("".join(chr(rng.randint(*rng.choice(planes))) for _ in range(rng.randint(1, 20))))
    return strings


def write_lines(name, lines):
    with open(DATA / name, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def write_ids(name, strings, encode, decode):
    """One line for each string: its ids, and their text where it is not the string itself."""
    lines = []
    for text in strings:
        ids = list(encode(text))
        decoded = decode(ids)
        lines.append({"ids": ids} if decoded == text else {"ids": ids, "decoded": decoded})
    write_lines(f"{name}.ids.jsonl", lines)


def sentencepiece_models(strings):
    rules = DATA / "rules.tsv"
    rules.write_text("".join(
        " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n"
        for source, target in RULES.items()), encoding="utf-8")
    for name, options in MODELS.items():
        if "normalization_rule_tsv" in options:
            options = options | {"normalization_rule_tsv": str(rules)}
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 4), model_writer=model, hard_vocab_limit=False, num_threads=1,
            max_sentence_length=9999, minloglevel=2, **options)
        (DATA / f"{name}.model").write_bytes(model.getvalue())
        processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        write_ids(name, strings, processor.encode, processor.decode)
        write_runs(name, processor)
        if name == "bpe":
            write_gguf_of(processor)
        if name in ("bpe", "unigram-bytes"):
            write_unused(f"{name.split('-')[0]}-unused", model.getvalue(), strings)
    rules.unlink()


def write_unused(name, model, strings):
    """The same model with every seventh piece declared unused, and scores rounded so that many paths are equal."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    for id, piece in enumerate(proto.pieces):
        if piece.type == piece.NORMAL:
            piece.score = round(piece.score)
            piece.type = piece.UNUSED if id % 7 == 0 else piece.NORMAL
    (DATA / f"{name}.model").write_bytes(proto.SerializeToString())
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    write_ids(name, strings, processor.encode, processor.decode)
    write_runs(name, processor)


def write_gguf_of(processor):
    """The arrays that a GGUF file would hold of a sentencepiece model."""
    ids = range(processor.get_piece_size())
    kind = lambda id: 2 if processor.is_unknown(id) else 3 if processor.is_control(id) else 6 if processor.is_byte(id) else 1
    (DATA / "bpe.gguf.json").write_text(json.dumps({
        "model": "llama", "tokens": [processor.id_to_piece(id) for id in ids],
        "scores": [processor.get_score(id) for id in ids], "token_type": [kind(id) for id in ids],
        "bos_token_id": 1, "eos_token_id": 2,
    }, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def write_runs(name, processor):
    """Random ids, with bytes that are no text and control pieces, and what they decode to."""
    rng = random.Random(7)
    size = processor.get_piece_size()
    runs = []
    for _ in range(120):
        # Byte pieces come first in a vocabulary that has them.
        bound = [size, min(size, 270), 12][rng.randint(0, 2)]
        ids = [rng.randrange(bound) for _ in range(rng.randint(0, 12))]
        runs.append({"ids": ids, "decoded": processor.decode(ids)})
    write_lines(f"{name}.runs.jsonl", runs)


def tiktoken_ranks(strings):
    text = "\n".join(SENTENCES * 2)
    ranks = tiktoken._educational.bpe_train(data=text, vocab_size=700, pat_str=PATTERN, visualise=None)
    with open(DATA / "ranks.tiktoken", "wb") as file:
        for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
            file.write(base64.b64encode(token) + b" " + str(rank).encode() + b"\n")
    specials = {f"<|special_{n}|>": 700 + n for n in range(3)} | {"<|mask|>": 703}
    encoding = tiktoken.Encoding("ranks", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=specials)
    write_ids("ranks", strings, lambda text: encoding.encode(text, disallowed_special=()), encoding.decode)
    write_ids("ranks-special", strings, lambda text: encoding.encode(text, allowed_special="all"), encoding.decode)
    nfc = lambda text: encoding.encode(unicodedata.normalize("NFC", text), disallowed_special=())
    write_ids("ranks-nfc", strings, nfc, encoding.decode)
    rng = random.Random(9)
    runs = [[rng.randrange(rng.choice([256, 704])) for _ in range(rng.randint(0, 12))] for _ in range(200)]
    write_lines("ranks.runs.jsonl", [{"ids": ids, "decoded": encoding.decode(ids)} for ids in runs])


def json_tokenizers(strings):
    level = tokenizers.Tokenizer(models.BPE())
    level.normalizer = normalizers.NFC()
    level.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    level.decoder = decoders.ByteLevel()
    level.train_from_iterator(SENTENCES * 2, trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    level.add_special_tokens([f"<|special_{n}|>" for n in range(3)] + ["<|mask|>"])
    level.add_tokens(["<tool>"])
    write_json("byte-level", level, strings)

    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    fallback = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    fallback.normalizer = normalizers.Replace(" ", "▁")
    fallback.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    fallback.train_from_iterator(SENTENCES[:24], trainers.BpeTrainer(
        vocab_size=800, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + pieces, show_progress=False,
        limit_alphabet=120))
    body = json.loads(fallback.to_str())
    body["added_tokens"] = [token for token in body["added_tokens"] if not token["content"].startswith("<0x")]
    write_json("byte-fallback", tokenizers.Tokenizer.from_str(json.dumps(body)), strings)


    digits = tokenizers.Tokenizer(models.BPE())
    digits.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    digits.decoder = decoders.ByteLevel()
    digits.train_from_iterator(SENTENCES * 2, trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()[:200], show_progress=False))
    write_ids("gguf", strings, lambda text: digits.encode(text, add_special_tokens=False).ids,
              lambda ids: digits.decode(ids, skip_special_tokens=False))
    write_gguf(json.loads(digits.to_str())["model"])


def write_gguf(model):
    """The arrays that a GGUF file would hold of a byte-level vocabulary."""
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    (DATA / "gguf.json").write_text(json.dumps({
        "model": "gpt2", "pre": "smollm", "tokens": tokens, "token_type": [3] * 3 + [1] * (len(tokens) - 3),
        "merges": [" ".join(pair) for pair in model["merges"]], "bos_token_id": 1, "eos_token_id": 2,
        "add_bos_token": False,
    }, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def write_json(name, tokenizer, strings):
    body = json.loads(tokenizer.to_str())
    (DATA / f"{name}.json").write_text(json.dumps(body, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    decode = lambda ids: tokenizer.decode(ids, skip_special_tokens=False)
    write_ids(name, strings, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, decode)
    tokenizer.encode_special_tokens = True
    write_ids(f"{name}-literal", strings, lambda text: tokenizer.encode(text, add_special_tokens=False).ids, decode)
    rng = random.Random(11)
    size = tokenizer.get_vocab_size()
    runs = [[rng.randrange(rng.choice([min(270, size), size])) for _ in range(rng.randint(0, 12))] for _ in range(200)]
    write_lines(f"{name}.runs.jsonl", [{"ids": ids, "decoded": decode(ids)} for ids in runs])


def main():
    strings = hard_strings()
    write_lines("strings.jsonl", [{"text": text} for text in strings])
    sentencepiece_models(strings)
    tiktoken_ranks(strings)
    json_tokenizers(strings)


main()
