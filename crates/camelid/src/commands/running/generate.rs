//! `camelid generate`: text from a checkpoint.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use camelid_generate::{Defaults, Opened, Sampling, Session, Settings, Stop, any_seed};
use camelid_tokenizers::Tokenizer;

use crate::commands::options::model::{MachineArgs, ModelArgs, load};
use crate::commands::output::style::note;
use crate::commands::running::chat;
use crate::commands::running::interrupt::Interrupt;
use crate::commands::running::loaded::Loaded;
use crate::commands::running::messages::{Talk, TalkArgs};
use crate::commands::running::prompt::{fits, plain};

/// Tokens where nobody says how many.
const NEW_TOKENS: usize = 256;
/// The status of a command that was interrupted, as shells count it.
const INTERRUPTED: u8 = 130;

/// Continue a prompt, or hold a conversation
///
/// The text goes to standard output as it is generated; what it took goes to standard error. The likeliest token is always
/// taken, unless --temperature or the checkpoint's generation_config.json asks for chance. Ctrl-C ends the text.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which checkpoint
    #[command(flatten)]
    pub model: ModelArgs,
    /// Where the arithmetic runs
    #[command(flatten)]
    pub machine: MachineArgs,
    /// The prompt; standard input where it is not given
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// A conversation
    #[command(flatten)]
    pub talk: TalkArgs,
    /// Print the prompt as the model would read it, and nothing more; with --json, its ids too. No weights are read
    #[arg(long)]
    pub print_prompt: bool,
    /// At most so many tokens [default: as generation_config.json says, else 256]
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// The longest sequence in tokens, in place of the length that the checkpoint was made for
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// How the next token is chosen
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// A text that ends the text (repeatable)
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Print one JSON object in place of the text; in a conversation, one for each turn
    #[arg(long)]
    pub json: bool,
}

/// How the next token is chosen. What is not given is as the checkpoint's generation_config.json says.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct SamplingArgs {
    /// Divide logits by this before drawing; 0 takes the likeliest
    #[arg(long, value_name = "T")]
    pub temperature: Option<f32>,
    /// Draw among the K likeliest; 0 is all [default: as generation_config.json says, else 50, as transformers has it]
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Draw among the likeliest that together reach the probability P
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    /// Draw among those with at least P times the probability of the likeliest
    #[arg(long, value_name = "P")]
    pub min_p: Option<f32>,
    /// Divide (where negative, multiply) the logits of tokens seen by this
    #[arg(long, value_name = "R")]
    pub repetition_penalty: Option<f32>,
    /// Begin the stream of chance here [default: anywhere]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Runs `generate`.
