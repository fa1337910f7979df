//! `camelid fetch` from a small server on loopback that speaks the hub's interface, and bends it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::models::{camelid, run, stories, text};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";

/// What is wrong with a hub.
#[derive(Debug, Clone, Copy, Default)]
struct Bent {
    /// So many answers with weights end after `after` bytes.
    cuts: usize,
    after: usize,
    /// The weights are others than the list says.
    lies: bool,
    /// Everything is answered by this status.
    refuses: Option<u16>,
    /// Weights are said to lie at this port of another host.
    elsewhere: Option<u16>,
}

/// A hub on loopback, with what it was asked.
struct Hub {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The small model and what nobody needs, with two GGUF files in a second one.
fn files(model: &str) -> Vec<(&'static str, Vec<u8>)> {
    let own = |name| std::fs::read(stories().join(name)).expect("the file");
    match model {
        "what" => vec![
            ("README.md", b"# What".to_vec()),
            ("config.json", own("config.json")),
            (WEIGHTS, own(WEIGHTS)),
            ("pytorch_model.bin", vec![0; 64]),
            ("original/params.json", b"{}".to_vec()),
            ("tokenizer.model", own("tokenizer.model")),
        ],
        _ => vec![("a-Q4_K_M.gguf", b"GGUF four".to_vec()), ("sub/a-Q8_0.gguf", b"GGUF eight".to_vec())],
    }
}

impl Hub {
    fn new(mut bent: Bent) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let head = head(&mut stream);
                told.lock().expect("nobody panicked").push(head.clone());
                // Whoever hangs up early is no concern of a server's.
                let _ = answer(&mut stream, &head, &mut bent);
            }
        });
        Hub { port, asked }
    }

    /// Requests that hold the text.
    fn asked(&self, part: &str) -> Vec<String> {
        let asked = self.asked.lock().expect("nobody panicked");
        asked.iter().filter(|head| head.contains(part)).cloned().collect()
    }

    fn fetch(&self, cache: &Path, args: &[&str]) -> std::process::Output {
        let mut command = camelid(&[&["fetch"], args].concat());
        command.env("HF_ENDPOINT", format!("http://127.0.0.1:{}", self.port)).env("HF_HOME", cache);
        for unset in ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            command.env_remove(unset);
        }
        command.env("NO_PROXY", "*").env("HF_TOKEN", "secret").output().expect("it runs")
    }

    /// A fetch that must work; the place that it prints.
    #[track_caller]
    fn fetched(&self, cache: &Path, name: &str) -> PathBuf {
        let output = self.fetch(cache, &[name]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim_end())
    }

    /// A fetch that must be refused; its error.
    #[track_caller]
    fn refused(&self, cache: &Path, args: &[&str]) -> String {
        let output = self.fetch(cache, args);
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.starts_with("error: ") && error.trim_end().lines().count() == 1, "{error}");
        error
    }
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

fn answer(stream: &mut TcpStream, head: &str, bent: &mut Bent) -> std::io::Result<()> {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let model = if path.contains("who/gguf") { "gguf" } else { "what" };
    if let Some(status) = bent.refuses {
        return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    if path.starts_with("/api/models/") {
        let list: Vec<Json> = files(model).iter().map(|(name, bytes)| listed(name, bytes)).collect();
        let list = json!({"sha": COMMIT, "siblings": list}).to_string();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}",
            list.len()
        );
    }
    let files = files(model);
    let Some((name, bytes)) =
        files.iter().find(|(name, _)| path.ends_with(&format!("/{}", name.to_lowercase())))
    else {
        return write!(stream, "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    if let (WEIGHTS, Some(port)) = (*name, bent.elsewhere) {
        let to = format!("http://localhost:{port}{path}");
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    send(stream, head, name, bytes, bent)
}

/// The bytes that are asked for, or what the hub makes of them.
fn send(
    stream: &mut TcpStream,
    head: &str,
    name: &str,
    bytes: &[u8],
    bent: &mut Bent,
) -> std::io::Result<()> {
    let from = head.split("range: bytes=").nth(1).and_then(|range| range.split('-').next()?.parse().ok());
    let (from, all): (usize, usize) = (from.unwrap_or(0), bytes.len());
    let mut bytes = bytes[from..].to_vec();
    if bent.lies && name == WEIGHTS {
        bytes[all / 2] ^= 1;
    }
    write!(
        stream,
        "HTTP/1.1 206 Part\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{all}\r\nConnection: close\r\n\r\n",
        bytes.len(),
        all - 1
    )?;
    if name == WEIGHTS && bent.cuts > 0 {
        bent.cuts -= 1;
        bytes.truncate(bent.after);
    }
    stream.write_all(&bytes)
}

/// A file in the hub's list: large ones by SHA-256, small ones by Git's hash.
fn listed(name: &str, bytes: &[u8]) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let git = hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize());
    let mut file = json!({"rfilename": name, "size": bytes.len(), "blobId": git});
    if name.ends_with(".safetensors") || name.ends_with(".gguf") {
        file["lfs"] = json!({"sha256": hex(&Sha256::digest(bytes)), "size": bytes.len(), "pointerSize": 100});
    }
    file
}

