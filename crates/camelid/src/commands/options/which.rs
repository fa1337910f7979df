//! Which family is meant.

use std::path::PathBuf;

use camelid_families::Library;

use crate::commands::options::input::declared;

/// Which family: a built-in one by name, or one that a file declares.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(multiple = false)]
pub struct Which {
    /// A family by name, such as gemma2
    #[arg(long, value_name = "NAME")]
    pub family: Option<String>,
    /// Read the family from a file, which may extend any built-in one; - is standard input
    #[arg(long, value_name = "FILE.toml|-")]
    pub spec: Option<PathBuf>,
}

impl Which {
    /// The family, if one was named; the library holds it.
    ///
    /// # Errors
    /// The file is no declaration. (That a name is known is seen when it is looked up.)
    pub fn name(&self, library: &mut Library) -> anyhow::Result<Option<String>> {
        match (&self.family, &self.spec) {
            (Some(name), _) => Ok(Some(name.clone())),
            (None, Some(path)) => declared(library, path).map(Some),
            (None, None) => Ok(None),
        }
    }
}
