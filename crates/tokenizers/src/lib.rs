//! Text to ids and back, exactly as the tokenizer that a checkpoint ships.
//!
//! Wrong ids make a right model look wrong, and say nothing: so every format here is held to its reference library's ids,
//! text by text. One trait, [`Tokenizer`], over the three formats, told apart by content and never by name:
//! - **sentencepiece** `tokenizer.model` (Llama 1 and 2, Baichuan, Yi, ChatGLM, MiniCPM, Gemma): read and run here, without
//!   the C++ library ([`sentencepiece`]); byte-pair merges and Unigram, the normaliser's map, byte fallback.
//! - **tiktoken** ranks (Llama 3, Qwen 1, GLM-4), which carry no split pattern and no special tokens.
//! - **`tokenizer.json`** (Qwen 1.5 and 2, and most others as well): the usual kinds are run here, and whatever says more
//!   is encoded by Hugging Face's `tokenizers`.
//!
//! And what a GGUF file holds of the first two: [`open_gguf`]. What a file leaves unsaid is a family's `[tokenizer]` table,
//! [`Settings`]. Ids have no BOS, EOS or prefix of their own accord: those are the tokenizer's [`Frame`].
//! Text that spells a special token is text, unless [`Specials::Parse`] says otherwise.
//!
//! ```
//! use camelid_tokenizers::{Settings, Specials, Tokenizer};
//! # let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bpe.model");
//!
//! let settings: Settings = toml::from_str(r#"special = { "<s>" = 1, "</s>" = 2 }
//! prefix = ["<s>"]"#)?;
//! let tokenizer = camelid_tokenizers::open(&path, &settings)?;
//! let ids = tokenizer.encode("free and equal</s>", Specials::Parse)?;
//! assert_eq!(ids.last(), Some(&2));
//! assert_eq!(tokenizer.decode(&ids)?, "free and equal</s>");
//! assert_eq!(tokenizer.frame().around(&ids)[0], 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Rooms, arrows from left to right only:
// gguf → open → known, special → formats → merging → text → contract

mod contract;
mod formats;
mod gguf;
mod known;
mod merging;
mod open;
mod special;
mod text;
#[cfg(feature = "upstream")]
pub mod upstream;

pub use contract::{
    AddedToken, Decoder, DummyPrefix, Error, File, Frame, Kind, Normalization, Replace, Settings, Special,
    SpecialIn, Specials, Stream, Tokenizer,
};
pub use formats::sentencepiece;
pub use gguf::{Gguf, gguf_arrays, open_gguf, tokenizer_json};
pub use open::{from_bytes, from_pair, kind_of, locate, open};

// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
