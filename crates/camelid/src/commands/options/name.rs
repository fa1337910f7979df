//! Which model is meant: one meaning of MODEL in every subcommand.

use anyhow::bail;

/// Where a model is looked for when none is named.
const VARIABLE: &str = "CAMELID_MODEL";

/// A model by its place on the command line, or by its option.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub struct NameArgs {
    /// A folder with config.json, a GGUF file, or a model of the Hugging Face hub's that is in the local cache: ORG/NAME,
    /// ORG/NAME@REVISION, ORG/NAME:Q4_K_M for one of its GGUF files [env: CAMELID_MODEL]
    #[arg(value_name = "MODEL", value_hint = clap::ValueHint::AnyPath)]
    place: Option<String>,
    /// The same as MODEL
    #[arg(short = 'm', long = "model", value_name = "MODEL", value_hint = clap::ValueHint::AnyPath)]
    option: Option<String>,
}

impl NameArgs {
    /// A model by name.
    #[must_use]
    pub fn of(name: impl Into<String>) -> Self {
        Self { place: Some(name.into()), option: None }
    }

    /// The model that the command line names, if any.
    #[must_use]
    pub fn given(&self) -> Option<String> {
        self.place.clone().or_else(|| self.option.clone())
    }

    /// The model that the command line names, else the environment.
    #[must_use]
    pub fn find(&self) -> Option<String> {
        self.given().or_else(|| std::env::var(VARIABLE).ok().filter(|name| !name.is_empty()))
    }

    /// # Errors
    /// Where none is named.
    pub fn required(&self) -> anyhow::Result<String> {
        match self.find() {
            Some(name) => Ok(name),
            None => bail!(
                "which model? Name a folder, a GGUF file or ORG/NAME of the hub's, as MODEL, with -m, or in {VARIABLE}"
            ),
        }
    }
}
