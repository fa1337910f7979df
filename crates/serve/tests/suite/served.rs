//! A server of the small story model, on a port of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use camelid_families::{Backend, Library};
use camelid_generate::{How, Opened};
use camelid_serve::{Access, Limits, Server, Setup, Stop};
use serde_json::{Value as Json, json};

use crate::client::{Answer, post};

pub(crate) fn stories() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/models/stories260k"))
}

pub(crate) fn open(folder: &Path) -> Opened {
    let library = Library::built_in().expect("the families");
    Opened::open(&library, &folder.display().to_string(), &How::default()).expect("it opens")
}

/// A server that runs until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new() -> Served {
        Served::with(|_| {}, None)
    }

    pub(crate) fn with(limit: impl FnOnce(&mut Limits), key: Option<&str>) -> Served {
        let access = Access { key: key.map(str::to_owned), ..Access::default() };
        Served::of(&stories(), limit, &access)
    }

    pub(crate) fn of(folder: &Path, limit: impl FnOnce(&mut Limits), access: &Access) -> Served {
        let opened = open(folder);
        let model = opened.model(Backend::serial(), &mut |_, _| {}).expect("it loads");
        let setup = Setup::new(&opened, model, Some("stories".into())).expect("all that belongs to it");
        let mut limits = Limits::for_model(setup.model.architecture(), setup.weights);
        limit(&mut limits);
        let any = "127.0.0.1:0".parse().expect("an address");
        let server = Server::bind(setup, limits, any, access).expect("a port");
        let (address, stop) = (server.address().expect("an address"), Stop::default());
        let asked = stop.clone();
        let thread = Some(std::thread::spawn(move || server.run(asked).expect("it ends well")));
        Served { address, stop, thread }
    }

    /// Asks for a completion, greedy unless the request says otherwise.
    #[track_caller]
    pub(crate) fn complete(&self, request: Json) -> Json {
        let answer = self.ask(request);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    #[track_caller]
    pub(crate) fn ask(&self, request: Json) -> Answer {
        let mut all = json!({ "model": "stories", "temperature": 0 });
        let fields = request.as_object().expect("an object").clone();
        all.as_object_mut().expect("an object").extend(fields);
        post(self.address, "/v1/completions", &all)
    }

    /// Waits for its end.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("it ends well");
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.ask();
        self.join();
    }
}

/// The text of a choice.
#[track_caller]
pub(crate) fn text(answer: &Json, choice: usize) -> &str {
    answer["choices"][choice]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}
