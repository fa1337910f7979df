//! tiktoken rank files: one token a line, in base64, with its rank, which is its id.
//!
//! The file carries neither the split pattern nor the special tokens: [`crate::Settings`] do.
//! The algorithm is that of OpenAI's tiktoken: a word that is a token is that token; any other is merged from its bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;
use crate::Frame;
use crate::merging::bytes::{ByteBpe, ByteEncoder, WholeWords, merges_by_rank};
use crate::merging::vocabulary::{LONGEST_PIECE, Vocabulary};
use crate::text::split::{Gaps, Splitter};

/// Reads ranks, to be split by `pattern`.
pub(crate) fn parse(file: &[u8], pattern: &str) -> Result<ByteBpe, Error> {
    let vocabulary = vocabulary(file)?;
    let bytes = Box::new(bytes(&vocabulary)?);
    let splitter = Splitter::new(pattern).map_err(|reason| Error::setting("pattern", reason))?;
    let encoder = ByteEncoder {
        bytes,
        merges: merges_by_rank(&vocabulary),
        splitters: vec![(splitter, Gaps::Drop)],
        whole: Vec::new(),
    };
    let encoder = encoder.with_whole_words(&vocabulary, WholeWords::Take);
    Ok(ByteBpe { vocabulary, encoder, specials: Vec::new(), frame: Frame::default() })
}

/// How many ranks a file holds.
pub(crate) fn count(file: &[u8]) -> usize {
    file.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count()
}

/// Whether the first line is a token and its rank.
pub(crate) fn looks_like_ranks(file: &[u8]) -> bool {
    file.split(|&byte| byte == b'\n').next().is_some_and(|line| parse_line(line).is_ok())
}

pub(crate) fn vocabulary(file: &[u8]) -> Result<Vocabulary, Error> {
    let mut tokens = Vec::new();
    for (line, text) in file.split(|&byte| byte == b'\n').enumerate() {
        if !text.trim_ascii().is_empty() {
            let (token, rank) = parse_line(text).map_err(|reason| wrong(line + 1, reason))?;
            tokens.push((rank, line + 1, token));
        }
    }
    tokens.sort_unstable();
    let mut vocabulary = Vocabulary::with_capacity(tokens.len());
    for (expected, (rank, line, token)) in tokens.into_iter().enumerate() {
        if rank as usize != expected {
            let what = if (rank as usize) < expected { "stands twice" } else { "is missing" };
            let missing = rank.min(expected as u32);
            return Err(wrong(line, format!("the ranks are no permutation: {missing} {what}")));
        }
        if let Some(other) = vocabulary.push(&token) {
            return Err(wrong(line, format!("the token of rank {rank} is also that of rank {other}")));
        }
    }
    Ok(vocabulary)
}

fn parse_line(line: &[u8]) -> Result<(Vec<u8>, u32), String> {
    let line = std::str::from_utf8(line).map_err(|_| "is no text".to_owned())?.trim_ascii();
    let (token, rank) = line.split_once(' ').ok_or("a token, a space and its rank are expected")?;
    let token = STANDARD.decode(token).map_err(|error| format!("the token is no base64: {error}"))?;
    if token.is_empty() {
        return Err("the token is empty".into());
    }
    if token.len() > LONGEST_PIECE {
        return Err(format!("the token is longer than {LONGEST_PIECE} bytes"));
    }
    let rank = rank.parse().map_err(|error| format!("the rank {rank:?} is no number: {error}"))?;
    Ok((token, rank))
}

fn bytes(vocabulary: &Vocabulary) -> Result<[u32; 256], Error> {
    let mut bytes = [0; 256];
    for (byte, id) in bytes.iter_mut().enumerate() {
        let missing = || wrong(0, format!("the byte 0x{byte:02X} is no token"));
        *id = vocabulary.id(&[byte as u8]).ok_or_else(missing)?;
    }
    Ok(bytes)
}

fn wrong(line: usize, reason: String) -> Error {
    Error::Ranks { line, reason }
}
