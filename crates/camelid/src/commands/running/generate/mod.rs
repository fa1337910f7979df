//! `camelid generate`: text from a checkpoint.

mod batch;
mod sampling;

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::bail;
use camelid_generate::{Defaults, Opened, Session, Settings, Stop, framed};
use camelid_tokenizers::Tokenizer;

use self::batch::Batch;
use self::sampling::SamplingArgs;
use crate::commands::options::model::{MachineArgs, ModelArgs};
use crate::commands::options::number::at_least;
use crate::commands::output::print::write;
use crate::commands::running::chat;
use crate::commands::running::interrupt::{INTERRUPTED, Interrupt};
use crate::commands::running::loaded::{Loaded, Printed};
use crate::commands::running::messages::{Talk, TalkArgs};
use crate::commands::running::prompt::{PromptArgs, fits};

/// Tokens where nobody says how many.
const NEW_TOKENS: usize = 256;

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
    /// The prompt
    #[command(flatten)]
    pub prompt: PromptArgs,
    /// A conversation
    #[command(flatten)]
    pub talk: TalkArgs,
    /// Answer each line of a file, {"prompt": …} or {"messages": …}, with a line of JSON; an "id" is given back
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["PromptArgs", "chat", "messages", "system", "print_prompt"])]
    pub batch: Option<String>,
    /// Print the prompt as the model would read it, and nothing more; with --json, its ids too. No weights are read
    #[arg(long)]
    pub print_prompt: bool,
    /// At most so many tokens [default: as generation_config.json says, else 256]
    #[arg(short = 'n', long, visible_aliases = ["max-tokens", "n-predict"], value_name = "N", value_parser = at_least(0), allow_negative_numbers = true)]
    pub max_new_tokens: Option<usize>,
    /// The longest sequence in tokens, in place of the length that the checkpoint was made for
    #[arg(short, long, visible_alias = "ctx-size", value_name = "N", value_parser = at_least(1), allow_negative_numbers = true)]
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
    /// In the JSON, tell of each token its logarithm of probability, and those of the K likeliest, by the model alone: before
    /// penalties, temperature and cuts [default K: 0]
    #[arg(long, value_name = "K", num_args = 0..=1, default_missing_value = "0", value_parser = at_least(0), allow_negative_numbers = true)]
    pub logprobs: Option<usize>,
}

/// Runs `generate`.
///
/// # Errors
/// The checkpoint can't be read or does not fit, the prompt is too long, or an option is out of range.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    check(&args)?;
    let begin = Instant::now();
    let opened = args.model.open()?;
    let tokenizer = opened.tokenizer()?;
    let opening = begin.elapsed();
    let talk = talk(&args, &opened, &*tokenizer)?;
    let settings = settings(&args, &opened.defaults()?, talk.as_ref(), &*tokenizer)?;
    let prompt = prompt(&args, &opened, &*tokenizer, &settings, talk.as_ref())?;
    if args.print_prompt {
        return print_prompt(&args, prompt);
    }
    let template = args.talk.chat_template.as_deref();
    let batch = args.batch.as_deref().map(|file| Batch::open(file, &opened, &*tokenizer, template));
    let batch = batch.transpose()?;
    let interrupt = Interrupt::install()?;
    let begin = Instant::now();
    let model = args.model.load(&opened, args.machine.backend())?;
    // What a prompt takes to be typed is no part of it.
    let load_s = (opening + begin.elapsed()).as_secs_f64();
    let printed = match (args.json || args.batch.is_some(), args.model.quiet) {
        (true, _) => Printed::Json,
        (false, true) => Printed::Text,
        (false, false) => Printed::TextAndFigures,
    };
    let loaded = Loaded { printed, model, tokenizer, settings, interrupt, load_s, told: Cell::new(false) };
    let ended = match (batch, talk) {
        (Some(batch), _) => return batch.run(&loaded),
        (None, Some(talk)) => chat::converse(&loaded, talk, goes_on(&args)),
        (None, None) => {
            let mut session = Session::new(&loaded.model, &*loaded.tokenizer);
            loaded.turn(&mut session, &prompt.map(|(_, ids)| ids).unwrap_or_default()).map(|turn| turn.stop)
        }
    };
    match ended? {
        Some(Stop::Interrupt) => Ok(ExitCode::from(INTERRUPTED)),
        Some(Stop::Eos | Stop::Text | Stop::Length | Stop::Context) | None => Ok(ExitCode::SUCCESS),
    }
}

