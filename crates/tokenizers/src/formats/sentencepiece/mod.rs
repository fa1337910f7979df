//! sentencepiece models, read and run without the C++ library.
//!
//! text → normaliser (a map of characters, spaces as `▁`) → pieces (byte-pair merges or the Unigram model's best path)
//! → ids, where what is no piece becomes its bytes or the unknown id.
//! Kudo and Richardson, "SentencePiece", 2018 (arXiv:1808.06226).

mod bpe;
mod decoder;
mod model;
mod normalizer;
mod pieces;
pub(crate) mod proto;
mod surfaces;
mod unigram;
mod wire;

pub use model::Model;
