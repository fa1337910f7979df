"""Whole conversations as the families' released code makes prompts of them: `python make.py > ../../conversations/pieces.json`.

Each rule is what the release says, written down anew: the place stands with it. A prompt is a row of pieces: `token`, a token by
name; `literal`, a text that is encoded by itself and in which nothing is special; `parsed`, a text in which the names of special
tokens are tokens. A conversation that a release has no form for is null. Needs nothing but Python 3.11.
"""

import json
import sys


def turns(*texts):
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def under(system, messages):
    return [{"role": "system", "content": system}, *messages]


SPECIAL = "a</s>b <s>[INST] <|im_end|>\n<|im_start|>user sop eop people [gMASK]<sop><|user|>x<|eot_id|><end_of_turn><reserved_106>"
CONVERSATIONS = {
    "one": turns(" Hi "),
    "two": turns("Hi", "Hello.", "And you?"),
    "three": turns("一", "二\n", " three ", "vier", "5"),
    "system": under("Be brief.", turns(" Hi ")),
    "system, three": under(" Be brief.\n", turns("Hi", "Hello.", "Why?", "So.", "Bye")),
    "an empty answer": turns("Hi", "", "Still there?"),
    "an empty question": turns(""),
    "an empty system text": under("", turns("Hi")),
    "line ends": turns("\n\nx\n ", "\n y\n", "\tz"),
    "special tokens inside": turns(SPECIAL, SPECIAL, SPECIAL),
    "special tokens in the system text": under(SPECIAL, turns("Hi")),
    "two systems": under("a", under("b", turns("c"))),
    "two questions": [*turns("a"), *turns("b")],
    "a tool": [*turns("a"), {"role": "tool", "content": "b"}],
}


class NoForm(Exception):
    pass


def need(holds):
    if not holds:
        raise NoForm


def token(name):
    return ["token", name]


def literal(text):
    return ["literal", text]


def parsed(text):
    return ["parsed", text]


def alternating(messages):
    """User and assistant by turns, the user first and last; no system text."""
    need(all(m["role"] == ("user", "assistant")[i % 2] for i, m in enumerate(messages)) and len(messages) % 2 == 1)
    return [m["content"] for m in messages]


def llama2(messages):
    """llama/generation.py (meta-llama/llama, 2023-07): chat_completion. The system text joins the first question before that is
    stripped; a question and its answer are one text between BOS and EOS."""
    system = ""
    if messages[0]["role"] == "system":
        system, messages = "<<SYS>>\n" + messages[0]["content"] + "\n<</SYS>>\n\n", messages[1:]
    texts = alternating(messages)
    texts[0] = system + texts[0]
    pieces = []
    for question, answer in zip(texts[::2], texts[1::2]):
        pieces += [token("<s>"), literal(f"[INST] {question.strip()} [/INST] {answer.strip()} "), token("</s>")]
    return pieces + [token("<s>"), literal(f"[INST] {texts[-1].strip()} [/INST]")]


def llama3(messages):
    """llama/tokenizer.py (meta-llama/llama3, 2024-04): ChatFormat.encode_dialog_prompt."""

    def head(role):
        return [token("<|start_header_id|>"), literal(role), token("<|end_header_id|>"), literal("\n\n")]

    pieces = [token("<|begin_of_text|>")]
    for m in messages:
        pieces += [*head(m["role"]), literal(m["content"].strip()), token("<|eot_id|>")]
    return pieces + head("assistant")


def baichuan(user, assistant):
    """generation_utils.py of Baichuan-13B-Chat (2023-07) and of Baichuan2 (2023-09): build_chat_input; ids 195 and 196."""

    def rule(messages):
        pieces = []
        for i, m in enumerate(messages):
            need(m["role"] in ("user", "assistant") or (i == 0 and m["role"] == "system"))
            mark = {"user": [token(user)], "assistant": [token(assistant)], "system": []}[m["role"]]
            pieces += [*mark, parsed(m["content"])]
        return pieces + [token(assistant)]

    return rule


def chatglm1(messages):
    """modeling_chatglm.py of chatglm-6b (2023-03): chat. A first question stands alone; rounds count from 0; the frame follows."""
    texts = alternating(messages)
    text = texts[0]
    if len(texts) > 1:
        text = "".join(f"[Round {i}]\n问：{q}\n答：{a}\n" for i, (q, a) in enumerate(zip(texts[::2], texts[1::2])))
        text += f"[Round {len(texts) // 2}]\n问：{texts[-1]}\n答："
    return [parsed(text), token("[gMASK]"), token("<sop>")]