/// What options mean nothing alone.
fn check(args: &Args) -> anyhow::Result<()> {
    let talks = args.talk.chat || args.talk.messages.is_some();
    if !talks && (args.talk.system.is_some() || args.talk.chat_template.is_some() && args.batch.is_none()) {
        bail!("--system and --chat-template are for a conversation: give --chat or --messages");
    }
    if args.logprobs.is_some() && !args.json && args.batch.is_none() {
        bail!("--logprobs stands in the JSON: give --json too");
    }
    Ok(())
}

/// Whether a conversation goes on with what is typed.
fn goes_on(args: &Args) -> bool {
    args.talk.chat && !args.prompt.is_given() && !args.print_prompt
}

/// The conversation that the options begin, if any.
fn talk(args: &Args, opened: &Opened, tokenizer: &dyn Tokenizer) -> anyhow::Result<Option<Talk>> {
    if !args.talk.chat && args.talk.messages.is_none() {
        return Ok(None);
    }
    if args.talk.messages.as_deref() == Some("-") && goes_on(args) {
        bail!("--messages - and --chat both read standard input; name a file of messages");
    }
    let talk = Talk::begin(&args.talk, args.prompt.given()?.as_deref(), opened, tokenizer)?;
    talk.chat.note.iter().for_each(|text| args.model.note(text));
    Ok(Some(talk))
}

/// The options over what the checkpoint says.
fn settings(
    args: &Args,
    defaults: &Defaults,
    talk: Option<&Talk>,
    tokenizer: &dyn Tokenizer,
) -> anyhow::Result<Settings> {
    let sampling = args.sampling.over(defaults.sampling);
    if sampling.is_greedy() && args.sampling.is_of_chance() {
        args.model.note(
            "--top-k, --top-p, --min-p and --seed do nothing here: the likeliest token is taken; give --temperature",
        );
    }
    for unread in &defaults.unread {
        args.model.note(&format!("generation_config.json: {unread} is not implemented, and has no effect"));
    }
    // What ends a text of the family ends it still where a file names another end.
    let stop_ids = [tokenizer.frame().stop.as_slice(), &defaults.eos].concat();
    let turns = talk.map(|talk| talk.chat.stop.as_slice()).unwrap_or_default();
    let stop_texts = args.stop.iter().chain(&defaults.stop_texts).chain(turns).cloned().collect();
    let max_new_tokens = args.max_new_tokens.or(defaults.max_new_tokens).unwrap_or(NEW_TOKENS);
    Ok(Settings {
        sampling,
        max_new_tokens,
        stop_ids,
        stop_texts,
        context: args.context,
        continues: talk.is_none(),
        logprobs: args.logprobs,
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
        Some(talk) if talk.waits(goes_on(args)) => {
            let prompt = talk.chat.template.render(&talk.said, talk.ending())?;
            (prompt.text(), prompt.ids(tokenizer)?)
        }
        Some(_) if args.print_prompt => bail!("--print-prompt: nothing is said; give --messages or --prompt"),
        Some(_) => return Ok(None),
        None if args.batch.is_some() => return Ok(None),
        None => {
            let text = args.prompt.read()?;
            let ids = framed(tokenizer, &text)?;
            (text, ids)
        }
    };
    fits(&ids, settings.context, opened)?;
    Ok(Some((text, ids)))
}

/// `--print-prompt`: the text as it is, or one JSON object.
fn print_prompt(args: &Args, prompt: Option<(String, Vec<u32>)>) -> anyhow::Result<ExitCode> {
    let (text, ids) = prompt.unwrap_or_default();
    if args.json {
        outln!("{}", serde_json::json!({ "prompt": text, "prompt_ids": ids }));
    } else {
        write(text.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
