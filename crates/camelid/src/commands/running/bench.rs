//! `camelid bench`: tokens per second, by the contract that the peers' commands keep.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{bail, ensure};
use camelid_families::{Backend, Cache, Compute, Model};
use camelid_generate::{Opened, argmax, memory, next_logits};

use crate::commands::options::model::{ComputeType, ModelArgs};
use crate::commands::options::number::{at_least, whole};
use crate::commands::running::reading::Reading;

/// Measure prefill and decode
///
/// Prompt token i is 3 + (i · 7919 + 17) mod (vocab − 3), without BOS. One pass to warm up (the whole prompt and two tokens),
/// then the timed one with an empty cache: the prompt until the arg max of the last position's logits is known, then single
/// tokens, greedy, each with its arg max. `checksum` is FNV-1a 64 over these ids as u32, little endian.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt
    #[arg(short, long, value_name = "P", default_value_t = 512, value_parser = at_least(1), allow_negative_numbers = true)]
    pub prompt_tokens: usize,
    /// Tokens after it
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = at_least(0), allow_negative_numbers = true)]
    pub new_tokens: usize,
    /// Threads [default: the physical cores]
    #[arg(short, long, value_name = "T", value_parser = whole(1_u16, 1024), allow_negative_numbers = true)]
    pub threads: Option<u16>,
    /// Insist that weights that are not quantised are stored in this type, and compute products in it [default: any type, products
    /// in f32 as `generate` has them]
    #[arg(long, value_enum)]
    pub dtype: Option<Stored>,
    /// Another type that products are computed in
    #[arg(long, value_enum)]
    pub compute: Option<ComputeType>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A type that weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Stored {
    /// Single precision.
    F32,
    /// bfloat16.
    Bf16,
}

/// What is told beside the rates.
struct Run {
    dtype: String,
    compute: Compute,
    threads: usize,
    load_s: f64,
    peak: Option<f64>,
    reading: Reading,
}

/// What a pass gave: its greedy ids, and its times in seconds.
struct Passed {
    ids: Vec<u32>,
    first_logit: f32,
    prefill_s: f64,
    decode_s: f64,
}

/// Runs `bench`.
///
/// # Errors
/// The checkpoint can't be read, is stored in another type, or the prompt is empty.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let begin = Instant::now();
    let opened = args.model.open()?;
    let dtype = stored(&opened, args.dtype)?;
    let own = match args.dtype {
        Some(Stored::Bf16) => Compute::Bf16,
        Some(Stored::F32) | None => Compute::F32,
    };
    let compute = args.compute.map_or(own, ComputeType::compute);
    let threads = args.threads.map_or_else(memory::cores, usize::from);
    let backend = Backend::new(threads, compute);
    let model = args.model.load(&opened, backend.clone())?;
    let load_s = begin.elapsed().as_secs_f64();
    let vocab = model.architecture().embedding.vocab;
    ensure!(vocab > 3, "a vocabulary of {vocab} ids holds no prompt");
    let prompt: Vec<u32> =
        (0..args.prompt_tokens as u64).map(|i| (3 + (i * 7919 + 17) % (vocab as u64 - 3)) as u32).collect();
    pass(&model, &prompt, 2)?;
    let passed = pass(&model, &prompt, args.new_tokens)?;
    let peak = peak_rss_mb();
    let reading = Reading::measure(&opened, &backend)?;
    let run = Run { dtype, compute, threads, load_s, peak, reading };
    report(&args, &run, &passed)?;
    Ok(ExitCode::SUCCESS)
}

/// The types that matrices are stored in, but quantised ones; it must be `wanted`, where one is: else the figure would be another's.
fn stored(opened: &Opened, wanted: Option<Stored>) -> anyhow::Result<String> {
    let matrices = opened.checkpoint().tensors().filter(|tensor| tensor.shape().len() > 1);
    let types: BTreeSet<String> = matrices
        .filter(|tensor| !tensor.dtype().is_quantised())
        .map(|tensor| tensor.dtype().to_string().to_lowercase())
        .collect();
    let types: Vec<String> = types.into_iter().collect();
    let wanted = match wanted {
        Some(Stored::F32) => "f32",
        Some(Stored::Bf16) => "bf16",
        None if types.is_empty() => return Ok("f32".to_owned()),
        None => return Ok(types.join(", ")),
    };
    if let Some(other) = types.iter().find(|stored| *stored != wanted) {
        bail!("--dtype {wanted}: this model has weights in {other}; without --dtype any type is measured");
    }
    Ok(wanted.to_owned())
}

