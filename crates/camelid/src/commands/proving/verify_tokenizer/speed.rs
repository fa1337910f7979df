//! A megabyte of the corpus, encoded and decoded here and by the upstream library.

use std::path::Path;

use camelid_tokenizers::upstream::{Speed, measure, upstream};

use super::parity::{Opened, corpus, specials};
use super::row::Row;

/// Measures a vocabulary in a row's call; beside no library for one whose file none reads (a GGUF's arrays).
pub(in crate::commands) fn speed(vocabularies: &Path, row: &Row, opened: &Opened) -> anyhow::Result<Speed> {
    let gguf = opened.path.extension().is_some_and(|extension| extension == "gguf");
    let theirs = if gguf { None } else { upstream(&std::fs::read(&opened.path)?, &opened.settings)? };
    let documents = documents(vocabularies)?;
    Ok(measure(&*opened.tokenizer, theirs.as_ref(), &documents, specials(&row.call)?)?)
}

/// The corpus again and again, in documents of four kilobytes, a megabyte in all. No string twice in a document.
fn documents(vocabularies: &Path) -> anyhow::Result<Vec<String>> {
    let texts = corpus(vocabularies)?;
    let mut documents = vec![String::new()];
    let mut bytes = 0;
    for text in texts.iter().cycle().take_while(|_| !texts.is_empty()) {
        if bytes >= 1 << 20 {
            break;
        }
        bytes += text.text.len() + 1;
        match documents.last_mut() {
            Some(last) if last.len() < 4096 => {
                last.push_str(&text.text);
                last.push('\n');
            }
            _ => documents.push(text.text.clone() + "\n"),
        }
    }
    Ok(documents)
}
