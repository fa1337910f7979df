//! Text from a model: sampling, the loop, streaming, chat prompts.