fn cache() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[track_caller]
fn same(folder: &Path) {
    for file in ["config.json", WEIGHTS, "tokenizer.model"] {
        let read = |folder: &Path| std::fs::read(folder.join(file)).expect("the file");
        assert!(read(folder) == read(stories()), "{file} is another");
    }
}

/// Everything under a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        all.push(entry.path().display().to_string());
        all.extend(if entry.path().is_dir() { names(&entry.path()) } else { Vec::new() });
    }
    all
}

#[test]
fn what_is_fetched_is_laid_out_as_the_client_does_and_runs() {
    let (hub, cache) = (Hub::new(Bent::default()), cache());
    let folder = hub.fetched(cache.path(), "who/what");
    same(&folder);
    let model = cache.path().join("hub/models--who--what");
    assert_eq!(folder, model.join("snapshots").join(COMMIT));
    assert_eq!(std::fs::read_to_string(model.join("refs/main")).expect("a reference"), COMMIT);
    assert_eq!(names(&folder).len(), 3, "nothing that nobody needs: {:?}", names(&folder));
    let link = std::fs::read_link(folder.join(WEIGHTS)).expect("a link");
    assert!(link.starts_with("../../blobs") && folder.join(&link).is_file(), "{link:?}");
    assert!(!names(&model).iter().any(|name| name.ends_with(".incomplete")));
    let args = ["generate", "-p", "Once upon a time", "-n", "20", "--json"];
    let expected: Json =
        serde_json::from_str(&run(&[&args as &[&str], &["-m", text(stories())]].concat())).expect("JSON");
    for name in ["who/what", "who/what@main", &format!("who/what@{COMMIT}")] {
        let output = camelid(&[&args as &[&str], &[name]].concat())
            .env("HF_HOME", cache.path())
            .env_remove("HF_HUB_CACHE")
            .output();
        let report: Json = serde_json::from_slice(&output.expect("it runs").stdout).expect("JSON");
        assert_eq!(report["generated_ids"], expected["generated_ids"], "{name}");
    }
    let before = hub.asked("/resolve/").len();
    assert_eq!(hub.fetched(cache.path(), "who/what"), folder);
    assert_eq!(hub.asked("/resolve/").len(), before, "what is there is not fetched again");
}

#[test]
fn a_connection_that_is_cut_is_gone_on_with() {
    let (hub, cache) = (Hub::new(Bent { cuts: 2, after: 1000, ..Bent::default() }), cache());
    same(&hub.fetched(cache.path(), "who/what"));
    let asked = hub.asked(WEIGHTS);
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[1].contains("range: bytes=1000-") && asked[2].contains("range: bytes=2000-"), "{asked:?}");
}

