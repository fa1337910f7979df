//! A plain prompt: its text, its ids, and whether it fits.

use std::io::Read;

use anyhow::Context;
use camelid_generate::{Opened, framed};
use camelid_tokenizers::Tokenizer;

/// A prompt, or standard input, and its ids, within the frame that the tokenizer puts around a text.
pub(crate) fn plain(prompt: Option<&str>, tokenizer: &dyn Tokenizer) -> anyhow::Result<(String, Vec<u32>)> {
    let text = match prompt {
        Some(text) => text.to_owned(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("the prompt on standard input")?;
            text
        }
    };
    let ids = framed(tokenizer, &text)?;
    Ok((text, ids))
}

/// Refuses a prompt that is longer than the context, the given one or the checkpoint's.
pub(crate) fn fits(ids: &[u32], context: Option<usize>, opened: &Opened) -> anyhow::Result<()> {
    let context = context.or(opened.architecture()?.stack.context).unwrap_or(usize::MAX);
    if ids.len() > context {
        return Err(camelid_generate::Error::TooLong { tokens: ids.len(), context }.into());
    }
    Ok(())
}
