//! The result in the engine that it was written for, if that is there: its logits beside the source's.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use camelid_checkpoint::{Checkpoint, Dtype};
use camelid_generate::Opened;
use ndarray::Array2;

use super::choose::Chosen;
use super::proof::{GROWTH, distance, ids, run as run_source};
use super::staged::Staged;
use super::written::Rounded;

const TRANSFORMERS: &str = include_str!("data/transformers.py");
const IN_FILES: &str = include_str!("data/gguf.py");
const TOKENS: usize = 24;
/// What f32 in another engine may differ by; llama.cpp's table of GELU in half precision differs by more, and so do its
/// products with weights of 16 bits, for which it rounds the other factor to their type.
const LIMIT: f64 = 2e-5;
const GELU_LIMIT: f64 = 5e-3;
const F16_LIMIT: f64 = 5e-3;
const BF16_LIMIT: f64 = 3e-2;

/// Runs the result; a line about it.
///
/// # Errors
/// The program can't be run, the engine is not there or refuses the result, or the logits differ by more than arithmetic does.
pub(super) fn run(
    program: &str,
    staged: &Staged,
    (opened, chosen): (&Opened, &Chosen<'_>),
    rounded: &[Rounded],
) -> anyhow::Result<String> {
    let (script, program) = match program {
        "llama.cpp" => (IN_FILES, "python3"),
        "python" => (script(chosen), "python3"),
        other => (script(chosen), other),
    };
    let ids = ids(TOKENS, opened, chosen)?;
    let wanted = run_source(opened, &ids)?.logits;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("logits.bin");
    let list = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let output = Command::new(program)
        .args(["-c", script])
        .arg(staged.path())
        .arg(&list)
        .arg(&out)
        .output()
        .with_context(|| format!("{program}: it can't be run"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = error.lines().rev().take(3).collect();
        bail!(
            "{program}: the engine did not run the result: {}",
            last.into_iter().rev().collect::<Vec<_>>().join(" / ")
        );
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let found = read(&out, wanted.dim())?;
    let error = distance(&wanted, &found);
    let arithmetic = if chosen.is_gguf() { in_files(staged, chosen)? } else { LIMIT };
    let limit = arithmetic + GROWTH * rounded.iter().map(|it| it.by).fold(0.0, f64::max);
    ensure!(
        error <= limit,
        "{version} gives other logits than the source: {error:.1e} off, where {limit:.0e} is what arithmetic and rounding explain"
    );
    Ok(format!("run in {version}: logits within {error:.1e} of the source's over {} tokens", ids.len()))
}

fn script(chosen: &Chosen<'_>) -> &'static str {
    if chosen.is_gguf() { IN_FILES } else { TRANSFORMERS }
}

/// What llama.cpp's arithmetic explains.
fn in_files(staged: &Staged, chosen: &Chosen<'_>) -> anyhow::Result<f64> {
    let file = Checkpoint::open(staged.path())?;
    let matrices = file.tensors().filter(|tensor| tensor.shape().len() > 1);
    let stored = matrices.map(|tensor| match tensor.dtype() {
        Dtype::Bf16 => BF16_LIMIT,
        Dtype::F16 => F16_LIMIT,
        _ => LIMIT,
    });
    let gelu = if is_gelu(chosen) { GELU_LIMIT } else { LIMIT };
    Ok(stored.fold(gelu, f64::max))
}

fn is_gelu(chosen: &Chosen<'_>) -> bool {
    let layers = &chosen.conversion.architecture.layers;
    layers.iter().any(|layer| serde_json::to_value(layer.mlp.activation).is_ok_and(|it| it != "silu"))
}

fn read(path: &Path, dim: (usize, usize)) -> anyhow::Result<Array2<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let count = numbers.len();
    Array2::from_shape_vec(dim, numbers)
        .map_err(|_| anyhow::anyhow!("the engine gave {count} logits, not {} × {}", dim.0, dim.1))
}
