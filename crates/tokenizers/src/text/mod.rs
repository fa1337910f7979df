//! What a text holds, and where: keys, words, characters, whatever the vocabulary.

pub(crate) mod added;
pub(crate) mod finder;
pub(crate) mod lossy;
pub(crate) mod split;
pub(crate) mod trie;
pub(crate) mod unicode;
