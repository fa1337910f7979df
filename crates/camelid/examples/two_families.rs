//! A learner asks in what two families differ: each is resolved at a published size, and their words are held side by side.
//!
//! `cargo run --example two_families` prints, among others,
//!
//! ```text
//! attention.softcap             null                          50.0
//! output.softcap                null                          30.0
//! ```
//!
//! and `… --example two_families -- qwen2 qwen3` compares two others.

use camelid::families::Library;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let a = args.next().unwrap_or("llama2".to_owned());
    let b = args.next().unwrap_or("gemma2".to_owned());

    let library = Library::built_in()?;
    // The words of a family's first published size, with the values that its config.json gives them.
    let words = |name: &str| {
        let family = library.get(name)?;
        let size = family.sizes.first().ok_or("a family without a published size")?;
        let resolved = family
            .resolve(&size.config, &[])
            .map_err(|no| no.problems.iter().map(ToString::to_string).collect::<String>())?;
        println!("{}: {} {}", name, family.title, size.name);
        Ok::<_, Box<dyn std::error::Error>>(resolved.fields())
    };
    let (ours, theirs) = (words(&a)?, words(&b)?);
    for (word, value) in &ours {
        if let Some(other) = theirs.get(word).filter(|other| *other != value) {
            println!("{word:<28}  {:<28}  {other}", value.to_string());
        }
    }
    Ok(())
}
