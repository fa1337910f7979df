//! docs/gguf.md: which GGUF files load, by architecture and by type.

use std::collections::BTreeMap;

use camelid_checkpoint::gguf;
use camelid_families::Library;

const INTRODUCTION: &str = "\
A GGUF file loads where its `general.architecture` stands in the first table and every tensor's type in the second; any
architecture may have any mix of types. Its metadata and its vocabulary are read as the program reads them that writes most such files: which families'
declarations do so, their `[gguf]` tables say. A model in several files (`NAME-00001-of-00003.gguf`) opens by its first.

";

/// The page.
pub(super) fn page(library: &Library, made: &str) -> String {
    let mut architectures = BTreeMap::<&str, Vec<&str>>::new();
    for family in library.families() {
        for architecture in family.gguf.architectures() {
            architectures.entry(architecture).or_default().push(&family.name);
        }
    }
    let mut text = format!("# GGUF files that load\n{made}\n{INTRODUCTION}");
    text += "## Architectures\n| `general.architecture` | read as |\n| --- | --- |\n";
    for (architecture, families) in architectures {
        text += &format!("| `{architecture}` | {} |\n", families.join(", "));
    }
    text +=
        "\n## Types\n| type | numbers in a block | bytes of a block | read |\n| --- | --- | --- | --- |\n";
    for (name, dtype) in gguf::types() {
        text += &match dtype {
            Some(dtype) => {
                let (numbers, bytes) = dtype.block();
                format!("| {name} | {numbers} | {bytes} | yes |\n")
            }
            None => format!("| {name} | | | no |\n"),
        };
    }
    text
}
