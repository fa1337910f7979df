"""OpenAI's Python client against `camelid serve` on the story model: openai_client.py URL, the key in CAMELID_API_KEY."""

import json
import os
import pathlib
import sys

import openai

url = sys.argv[1]
key = os.environ["CAMELID_API_KEY"]
client = openai.OpenAI(base_url=url, api_key=key, max_retries=0)
rows = json.loads((pathlib.Path(__file__).parent / "../models/stories260k/expected.json").read_text())["rows"]

assert [model.id for model in client.models.list()] == ["stories"]
assert client.models.retrieve("stories").owned_by == "camelid"

for row in rows:
    whole = client.completions.create(model="stories", prompt=row["prompt"], max_tokens=200, temperature=0)
    assert whole.choices[0].text.strip() == row["greedy_text"].strip(), whole
    assert whole.usage.completion_tokens == 200 and whole.choices[0].finish_reason == "length"
    ids = client.completions.create(model="stories", prompt=row["input_ids"], max_tokens=200, temperature=0)
    assert ids.choices[0].text == whole.choices[0].text
    stream = client.completions.create(
        model="stories", prompt=row["prompt"], max_tokens=200, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )
    pieces = list(stream)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == whole.choices[0].text
    assert pieces[-1].usage == whole.usage.model_copy(update={"prompt_tokens_details": pieces[-1].usage.prompt_tokens_details})

two = client.completions.create(model="stories", prompt=["Once", "The dog"], n=2, max_tokens=8, seed=5, temperature=1, logprobs=3)
assert [choice.index for choice in two.choices] == [0, 1, 2, 3]
assert all(len(choice.logprobs.token_logprobs) == 8 for choice in two.choices)
echo = client.completions.create(model="stories", prompt="Once upon a time", max_tokens=1, echo=True, logprobs=1, temperature=0)
assert echo.choices[0].text.startswith("Once upon a time") and echo.choices[0].logprobs.token_logprobs[0] is None

said = [{"role": "user", "content": "Tell me of a dog."}]
whole = client.chat.completions.create(
    model="stories", messages=said, max_completion_tokens=30, temperature=0, logprobs=True, top_logprobs=2,
)
assert whole.choices[0].message.role == "assistant" and whole.choices[0].message.content
tokens = whole.choices[0].logprobs.content
assert bytes(byte for token in tokens for byte in token.bytes).decode().strip() == whole.choices[0].message.content.strip()
stream = client.chat.completions.create(model="stories", messages=said, max_completion_tokens=30, temperature=0, stream=True)
pieces = list(stream)
assert pieces[0].choices[0].delta.role == "assistant" and pieces[-1].choices[0].finish_reason == "length"
assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == whole.choices[0].message.content
turn = client.chat.completions.create(
    model="stories", temperature=0, max_completion_tokens=5,
    messages=[*said, {"role": "assistant", "content": whole.choices[0].message.content}, {"role": "user", "content": "And then?"}],
)
assert turn.usage.prompt_tokens_details.cached_tokens > 0, turn.usage


def refused(kind, words, **fields):
    try:
        client.completions.create(**{"model": "stories", "prompt": "A", **fields})
    except kind as error:
        assert words in error.message, error
        return error
    raise AssertionError(f"{fields} was taken")


refused(openai.NotFoundError, "does not exist", model="gpt-4")
refused(openai.BadRequestError, "temperature", temperature=9)
assert refused(openai.BadRequestError, "logit_bias", logit_bias={"3": 1}).param == "logit_bias"
refused(openai.BadRequestError, "context", prompt="A " * 600)
try:
    openai.OpenAI(base_url=url, api_key="another", max_retries=0).models.list()
    raise AssertionError("a wrong key was taken")
except openai.AuthenticationError:
    pass
print(f"openai {openai.__version__} (Python): models, completions, conversations, streams, log-probabilities, refusals")
