// OpenAI's JavaScript client against `camelid serve` on the story model: openai_client.mjs URL, the key in CAMELID_API_KEY.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: process.env.CAMELID_API_KEY, maxRetries: 0 });

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.deepEqual(names, ["stories"]);

const asked = { model: "stories", prompt: "Once upon a time", max_tokens: 60, temperature: 0 };
const whole = await client.completions.create(asked);
assert.equal(whole.usage.completion_tokens, 60);
let text = "";
for await (const piece of await client.completions.create({ ...asked, stream: true })) text += piece.choices[0].text;
assert.equal(text, whole.choices[0].text);

const said = { model: "stories", messages: [{ role: "user", content: "Tell me of a cat." }], max_completion_tokens: 30, temperature: 0 };
const answer = await client.chat.completions.create(said);
text = "";
let usage = null;
for await (const piece of await client.chat.completions.create({ ...said, stream: true, stream_options: { include_usage: true } })) {
  text += piece.choices[0]?.delta?.content ?? "";
  usage = piece.usage ?? usage;
}
assert.equal(text, answer.choices[0].message.content);
assert.equal(usage.completion_tokens, 30);

// A stream that is left in the middle leaves nothing behind.
for await (const piece of await client.completions.create({ ...asked, max_tokens: 400, stream: true })) {
  assert.ok(piece.id);
  break;
}
await assert.rejects(client.completions.create({ ...asked, model: "gpt-4" }), OpenAI.NotFoundError);
await assert.rejects(client.completions.create({ ...asked, top_p: 7 }), /top_p/);
await assert.rejects(new OpenAI({ baseURL: process.argv[2], apiKey: "another", maxRetries: 0 }).models.list(), OpenAI.AuthenticationError);
console.log("openai (JavaScript): models, completions, conversations, streams, refusals");
