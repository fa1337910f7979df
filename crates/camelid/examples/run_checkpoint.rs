//! A folder as downloaded, or a GGUF file, is loaded and goes on with a text.
//!
//! `cargo run --release --example run_checkpoint` prints
//!
//! ```text
//! Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw
//! ```
//!
//! and `… --example run_checkpoint -- MODEL TEXT` runs another model with another text.

use std::io::Write;

use camelid::families::{Backend, Library};
use camelid::generate::{How, Opened, Session, Settings, framed};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stories = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/stories260k");
    let mut args = std::env::args().skip(1);
    let place = args.next().unwrap_or(stories.to_owned());
    let text = args.next().unwrap_or("Once upon a time".to_owned());

    // Which family it is of, its vocabulary and its settings are told from what lies there.
    let opened = Opened::open(&Library::built_in()?, &place, &How::default())?;
    let (model, tokenizer) = (opened.model(Backend::serial(), &mut |_, _| {})?, opened.tokenizer()?);
    let prompt = framed(&*tokenizer, &text)?;

    print!("{text}");
    let settings = Settings { max_new_tokens: 32, ..Settings::default() };
    for token in Session::new(&model, &*tokenizer).generate(&prompt, &settings)? {
        print!("{}", token?.text);
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}
