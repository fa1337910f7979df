//! The family tree of Llama-like language models: small exact crates, composed by data, proved against the originals.
