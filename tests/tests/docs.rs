//! The pages that are made from the data are what the data says.

#[test]
fn generated_pages_are_up_to_date() {
    for (path, text) in camelid::commands::docs::pages().expect("pages") {
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == text, "{} is stale: run `cargo xtask docs`", path.display());
    }
}
