//! Models that are not in the cache yet.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use camelid_fetch::{Hub, Name, Wanted, is_offline};
use camelid_generate::{locate, memory};
use indicatif::{ProgressBar, ProgressStyle};

/// Fetches the files, with a bar on standard error where that is a terminal.
pub(in crate::commands) fn fetch(hub: &Hub, wanted: &Wanted, quiet: bool) -> anyhow::Result<PathBuf> {
    let style =
        ProgressStyle::with_template("{wide_msg} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    let bar = match quiet {
        true => ProgressBar::hidden(),
        false => ProgressBar::new(wanted.bytes()),
    };
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let place = hub.fetch(wanted, &mut |got| {
        bar.set_message(got.path.to_owned());
        bar.set_position(got.bytes);
    });
    bar.finish_and_clear();
    Ok(place?)
}

/// Asks at a terminal whether a model of the hub's that is not in the cache is to be fetched, and fetches it.
pub(in crate::commands) fn offer(model: &str, quiet: bool) -> anyhow::Result<()> {
    let Ok(name) = model.parse::<Name>() else { return Ok(()) };
    let nobody = !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal();
    if nobody || is_offline() || model.starts_with('.') || locate(model).is_ok() {
        return Ok(());
    }
    let hub = Hub::from_environment()?;
    let wanted = hub.list(&name)?;
    let (files, bytes) = (wanted.files.len(), memory::written(wanted.bytes()));
    err!("{model} is not in the cache. Fetch {files} files, {bytes}, from {}? [y/N] ", hub.endpoint());
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        fetch(&hub, &wanted, quiet)?;
    }
    Ok(())
}
