//! One trait over sentencepiece models, tiktoken ranks and Hugging Face tokenizer.json, exact.
