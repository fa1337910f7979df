//! A porter compares what another engine computed, stage by stage, and has the mistake named.
//!
//! `cargo run --example compare_dump` prints
//!
//! ```text
//! your port computes as if attention.logn were none, not 12 (log-n)
//! ```

use std::path::Path;

use camelid::families::{Backend, Library};
use camelid::generate::{How, Opened};
use camelid::verify::{Compared, Dump, Names, Port, compare_trace};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A port in bf16 that forgot a factor, with the checkpoint that it ran.
    let ports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ports");
    let folder = std::env::args().nth(1).map_or(ports.join("qwen1-logn-missing@bf16"), Into::into);
    let place = folder.to_str().ok_or("a folder whose name is no UTF-8")?;

    let opened = Opened::open(&Library::built_in()?, place, &How::default())?;
    let model = opened.model(Backend::serial(), &mut |_, _| {})?;
    let (dump, names) = (Dump::open(&folder.join("trace.safetensors"))?, Names::presets()?);
    let (config, checkpoint) = (opened.config(), opened.checkpoint());
    let port = Port { model: &model, config, checkpoint, dump: &dump, names: &names };

    let report = compare_trace(&port, None, Compared::Explained, &mut |_| {})?;
    match report.first_divergence {
        Some(first) => println!("{}", first.sentence),
        None => println!("equal, as far as the port's precision can tell"),
    }
    Ok(())
}