fn pass(model: &Model, prompt: &[u32], new_tokens: usize) -> anyhow::Result<Passed> {
    let mut cache = model.cache();
    let begin = Instant::now();
    let (first, first_logit) = next(model, prompt, &mut cache)?;
    let prefill_s = begin.elapsed().as_secs_f64();
    let mut ids = vec![first];
    let begin = Instant::now();
    for step in 0..new_tokens {
        ids.push(next(model, &[ids[step]], &mut cache)?.0);
    }
    Ok(Passed { ids, first_logit, prefill_s, decode_s: begin.elapsed().as_secs_f64() })
}

/// The arg max after these tokens, the first of the largest, with its logit.
fn next(model: &Model, tokens: &[u32], cache: &mut Cache) -> anyhow::Result<(u32, f32)> {
    let logits = next_logits(model, tokens, cache)?;
    let id = argmax(&logits);
    Ok((id, logits[id as usize]))
}

fn report(args: &Args, run: &Run, passed: &Passed) -> anyhow::Result<()> {
    let prefill = args.prompt_tokens as f64 / passed.prefill_s;
    let decode = (args.new_tokens > 0).then(|| args.new_tokens as f64 / passed.decode_s);
    let checksum = format!("{:016x}", checksum(&passed.ids));
    let compute = match run.compute {
        Compute::F32 => "f32",
        Compute::Bf16 => "bf16",
        Compute::Q8 => "q8",
    };
    if args.json {
        let report = serde_json::json!({
            "peer": "camelid", "version": env!("CARGO_PKG_VERSION"), "dtype": run.dtype, "compute": compute,
            "threads": run.threads, "load_s": run.load_s, "prompt_tokens": args.prompt_tokens,
            "new_tokens": args.new_tokens, "prefill_tok_s": prefill, "decode_tok_s": decode,
            "peak_rss_mb": run.peak, "first_logits_argmax": passed.ids[0],
            "first_logit_max": passed.first_logit, "checksum": checksum,
            "weight_bytes": run.reading.file, "bytes_per_token": run.reading.per_token,
            "read_gb_s": run.reading.rate / 1e9, "share_of_memory": decode.map(|rate| run.reading.share(rate)),
        });
        outln!("{report}");
        return Ok(());
    }
    outln!("prefill  {prefill:>9.1} tokens a second ({} tokens)", args.prompt_tokens);
    if let Some(decode) = decode {
        outln!("decode   {decode:>9.1} tokens a second ({} tokens)", args.new_tokens);
    }
    outln!("load     {:>9.3} s", run.load_s);
    if let Some(peak) = run.peak {
        outln!("memory   {peak:>9.1} MB at most");
    }
    print_reading(&run.reading, decode);
    outln!("stored as {}, computed in {compute}, {} threads, checksum {checksum}", run.dtype, run.threads);
    Ok(())
}

fn print_reading(reading: &Reading, decode: Option<f64>) {
    let [file, token] = [reading.file, reading.per_token].map(memory::written);
    let share = decode.map(|rate| format!(": decode is {:.0} % of that", 100.0 * reading.share(rate)));
    outln!("weights  {file} in all, {token} read for each token, by which this machine would");
    outln!(
        "         decode {:.1} tokens a second at the {:.1} GB/s that it reads them with{}",
        reading.rate / reading.per_token.max(1) as f64,
        reading.rate / 1e9,
        share.unwrap_or_default(),
    );
}

/// FNV-1a 64 over the ids as u32, little endian.
fn checksum(ids: &[u32]) -> u64 {
    ids.iter()
        .flat_map(|id| id.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The most memory that this process has held, in MiB, where the system tells.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some((kib / 1024.0 * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(super::checksum(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::checksum(&[0x6c6c_6568]), 0x0a98_fccc_5fa2_3b26); // "hell"
    }
}