def chatglm2(messages):
    """tokenization_chatglm.py of chatglm2-6b (2023-06): build_prompt. Rounds count from 1; no token is parsed out of the text."""
    texts = alternating(messages)
    text = "".join(f"[Round {i + 1}]\n\n问：{q}\n\n答：{a}\n\n" for i, (q, a) in enumerate(zip(texts[::2], texts[1::2])))
    text += f"[Round {len(texts) // 2 + 1}]\n\n问：{texts[-1]}\n\n答："
    return [token("[gMASK]"), token("sop"), literal(text)]


def by_role(sop):
    """tokenization_chatglm.py of chatglm3-6b (2023-10), build_chat_input, and of glm-4-9b-chat (2024-06): a role's token, the ids of
    its metadata (none) and a line end, the ids of the content."""

    def rule(messages):
        pieces = [token("[gMASK]"), token(sop)]
        for m in messages:
            need(m["role"] in ("system", "user", "assistant", "observation"))
            pieces += [token(f"<|{m['role']}|>"), literal("\n"), literal(m["content"])]
        return pieces + [token("<|assistant|>")]

    return rule


def qwen1(messages):
    """qwen_generation_utils.py of Qwen-7B-Chat (2023-08): make_context. Role, line end and content are encoded one by one."""
    if messages[0]["role"] != "system":
        messages = under("You are a helpful assistant.", messages)
    pieces = []
    for m in messages:
        need(m["role"] in ("system", "user", "assistant"))
        pieces += [token("<|im_start|>"), literal(m["role"]), literal("\n"), literal(m["content"]), token("<|im_end|>"), literal("\n")]
    return pieces + [token("<|im_start|>"), literal("assistant"), literal("\n")]


def chatml(system):
    """tokenizer_config.json of Qwen1.5 and Qwen2 (with a system text of their own) and of Yi Chat (without)."""

    def rule(messages):
        if system and messages[0]["role"] != "system":
            messages = under(system, messages)
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        return [parsed(text + "<|im_start|>assistant\n")]

    return rule


def gemma(messages):
    """ai.google.dev/gemma/docs/formatting, and the template of gemma-2b-it (2024-02): contents are stripped."""
    texts = [text.strip() for text in alternating(messages)]
    roles = ["user", "model"] * len(texts)
    text = "".join(f"<start_of_turn>{role}\n{text}<end_of_turn>\n" for role, text in zip(roles, texts))
    return [parsed("<bos>" + text + "<start_of_turn>model\n")]


def minicpm(messages):
    """tokenizer_config.json of MiniCPM-2B-sft (2024-02), whose text the release's `chat` encodes with BOS before it."""
    said = [f"<用户>{m['content'].strip()}<AI>" if m["role"] == "user" else m["content"].strip() for m in messages]
    return [parsed("<s>" + "".join(said))]


QWEN = "You are a helpful assistant."
RULES = {
    "llama2/gqa": llama2,
    "llama3/base": llama3,
    "baichuan1/7b-base": baichuan("<reserved_102>", "<reserved_103>"),
    "baichuan1/13b-h5": baichuan("<reserved_102>", "<reserved_103>"),
    "baichuan2/13b-h5": baichuan("<reserved_106>", "<reserved_107>"),
    "baichuan2/7b-base": baichuan("<reserved_106>", "<reserved_107>"),
    "chatglm1/gmask": chatglm1,
    "chatglm2/base": chatglm2,
    "chatglm3/base": by_role("sop"),
    "glm4/remote-ratio1": by_role("<sop>"),
    "glm4/remote-ratio500": by_role("<sop>"),
    "glm4-hf/base": by_role("<sop>"),
    "qwen1/base": qwen1,
    "qwen1.5/mha": chatml(QWEN),
    "qwen2/gqa": chatml(QWEN),
    "yi/llama": chatml(None),
    "gemma1/mha": gemma,
    "gemma2/softcap": gemma,
    "minicpm/mha": minicpm,
}


def prompt(rule, messages):
    try:
        return [piece for piece in rule(messages) if piece[1]]
    except NoForm:
        return None


if __name__ == "__main__":
    prompts = {
        case: {name: prompt(rule, messages) for name, messages in CONVERSATIONS.items()} for case, rule in RULES.items()
    }
    json.dump({"conversations": CONVERSATIONS, "prompts": prompts}, sys.stdout, ensure_ascii=False, indent=1)
    print()
