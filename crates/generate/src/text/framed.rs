//! A plain prompt's ids.

use camelid_tokenizers::{Specials, Tokenizer};

use crate::Error;

/// The ids of a plain prompt, in which the names of special tokens are tokens, within the frame that the tokenizer puts around
/// a text. Who writes BOS into the prompt does not want it twice.
///
/// # Errors
/// What the tokenizer says.
pub fn framed(tokenizer: &dyn Tokenizer, text: &str) -> Result<Vec<u32>, Error> {
    let ids = tokenizer.encode(text, Specials::Parse)?;
    let frame = tokenizer.frame();
    let has = !frame.before.is_empty() && ids.starts_with(&frame.before);
    Ok(if has { ids } else { frame.around(&ids) })
}