///
/// # Errors
/// The checkpoint can't be read or does not fit, the prompt is too long, or an option is out of range.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let begin = Instant::now();
    let opened = args.model.open()?;
    let tokenizer = opened.tokenizer()?;
    let talks = args.talk.chat || args.talk.messages.is_some();
    if !talks && (args.talk.system.is_some() || args.talk.chat_template.is_some()) {
        bail!("--system and --chat-template are for a conversation: give --chat or --messages");
    }
    let talk =
        talks.then(|| Talk::begin(&args.talk, args.prompt.as_deref(), &opened, &*tokenizer)).transpose()?;
    if let Some(note_on_template) = talk.as_ref().and_then(|talk| talk.chat.note.as_ref()) {
        note(note_on_template);
    }
    let settings = settings(&args, &opened.defaults()?, talk.as_ref(), &*tokenizer)?;
    let prompt = prompt(&args, &opened, &*tokenizer, &settings, talk.as_ref())?;
    if args.print_prompt {
        return print_prompt(&args, prompt);
    }
    let interrupt = Interrupt::install()?;
    let model = load(&opened, args.machine.backend())?;
    let load_s = begin.elapsed().as_secs_f64();
    let loaded = Loaded { json: args.json, model, tokenizer, settings, interrupt, load_s };
    let ended = match talk {
        Some(talk) => chat::converse(&loaded, talk, args.talk.chat && args.prompt.is_none()),
        None => {
            let mut session = Session::new(&loaded.model, &*loaded.tokenizer);
            loaded.turn(&mut session, &prompt.map(|(_, ids)| ids).unwrap_or_default()).map(|turn| turn.stop)
        }
    };
    match ended {
        Ok(Some(Stop::Interrupt)) => Ok(ExitCode::from(INTERRUPTED)),
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// Whoever read our output has had enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The options over what the checkpoint says.
fn settings(
    args: &Args,
    defaults: &Defaults,
    talk: Option<&Talk>,
    tokenizer: &dyn Tokenizer,
) -> anyhow::Result<Settings> {
    let SamplingArgs { temperature, top_k, top_p, min_p, repetition_penalty, seed } = args.sampling;
    let said = defaults.sampling;
    let sampling = Sampling {
        temperature: temperature.unwrap_or(said.temperature),
        top_k: top_k.unwrap_or(said.top_k),
        top_p: top_p.unwrap_or(said.top_p),
        min_p: min_p.unwrap_or(said.min_p),
        repetition_penalty: repetition_penalty.unwrap_or(said.repetition_penalty),
        seed: seed.unwrap_or_else(any_seed),
    };
    if sampling.is_greedy() && (top_k.is_some() || top_p.is_some() || min_p.is_some() || seed.is_some()) {
        note(
            "--top-k, --top-p, --min-p and --seed do nothing here: the likeliest token is taken; give --temperature",
        );
    }
    for unread in &defaults.unread {
        note(&format!("generation_config.json: {unread} is not implemented, and has no effect"));
    }
    // What ends a text of the family ends it still where a file names another end.
    let stop_ids = [tokenizer.frame().stop.as_slice(), &defaults.eos].concat();
    let turns = talk.map(|talk| talk.chat.stop.as_slice()).unwrap_or_default();
    let stop_texts = args.stop.iter().chain(&defaults.stop_texts).chain(turns).cloned().collect();
    let max_new_tokens = args.max_new_tokens.or(defaults.max_new_tokens).unwrap_or(NEW_TOKENS);
    if args.context == Some(0) {
        bail!("--context 0: at least one token");
    }
    Ok(Settings {
        sampling,
        max_new_tokens,
        stop_ids,
        stop_texts,
        context: args.context,
        continues: talk.is_none(),
        ..Settings::default()
    })
}

/// The prompt that waits for a text, as text and as ids; refused where it is too long, before anything is loaded.
fn prompt(
    args: &Args,
    opened: &Opened,
    tokenizer: &dyn Tokenizer,
    settings: &Settings,
    talk: Option<&Talk>,
) -> anyhow::Result<Option<(String, Vec<u32>)>> {
    let (text, ids) = match talk {
        Some(talk) if talk.waits(args.talk.chat && args.prompt.is_none() && !args.print_prompt) => {
            let prompt = talk.chat.template.render(&talk.said, talk.ending())?;
            (prompt.text(), prompt.ids(tokenizer)?)
        }
        Some(_) if args.print_prompt => bail!("--print-prompt: nothing is said; give --messages or --prompt"),
        Some(_) => return Ok(None),
        None => plain(args.prompt.as_deref(), tokenizer)?,
    };
    fits(&ids, settings.context, opened)?;
    Ok(Some((text, ids)))
}

/// `--print-prompt`: the text as it is, or one JSON object.
fn print_prompt(args: &Args, prompt: Option<(String, Vec<u32>)>) -> anyhow::Result<ExitCode> {
    let (text, ids) = prompt.unwrap_or_default();
    let mut out = std::io::stdout();
    let written = if args.json {
        writeln!(out, "{}", serde_json::json!({ "prompt": text, "prompt_ids": ids }))
    } else {
        write!(out, "{text}").and_then(|()| out.flush())
    };
    match written.map_err(anyhow::Error::from) {
        Err(error) if !is_broken_pipe(&error) => Err(error),
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}
