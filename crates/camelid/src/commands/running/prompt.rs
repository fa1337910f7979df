//! A plain prompt: its text, its ids, and whether it fits.

use camelid_generate::Opened;

use crate::commands::options::input::unended;

/// A text: as it stands, or from a file.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub struct PromptArgs {
    /// The text; - is standard input, as it is where no text is given
    #[arg(short, long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// The text of a file, without the newline that ends it; - is standard input
    #[arg(short, long, value_name = "FILE|-")]
    pub file: Option<String>,
}

impl PromptArgs {
    /// The text, where one is given; standard input and files without the newline that ends them.
    ///
    /// # Errors
    /// It can't be read, or is no UTF-8.
    pub(crate) fn given(&self) -> anyhow::Result<Option<String>> {
        match (&self.prompt, &self.file) {
            (Some(text), _) if text != "-" => Ok(Some(text.clone())),
            (Some(dash), _) => unended(dash).map(Some),
            (None, Some(file)) => unended(file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Whether a text is given.
    pub(crate) fn is_given(&self) -> bool {
        self.prompt.is_some() || self.file.is_some()
    }

    /// The text, else standard input.
    pub(crate) fn read(&self) -> anyhow::Result<String> {
        self.given()?.map_or_else(|| unended("-"), Ok)
    }
}

/// Refuses a prompt that is longer than the context, the given one or the checkpoint's.
pub(crate) fn fits(ids: &[u32], context: Option<usize>, opened: &Opened) -> anyhow::Result<()> {
    let context = context.or(opened.architecture()?.stack.context).unwrap_or(usize::MAX);
    if ids.len() > context {
        return Err(camelid_generate::Error::TooLong { tokens: ids.len(), context }.into());
    }
    Ok(())
}
