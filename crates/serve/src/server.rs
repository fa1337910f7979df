//! The server: a socket, the thread that owns the model, and the end of both.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use camelid_families::Model;
use camelid_generate::memory;
use camelid_tokenizers::Tokenizer;

use crate::answered::spelling::Spelling;
use crate::engine::job::Job;
use crate::engine::place::Places;
use crate::engine::scheduler::{Bounds, Scheduler};
use crate::metrics::Metrics;
use crate::setup::{Limits, Setup};
use crate::stop::Stop;
use crate::web::access::{Access, Guard};
use crate::web::app::{App, now};
use crate::web::listen::listen;
use crate::web::routes::router;

/// Answers that are written when the server ends may take so long beyond the time of an answer.
const GRACE: Duration = Duration::from_secs(5);

/// A server that listens, and answers once it runs.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: App,
    model: Model,
    jobs: Receiver<Job>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The address can't be had.
    pub fn bind(setup: Setup, limits: Limits, address: SocketAddr, access: &Access) -> io::Result<Server> {
        let guard = Guard::new(access, address.ip().is_loopback());
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let Setup { name, model, tokenizer, chat, defaults, weights: _ } = setup;
        let (sender, jobs) = channel();
        let app = App {
            name,
            created: now(),
            architecture: model.architecture().clone(),
            spelling: Spelling::new(tokenizer.clone()),
            tokenizer,
            chat,
            defaults,
            guard,
            metrics: Arc::new(Metrics::new()),
            places: Places::new(limits.parallel.saturating_add(limits.queue)),
            limits,
            jobs: sender,
            stopping: AtomicBool::new(false),
            answers: AtomicU64::new(0),
        };
        Ok(Server { listener, app, model, jobs })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What a user should know: the model and the limits, a line each.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let Limits { parallel, queue, context, memory, prefixes, body, connections, timeout, arrival } =
            &self.app.limits;
        let own = match self.app.architecture.stack.context {
            Some(own) if own != *context => format!(" (the model was made for {own})"),
            Some(_) | None => String::new(),
        };
        let prefixes = match prefixes {
            0 => "no prompt is remembered".to_owned(),
            bytes => format!("{} of read prompts are remembered", memory::written(*bytes as u64)),
        };
        let mut lines = vec![
            format!("model `{}`, sequences of {context} tokens at most{own}", self.app.name),
            format!(
                "{parallel} texts at once in {} of keys and values, {queue} more wait",
                memory::written(*memory)
            ),
            format!(
                "{prefixes}; a request has {} at most and {} s to arrive",
                memory::written(*body as u64),
                arrival.as_secs()
            ),
            format!("an answer may take {} s; {connections} connections at once", timeout.as_secs()),
        ];
        match &self.app.chat {
            Ok(chat) => lines.extend(chat.note.clone()),
            Err(_) => lines.push("no conversations: there is no chat template".into()),
        }
        let unread = self.app.defaults.unread.iter();
        lines.extend(
            unread.map(|unread| {
                format!("generation_config.json: {unread} is not implemented, and has no effect")
            }),
        );
        lines
    }

    /// Answers until it is asked to stop; then what runs ends, and nothing new is taken.
    ///
    /// # Errors
    /// The system gives no threads or sockets, or the engine broke.
    pub fn run(self, stop: Stop) -> io::Result<()> {
        let Server { listener, app, model, jobs } = self;
        let app = Arc::new(app);
        let broken = Stop::default();
        let engine = engine(&app, model, jobs, broken.clone())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let aborted = runtime.block_on(async {
            stop.heed()?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let limits = &app.limits;
            let bounds = (limits.connections, limits.arrival, limits.timeout + GRACE);
            let ends = async {
                tokio::select! { () = stop.asked(1) => {}, () = broken.asked(1) => {} }
                app.stopping.store(true, Ordering::Relaxed);
                drained(&app).await;
            };
            let listening = listen(listener, router(app.clone()), bounds, ends);
            tokio::select! {
                () = listening => Ok::<_, io::Error>(false),
                () = stop.asked(2) => Ok(true),
            }
        })?;
        runtime.shutdown_timeout(Duration::from_secs(1));
        drop(app);
        if aborted {
            return Ok(());
        }
        engine.join().map_err(|_| io::Error::other("the engine broke; this is a bug in Camelid"))
    }
}

/// Until all texts have ended. New connections are still answered, with a refusal.
async fn drained(app: &App) {
    tracing::info!(texts = app.places.taken(), "stopping");
    while app.places.taken() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The thread that owns the model. However it ends, `broken` is told.
fn engine(app: &Arc<App>, model: Model, jobs: Receiver<Job>, broken: Stop) -> io::Result<JoinHandle<()>> {
    let limits = &app.limits;
    let bounds = Bounds { parallel: limits.parallel, memory: limits.memory, prefixes: limits.prefixes };
    let (tokenizer, metrics): (Arc<dyn Tokenizer>, _) = (app.tokenizer.clone(), app.metrics.clone());
    std::thread::Builder::new().name("engine".into()).spawn(move || {
        let _ended = Ended(broken);
        Scheduler::new((&model, &*tokenizer), bounds, jobs, metrics).run();
    })
}

/// Asks to stop when it is dropped.
struct Ended(Stop);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ask();
    }
}
