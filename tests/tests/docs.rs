//! The pages that are made from the data are what the data says.

use camelid::commands::docs;

#[test]
fn generated_pages_are_up_to_date() {
    let pages = docs::pages().expect("pages");
    for (path, text) in &pages {
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == *text, "{} is stale: run `cargo xtask docs`", path.display());
    }
    assert!(docs::strays(&pages).is_empty(), "made from nothing: {:?}", docs::strays(&pages));
    let atlas = pages.iter().filter(|(path, _)| path.components().any(|part| part.as_os_str() == "atlas"));
    let bytes: usize = atlas.map(|(_, text)| text.len()).sum();
    assert!(bytes < 2_000_000, "the atlas has {bytes} bytes");
}
