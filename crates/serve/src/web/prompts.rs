//! From what is asked to what the engine is handed: ids, settings, and what is repeated of the prompt.

use camelid_generate::{Ending, Message, Settings, any_seed, memory};

use crate::answered::gathered::Echo;
use crate::answered::shape::Kind;
use crate::asked::chat::Chat;
use crate::asked::completion::{Asked, Completion};
use crate::asked::options::Options;
use crate::error::Error;
use crate::web::app::App;

/// What the engine is to do for a request.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) kind: Kind,
    pub(crate) prompts: Vec<Vec<u32>>,
    pub(crate) echoes: Vec<Option<Echo>>,
    pub(crate) settings: Settings,
    pub(crate) options: Options,
}

impl Work {
    pub(crate) fn of_completion(app: &App, asked: Completion) -> Result<Work, Error> {
        let Completion { options, prompts, max_tokens, echo, logprobs } = asked;
        app.is_served(&options.model)?;
        let (mut all, mut echoes) = (Vec::new(), Vec::new());
        for prompt in prompts {
            let ids = ids(app, &prompt)?;
            echoes.push(if echo { Some(repeated(app, prompt, &ids)?) } else { None });
            all.push(ids);
        }
        let prompts = all;
        let settings = Settings { logprobs, ..settings(app, &options, max_tokens, &[]) };
        let work = Work { kind: Kind::Completion, prompts, echoes, settings, options };
        work.check(app)
    }

    pub(crate) fn of_chat(app: &App, asked: Chat) -> Result<Work, Error> {
        let Chat { options, mut said, max_tokens, logprobs } = asked;
        app.is_served(&options.model)?;
        let chat = app.chat.as_ref().map_err(|error| Error::field("messages", error.as_str()))?;
        if !said.has_system() {
            let system = chat.system.as_deref().map(|text| Message::new("system", text));
            said.messages.splice(0..0, system);
        }
        // As everywhere in Camelid: an answer that stands at the end goes on.
        let ending = if said.ends_in_an_answer() { Ending::Open } else { Ending::Answer };
        let prompt = chat.template.render(&said, ending)?.ids(&*app.tokenizer)?;
        let most = max_tokens.or(app.defaults.max_new_tokens).unwrap_or(app.limits.context);
        let settings = settings(app, &options, most, &chat.stop);
        let settings = Settings { continues: false, logprobs, ..settings };
        let (prompts, echoes) = (vec![prompt], vec![None]);
        Work { kind: Kind::Chat, prompts, echoes, settings, options }.check(app)
    }

    /// Whether the prompts' own tokens are scored.
    pub(crate) fn scores_prompt(&self) -> bool {
        self.settings.logprobs.is_some() && self.echoes.iter().any(Option::is_some)
    }

    /// Bytes that the caches of one prompt's texts take at most.
    pub(crate) fn needed(&self, app: &App, prompt: &[u32]) -> u64 {
        let longest = prompt.len().saturating_add(self.settings.max_new_tokens).min(app.limits.context);
        memory::sequence_bytes(&app.architecture, longest).saturating_mul(self.options.n as u64)
    }

    /// Refuses what could never be done, before it waits.
    fn check(self, app: &App) -> Result<Work, Error> {
        let (vocab, context) = (app.architecture.embedding.vocab, app.limits.context);
        for prompt in &self.prompts {
            if prompt.is_empty() {
                return Err(camelid_generate::Error::EmptyPrompt.into());
            }
            if prompt.len() > context {
                return Err(camelid_generate::Error::TooLong { tokens: prompt.len(), context }.into());
            }
            if let Some(id) = prompt.iter().find(|id| **id as usize >= vocab) {
                let message = format!("`prompt` holds the id {id}, and the vocabulary ends before {vocab}");
                return Err(Error::field("prompt", message).coded("invalid_value"));
            }
            let (needed, memory) = (self.needed(app, prompt), app.limits.memory);
            if needed > memory {
                let message = format!(
                    "the texts' keys and values would take {}, and this server has {} for them: ask for fewer tokens or a smaller `n`",
                    memory::written(needed),
                    memory::written(memory)
                );
                return Err(Error::invalid(message));
            }
        }
        let (n, parallel) = (self.options.n, app.limits.parallel);
        if n > parallel {
            let message = format!("`n` = {n}, and this server runs {parallel} texts at once (--parallel)");
            return Err(Error::field("n", message).coded("invalid_value"));
        }
        let (texts, all) = (self.prompts.len().saturating_mul(n), app.places.all());
        if texts > all {
            let message = format!(
                "{texts} texts are asked for at once, and this server takes {all}: send fewer prompts"
            );
            return Err(Error::field("prompt", message).coded("invalid_value"));
        }
        Ok(self)
    }
}

/// A prompt's ids, within the frame that the tokenizer puts around a text.
fn ids(app: &App, prompt: &Asked) -> Result<Vec<u32>, Error> {
    match prompt {
        Asked::Ids(ids) => Ok(ids.clone()),
        Asked::Text(text) => camelid_generate::framed(&*app.tokenizer, text)
            .map_err(|error| Error::field("prompt", error.to_string())),
    }
}

/// A text as it was given; the text of ids.
fn repeated(app: &App, prompt: Asked, ids: &[u32]) -> Result<Echo, Error> {
    let text = match prompt {
        Asked::Text(text) => text,
        Asked::Ids(_) => {
            app.tokenizer.decode(ids).map_err(|error| Error::field("prompt", error.to_string()))?
        }
    };
    Ok(Echo { text, first: ids.first().copied() })
}

fn settings(app: &App, options: &Options, max_new_tokens: usize, turns: &[String]) -> Settings {
    let ends = app.defaults.stop_texts.iter().chain(turns);
    Settings {
        sampling: options.sampling(&app.defaults, options.seed.unwrap_or_else(any_seed)),
        max_new_tokens,
        stop_ids: [app.tokenizer.frame().stop.as_slice(), &app.defaults.eos].concat(),
        stop_texts: options.stop.iter().chain(ends).cloned().collect(),
        context: Some(app.limits.context),
        continues: true,
        ..Settings::default()
    }
}
