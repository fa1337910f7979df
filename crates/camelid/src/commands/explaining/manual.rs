//! `camelid completions`, `camelid man`: the command's own options, for shells and for readers.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use camelid_checkpoint::write_file;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::commands::output::print::write;

/// Write what a shell needs to complete the command's options
///
/// bash: camelid completions bash > ~/.local/share/bash-completion/completions/camelid
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Write the manual page of the command, or all of them
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// A folder for camelid.1 and a page for each subcommand; without it, the first goes to standard output
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Runs `completions`.
///
/// # Errors
/// Standard output can't be written.
pub fn completions(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    write(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `man`.
///
/// # Errors
/// The folder is none, or a page can't be written.
pub fn man(args: &ManArgs, command: clap::Command) -> anyhow::Result<ExitCode> {
    let Some(folder) = &args.out else {
        let mut text = Vec::new();
        Man::new(command).render(&mut text)?;
        write(&text)?;
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(folder.is_dir(), "--out {}: it is no folder", folder.display());
    let own = command.get_name().to_owned();
    let pages = command.get_subcommands().map(|page| (format!("{own}-{}", page.get_name()), page.clone()));
    let pages: Vec<_> = std::iter::once((own.clone(), command.clone())).chain(pages).collect();
    for (name, page) in pages {
        let page = page.display_name(&name).bin_name(name.replacen('-', " ", 1));
        let path = folder.join(format!("{name}.1"));
        let mut text = Vec::new();
        Man::new(page).render(&mut text).with_context(|| path.display().to_string())?;
        write_file(&path, &text)?;
        outln!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
