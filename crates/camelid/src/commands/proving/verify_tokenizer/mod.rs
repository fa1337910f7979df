//! `cargo xtask verify-tokenizer`: ids and text against what the reference libraries made of difficult strings.

mod door;
mod parity;
mod places;
mod row;
mod speed;

use std::process::ExitCode;

use anyhow::bail;
use camelid_families::Library;
use comfy_table::{CellAlignment, Table, presets};

use crate::commands::output::style::{bad, bold, dim, good};
use crate::commands::proving::vocabularies;

pub use camelid_tokenizers::upstream::Speed;
pub use places::Places;
pub use row::{Row, Score};

/// Verify tokenizers on the families' real vocabularies
///
/// For every parity/NAME.CALL.jsonl under the folder of vocabularies: all ids and all decoded text, bytes that come back
/// from a round trip, and the speed beside the upstream library's. For every folder as people have it (--folders): texts with
/// special tokens, with what stands around them, and whole conversations, opened as `generate` opens them. Exit status: 0 if something ran and all of it was
/// equal, 1 if something differed, 2 if nothing could run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the vocabularies of these families
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    families: Vec<String>,
    /// Every vocabulary
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    places: Places,
    /// Show every string that differs
    #[arg(long)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs `verify-tokenizer`.
///
/// # Errors
/// There is no folder of vocabularies, or one that is at hand can't be opened.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let families = args.families.clone();
    let wanted = |row: &Row| args.all || row.family.as_ref().is_some_and(|family| families.contains(family));
    let rows = rows(&Library::built_in()?, &args.places, wanted)?;
    if args.json {
        outln!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print(&rows, &args);
    }
    Ok(status(&rows))
}

/// The rows of a family and its forms; none where no folder of vocabularies is at hand.
///
/// # Errors
/// A vocabulary that is at hand can't be opened.
pub fn of_family(library: &Library, name: &str, places: &Places) -> anyhow::Result<Vec<Row>> {
    if !places.vocabularies.join("parity").is_dir() {
        return Ok(Vec::new());
    }
    rows(library, places, |row| {
        row.family.as_ref().is_some_and(|family| library.forms(name).any(|form| form.name == *family))
    })
}

/// The folders as people have them: texts and conversations through the door.
///
/// # Errors
/// A case that can't be read.
pub fn folders(library: &Library, places: &Places) -> anyhow::Result<Vec<Row>> {
    door::rows(library, places, |_| true)
}

/// Every row that `wanted` keeps, by the names of the parity files, and the folders as people have them.
fn rows(library: &Library, places: &Places, wanted: impl Fn(&Row) -> bool) -> anyhow::Result<Vec<Row>> {
    let Places { vocabularies, assets, .. } = places;
    if !vocabularies.join("parity").is_dir() {
        bail!("{}: there is no folder parity/ with what the references made", vocabularies.display());
    }
    let known = vocabularies::known()?;
    let mut rows = Vec::new();
    for (vocabulary, call) in parity::calls(vocabularies)? {
        let family = parity::family(&known, library, &vocabulary);
        let mut row = Row { vocabulary, family, call, score: None, speed: None };
        if !wanted(&row) {
            continue;
        }
        if let Some(path) = parity::path(vocabularies, assets, &row.vocabulary) {
            let opened = parity::open(&path, library, &known, &row)?;
            row.score = Some(parity::compare(vocabularies, &row, &*opened.tokenizer)?);
            row.speed = Some(speed::speed(vocabularies, &row, &opened)?);
        }
        rows.push(row);
    }
    rows.extend(door::rows(library, places, wanted)?);
    Ok(rows)
}

fn status(rows: &[Row]) -> ExitCode {
    let scores: Vec<&Score> = rows.iter().filter_map(|row| row.score.as_ref()).collect();
    match scores.iter().all(|score| score.passed()) {
        _ if scores.is_empty() => ExitCode::from(2),
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The table as `verify-family` and `verify-tokenizer` print it.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["vocabulary", "family", "call", "equal", "round trip", "encode", "decode", "upstream"]);
    for column in table.column_iter_mut().skip(3).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        let family = row.family.clone().unwrap_or_else(|| "–".into());
        let mut cells = vec![row.vocabulary.clone(), family, row.call.clone()];
        match &row.score {
            Some(score) if score.bytes == 0 => cells.extend([score.equal_of_all(), "–".into()]),
            Some(score) => cells.extend([score.equal_of_all(), score.round_trip()]),
            None => cells.extend([bad("not at hand"), String::new()]),
        }
        if let Some(speed) = &row.speed {
            cells.extend([
                speed.encode.to_string(),
                speed.decode.to_string(),
                speed.library.unwrap_or("–").to_owned(),
            ]);
        }
        table.add_row(cells);
    }
    table
}

fn print(rows: &[Row], args: &Args) {
    outln!("{}", table(rows));
    let scores = || rows.iter().filter_map(|row| Some((row, row.score.as_ref()?)));
    for (row, score) in scores() {
        let shown = if args.verbose { score.differences.len() } else { 3 };
        for difference in score.differences.iter().take(shown) {
            outln!("\n{} {}\n{difference}", bold(&row.vocabulary), row.call);
        }
    }
    let absent: Vec<_> =
        rows.iter().filter(|row| row.score.is_none()).map(|row| row.vocabulary.as_str()).collect();
    if !absent.is_empty() {
        let absent = absent.join(", ");
        outln!("\n{} {absent}", bad("NOT RUN, no vocabulary at hand:"));
        outln!(
            "{}",
            dim("cargo xtask assets tokenizers (or smollm2) fetches those that the package registries have")
        );
    }
    let (equal, all) =
        scores().fold((0, 0), |(equal, all), (_, score)| (equal + score.equal, all + score.all));
    let sum = format!("{equal} of {all} strings equal");
    outln!("\n{}", if equal == all && all > 0 { good(sum) } else { bad(sum) });
}
