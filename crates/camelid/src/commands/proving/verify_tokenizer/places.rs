//! Where vocabularies are looked for.

use std::path::PathBuf;

/// Where vocabularies are.
#[derive(Debug, clap::Args)]
pub struct Places {
    /// The folder with corpus.jsonl, parity/ and a folder for each vocabulary
    #[arg(long, value_name = "DIR", env = "CAMELID_VOCABULARIES", default_value = "../shared/tokenizers")]
    pub vocabularies: PathBuf,
    /// Where `assets` put the vocabularies that the package registries have
    #[arg(long, value_name = "DIR", env = "CAMELID_ASSETS", default_value = "assets")]
    pub assets: PathBuf,
    /// Folders as people have them: what stands beside a vocabulary, texts and conversations, and their ids
    #[arg(long, value_name = "DIR", default_value = "tests/door")]
    pub folders: PathBuf,
}
