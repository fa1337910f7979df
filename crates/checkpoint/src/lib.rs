//! Hugging Face directories, safetensors, GGUF and pytorch_model.bin files: mapped, validated, read as stored.