#[test]
fn what_is_left_of_a_fetch_is_gone_on_with_later() {
    let cache = cache();
    let cut = Hub::new(Bent { cuts: 1, after: 5000, ..Bent::default() });
    // Nothing comes after the first piece: each further answer is empty.
    let dead = Hub::new(Bent { cuts: usize::MAX, after: 0, ..Bent::default() });
    let error = dead.refused(cache.path(), &["who/what"]);
    assert!(error.contains("the connection ended after 0 of "), "{error}");
    assert!(names(cache.path()).iter().any(|name| name.ends_with(".incomplete")));
    assert!(!cache.path().join("hub/models--who--what/refs").exists(), "no name for what is not whole");
    same(&cut.fetched(cache.path(), "who/what"));
    // Half of it lies there from an earlier run.
    let blob = std::fs::canonicalize(
        cache.path().join("hub/models--who--what/snapshots").join(COMMIT).join(WEIGHTS),
    );
    let blob = blob.expect("a blob");
    let half = std::fs::read(&blob).expect("the file")[..7000].to_vec();
    std::fs::remove_file(&blob).expect("removed");
    std::fs::write(format!("{}.incomplete", blob.display()), half).expect("written");
    let hub = Hub::new(Bent::default());
    same(&hub.fetched(cache.path(), "who/what"));
    assert!(hub.asked(WEIGHTS)[0].contains("range: bytes=7000-"));
}

#[test]
fn what_has_another_hash_is_not_kept() {
    let (hub, cache) = (Hub::new(Bent { lies: true, ..Bent::default() }), cache());
    let error = hub.refused(cache.path(), &["who/what"]);
    assert!(
        error.contains("model.safetensors: its hash is ") && error.contains("what was fetched is removed"),
        "{error}"
    );
    let left = names(cache.path());
    assert!(!left.iter().any(|name| name.ends_with(".incomplete") || name.ends_with(WEIGHTS)), "{left:?}");
    let healthy = Hub::new(Bent::default());
    same(&healthy.fetched(cache.path(), "who/what"));
}

#[test]
fn a_hub_that_refuses_is_told_with_what_to_do() {
    for (status, part) in [
        (401, "set HF_TOKEN to a token that may read http://127.0.0.1"),
        (403, "its terms are to be accepted"),
        (404, "no model who/what"),
    ] {
        let (hub, cache) = (Hub::new(Bent { refuses: Some(status), ..Bent::default() }), cache());
        let error = hub.refused(cache.path(), &["who/what"]);
        assert!(error.contains(part) && error.contains(&status.to_string()), "{error}");
        assert_eq!(names(cache.path()), Vec::<String>::new(), "nothing is left of it");
    }
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (other, cache) = (Hub::new(Bent::default()), cache());
    let hub = Hub::new(Bent { elsewhere: Some(other.port), ..Bent::default() });
    same(&hub.fetched(cache.path(), "who/what"));
    assert!(
        hub.asked("").iter().all(|head| head.contains("authorization: bearer secret")),
        "{:?}",
        hub.asked("")
    );
    let elsewhere = other.asked("");
    assert!(elsewhere.len() == 1 && !elsewhere[0].contains("secret"), "{elsewhere:?}");
}

#[test]
fn one_gguf_file_is_fetched_by_its_variant() {
    let (hub, cache) = (Hub::new(Bent::default()), cache());
    let file = hub.fetched(cache.path(), "who/gguf:q8_0");
    assert!(file.ends_with("sub/a-Q8_0.gguf") && std::fs::read(&file).expect("the file") == b"GGUF eight");
    assert_eq!(hub.asked("/resolve/").len(), 1);
    let error = hub.refused(cache.path(), &["who/gguf"]);
    assert!(error.contains("name one as who/gguf:VARIANT: a-Q4_K_M.gguf, sub/a-Q8_0.gguf"), "{error}");
    let listed = hub.fetch(cache.path(), &["who/what", "--dry-run"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    assert!(listed.contains("  config.json\n") && !listed.contains("pytorch_model"), "{listed}");
}

#[test]
fn names_and_places_that_are_none_are_refused() {
    let (hub, cache) = (Hub::new(Bent::default()), cache());
    for name in ["what", "../what", "who/what@../..", "who/what/more"] {
        let error = hub.refused(cache.path(), &[name]);
        assert!(error.contains("a hub name has the form ORG/NAME"), "{error}");
    }
    let offline = |variable: &str, value: &str| {
        let output =
            camelid(&["fetch", "who/what"]).env("HF_HOME", cache.path()).env(variable, value).output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(offline("HF_HUB_OFFLINE", "1").contains("HF_HUB_OFFLINE is set"));
    assert!(offline("HF_ENDPOINT", "ftp://x").contains("HF_ENDPOINT = `ftp://x`"));
    assert_eq!(names(cache.path()), Vec::<String>::new());
}
