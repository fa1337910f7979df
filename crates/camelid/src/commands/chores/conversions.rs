//! `cargo xtask conversions`: docs/conversions.md, every case in every form, each result run beside its source.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use camelid_checkpoint::{Checkpoint, Dtype};
use camelid_families::{
    Allow, Allowed, Backend, Compute, Declaration, Engine, Form, Grade, Library, Model, Source, engines,
    in_memory,
};
use camelid_kernels::Isa;
use camelid_verify::Case;
use ndarray::Array2;

/// Write docs/conversions.md: what every case becomes in every form that an engine reads
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing; fail if the page is not what comes out
    #[arg(long)]
    pub check: bool,
}

const INTRODUCTION: &str = "\
What `camelid convert --allow length` makes of every case that the project carries, in every form that it knows of an engine
(`crates/families/engines/`). **bytes**: rows move, no number changes. **exact**: the same function, numbers computed in double
precision and rounded once. **≤ T**: equal for texts of at most T tokens, which then is the context. **–**: refused. Each folder
was loaded as the family that it was written as and run on the case's own ids beside the source, in f32; the figure is the largest
difference of logits over the largest logit. GGUF files are planned here; their writing, reading and running is tested by
`crates/camelid/tests/suite/convert.rs`.

";

/// Runs `conversions`.
///
/// # Errors
/// A case can't be read or run, or the page not written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let (path, text) = (root.join("docs/conversions.md"), page(&root)?);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    anyhow::ensure!(
        !args.check || written == text,
        "{} is old; run `cargo xtask conversions`",
        path.display()
    );
    if !args.check {
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        outln!("{}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn page(root: &Path) -> anyhow::Result<String> {
    let library = Library::built_in()?;
    let made = "<!-- Made by `cargo xtask conversions` from the cases and the forms. Do not edit. -->\n";
    let mut text = format!("# What converts to what\n{made}\n{INTRODUCTION}");
    for engine in engines() {
        text += &format!("## {}\n{}", engine.name, engine.version);
        text += if engine.note.is_empty() { ".\n\n" } else { ". " };
        if !engine.note.is_empty() {
            text += &format!("{}\n\n", engine.note);
        }
        text += &table(root, &library, engine)?;
        text.push('\n');
    }
    Ok(text)
}

fn table(root: &Path, library: &Library, engine: &Engine) -> anyhow::Result<String> {
    let names: Vec<_> = engine.forms.iter().map(|form| form.name.as_str()).collect();
    let mut text = format!("| case | {} |\n| --- |{}\n", names.join(" | "), " --- |".repeat(names.len()));
    let mut seen = 0;
    for family in library.families() {
        for path in cases(&root.join("tests/cases").join(&family.name))? {
            let opened = Opened::new(family, &path)?;
            let cells =
                engine.forms.iter().map(|form| opened.cell(library, form)).collect::<Result<Vec<_>, _>>()?;
            if cells.iter().any(|cell| cell != "–") {
                text += &format!("| {} | {} |\n", opened.name, cells.join(" | "));
                seen += 1;
            }
        }
    }
    text += &format!("\n{seen} cases have a form here; the others have none.\n");
    Ok(text)
}

fn cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

struct Opened<'l> {
    name: String,
    family: &'l Declaration,
    case: Case,
    checkpoint: Checkpoint,
    model: Model,
}

impl<'l> Opened<'l> {
    fn new(family: &'l Declaration, path: &Path) -> anyhow::Result<Opened<'l>> {
        let (case, checkpoint) = (Case::open(path)?, Checkpoint::open(path)?);
        let model = family.load(&case.config, &checkpoint, backend(), &Allow::default())?;
        let name = format!("{}/{}", family.name, case.name);
        Ok(Opened { name, family, case, checkpoint, model })
    }

    fn cell(&self, library: &Library, form: &Form) -> anyhow::Result<String> {
        let target = library.get(&form.family)?;
        let source = Source {
            family: self.family,
            config: &self.case.config,
            architecture: self.model.architecture(),
        };
        let Ok(conversion) = target.converted(source, Some(form), Allowed::Length) else {
            return Ok("–".into());
        };
        let mut ids = self.case.reference.input_ids.clone();
        let grade = match conversion.grade {
            Grade::Bytes => "bytes".to_owned(),
            Grade::Exact => "exact".to_owned(),
            Grade::Within(tokens) => {
                ids.truncate(tokens);
                format!("≤ {tokens}")
            }
        };
        if form.is_gguf() {
            return Ok(grade);
        }
        let tensors = in_memory(&conversion.tensors, &self.checkpoint, Dtype::F32)?;
        let checkpoint = Checkpoint::from_parts(self.checkpoint.path(), conversion.config.clone(), tensors)?;
        let model = target.load(&conversion.config, &checkpoint, backend(), &Allow::default())?;
        let far = apart(&logits(&self.model, &ids)?, &logits(&model, &ids)?);
        Ok(if far == 0.0 { grade } else { format!("{grade} {far:.0e}") })
    }
}

/// The same bits on every machine, so that the page is the same.
fn backend() -> Backend {
    let backend = Backend::new(1, Compute::F32);
    backend.with_isa(Isa::Portable).unwrap_or(backend)
}

fn logits(model: &Model, ids: &[u32]) -> anyhow::Result<Array2<f32>> {
    let hidden = model.forward(ids, &mut model.cache(), &mut ())?;
    Ok(model.logits(hidden.view()))
}

fn apart(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let most = |values: &Array2<f32>| values.iter().fold(0f32, |most, x| most.max(x.abs()));
    most(&(a - b)) / most(a)
}
