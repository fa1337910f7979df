//! What can go wrong between a model's folder and its text.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting of [`crate::Sampling`] is out of range.
    #[error("{word} = {value}: {wanted}")]
    Sampling {
        /// The setting.
        word: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// There is no token to go on from.
    #[error("the prompt is empty, and nothing stands before it: give at least one token")]
    EmptyPrompt,
    /// The prompt is longer than the input that the checkpoint was made for.
    #[error(
        "the prompt has {tokens} tokens, and the context ends after {context}; shorten it, or let it be longer with --context N"
    )]
    TooLong {
        /// The prompt's tokens.
        tokens: usize,
        /// The context, in tokens.
        context: usize,
    },
    /// Keys and values of the asked length would not fit into memory. Nothing was allocated.
    #[error(
        "keys and values of {tokens} tokens take {}, and this machine has {} free; ask for fewer tokens",
        crate::memory::written(*needed),
        crate::memory::written(*free)
    )]
    Memory {
        /// The tokens: prompt and continuation.
        tokens: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A logit is no number: a broken weight, or an overflow.
    #[error(
        "after token {place} (id {id}) the logit of id {of} is {value}: the weights hold NaN or infinities, or overflow"
    )]
    NotFinite {
        /// The place of the token, counted from 0.
        place: usize,
        /// The token.
        id: u32,
        /// The first id whose logit is no number.
        of: usize,
        /// The logit.
        value: f32,
    },
    /// A chat template is not Jinja, or failed.
    #[error("{name}{}: {message}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Template {
        /// The file, or the key, that it comes from.
        name: String,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What went wrong.
        message: String,
    },
    /// A conversation is none, or none that the template can write.
    #[error("{0}")]
    Conversation(String),
    /// A prompt names a token that the vocabulary does not have.
    #[error("the vocabulary has no token `{0}`, which the chat template asks for")]
    NoToken(String),
    /// Neither the checkpoint nor its family brings a chat template.
    #[error("{}: there is no chat template, neither in the checkpoint (chat_template.jinja, tokenizer_config.json) nor for the family `{family}`: it is a model for plain text", path.display())]
    NoTemplate {
        /// The checkpoint.
        path: PathBuf,
        /// The family.
        family: String,
    },
    /// A name is no path, and no model of the hub's cache.
    #[error("{name}: there is no such file or folder{}", also.as_ref().map(|also| format!("; {also}")).unwrap_or_default())]
    NoModel {
        /// The name.
        name: String,
        /// What else it could be, and why it is not.
        also: Option<String>,
    },
    /// A model of another class than the family's own, or one that makes no text.
    #[error("{}: {says}; --family {family} reads it all the same", path.display())]
    NoText {
        /// The checkpoint.
        path: PathBuf,
        /// What says so.
        says: String,
        /// The family that it would else be of.
        family: String,
    },
    /// A file beside the weights says something that can't be used.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The key, its value, and what would be right.
        message: String,
    },
    /// From the declarations, or from the model.
    #[error(transparent)]
    Families(#[from] camelid_families::Error),
    /// From the tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] camelid_tokenizers::Error),
    /// From the checkpoint's files.
    #[error(transparent)]
    Checkpoint(#[from] camelid_checkpoint::Error),
}
