//! A model by its id, from a small server on this machine that serves what the hub serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tempfile::TempDir;

use crate::workshop::{Ran, arg, command};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    None,
    /// Ends the first answer with weights in their middle.
    Cut,
    /// Every answer with weights ends in its middle.
    AlwaysCut,
    /// Sends other bytes than the tag promises.
    OtherBytes,
    /// Lists a file that it does not have.
    Missing,
    /// Wants a token.
    Token,
    /// Tags a file with a path.
    HostileTag,
}

struct Hub {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
    home: TempDir,
}

impl Hub {
    fn new(trick: Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity/llama-tied");
        let mut files = BTreeMap::new();
        for name in ["config.json", WEIGHTS] {
            let path = folder.join(name);
            files.insert(
                name.to_owned(),
                (fs::read(&path).unwrap(), regrow::disk::sha256(&path).unwrap().to_string()),
            );
        }
        let licence = b"the terms\n".to_vec();
        // printf 'the terms\n' | git hash-object --stdin
        files.insert(
            "LICENSE".to_owned(),
            (licence, "e7372f147fa5496609aa649764f64428cb068776".to_owned()),
        );
        let heard = Arc::new(Mutex::new(Vec::new()));
        let server = Server { address: address.clone(), files, trick, heard: Arc::clone(&heard) };
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                server.answer(stream);
            }
        });
        Self { address, heard, home: tempfile::tempdir().unwrap() }
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let output = command(arguments)
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.address)
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Prunes the model under an id; what is written where.
    fn prune(&self, id: &str, environment: &[(&str, &str)]) -> (Ran, PathBuf) {
        let out = self.home.path().join("out");
        let _ = fs::remove_dir_all(&out);
        (self.run(&["prune", id, "--drop", "0", "--out", arg(&out), "--json"], environment), out)
    }

    fn requests(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn refused(trick: Trick, id: &str, said: &[&str]) -> Self {
        let hub = Self::new(trick);
        let (ran, out) = hub.prune(id, &[]);
        assert_eq!(ran.code, 1, "{trick:?}: {}", ran.stderr);
        for part in said {
            assert!(ran.stderr.contains(part), "{trick:?}: no `{part}` in: {}", ran.stderr);
        }
        assert!(!out.exists(), "{trick:?}");
        hub
    }

    fn cached(&self, name: &str) -> PathBuf {
        self.home.path().join("hub/models--org--tiny/snapshots").join(COMMIT).join(name)
    }
}

struct Server {
    address: String,
    /// Bytes and tags by name.
    files: BTreeMap<String, (Vec<u8>, String)>,
    trick: Trick,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else { return };
        let headers: Vec<String> =
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            headers.iter().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let range = header("range").unwrap_or_default();
        self.heard.lock().unwrap().push(format!("{path} {range}"));
        let allowed =
            self.trick != Trick::Token || header("authorization").as_deref() == Some("Bearer good");
        let (status, more, body) =
            if allowed { self.page(&path, &range) } else { (401, String::new(), Vec::new()) };
        let reason = "Whatever";
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nconnection: close\r\ncontent-length: {}\r\n{more}\r\n",
            body.len()
        );
        let whole_weights = path.ends_with(WEIGHTS) && body.len() > 1000;
        let first_time =
            self.heard.lock().unwrap().iter().filter(|line| line.ends_with("bytes=0-")).count()
                <= 3;
        let cut = whole_weights
            && (self.trick == Trick::AlwaysCut
                || self.trick == Trick::Cut && range == "bytes=0-" && first_time);
        let sent = if cut { &body[..body.len() / 2] } else { &body };
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent));
    }

    /// Status, headers and body.
    fn page(&self, path: &str, range: &str) -> (u16, String, Vec<u8>) {
        let nothing = || (404, String::new(), b"no such thing".to_vec());
        if path == "/api/models/org/tiny/revision/main"
            || path == "/api/models/org/tiny/revision/v1"
        {
            let mut names: Vec<&str> = self.files.keys().map(String::as_str).collect();
            names.extend(["pytorch_model.bin", "original/LICENSE"]);
            if self.trick == Trick::Missing {
                names.push("tokenizer.json");
            }
            let siblings: Vec<_> = names.iter().map(|name| json!({ "rfilename": name })).collect();
            return (
                200,
                String::new(),
                json!({"sha": COMMIT, "siblings": siblings}).to_string().into_bytes(),
            );
        }
        let resolve = format!("/org/tiny/resolve/{COMMIT}/");
        let (name, moved) = match (path.strip_prefix(&resolve), path.strip_prefix("/elsewhere/")) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => return nothing(),
        };
        let Some((bytes, tag)) = self.files.get(name) else { return nothing() };
        let tag = if self.trick == Trick::HostileTag { "../../../../escaped" } else { tag };
        let of_hub = format!("x-repo-commit: {COMMIT}\r\n");
        if name == WEIGHTS && !moved {
            let location = format!("location: {}/elsewhere/{name}\r\n", self.address);
            return (302, format!("{of_hub}x-linked-etag: \"{tag}\"\r\n{location}"), Vec::new());
        }
        let (start, end) = range
            .strip_prefix("bytes=")
            .and_then(|range| range.split_once('-'))
            .unwrap_or(("0", ""));
        let start: usize = start.parse().unwrap();
        let end = end.parse::<usize>().map_or(bytes.len(), |end| (end + 1).min(bytes.len()));
        let mut body = bytes[start.min(end)..end].to_vec();
        if self.trick == Trick::OtherBytes && name == WEIGHTS && body.len() > 1000 {
            *body.last_mut().unwrap() ^= 1;
        }
        let content =
            format!("content-range: bytes {start}-{}/{}\r\n", end.max(1) - 1, bytes.len());
        (206, format!("{of_hub}etag: \"{tag}\"\r\n{content}"), body)
    }
}

#[test]
fn a_model_is_fetched_once_and_named_by_its_id() {
    let hub = Hub::new(Trick::None);
    let (ran, out) = hub.prune("org/tiny", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["base"], "org/tiny");
    assert_eq!(fs::read_to_string(out.join("LICENSE")).unwrap(), "the terms\n");
    assert!(
        hub.heard.lock().unwrap().iter().any(|line| line.starts_with("/elsewhere/")),
        "the redirect is followed"
    );
    assert!(!hub.heard.lock().unwrap().iter().any(|line| line.contains("pytorch_model")));
    // Again: the list of files is asked for, no file.
    let before = hub.requests();
    let (again, _) = hub.prune("org/tiny", &[]);
    assert_eq!((again.code, hub.requests()), (0, before + 1), "{}", again.stderr);
    // And without any network.
    let offline = [("HF_HUB_OFFLINE", "1"), ("HF_ENDPOINT", "http://127.0.0.1:9")];
    let (cached, _) = hub.prune("org/tiny", &offline);
    assert_eq!((cached.code, hub.requests()), (0, before + 1), "{}", cached.stderr);
    assert_eq!(cached.json(), ran.json());
    let (commit, _) = hub.prune(&format!("org/tiny@{COMMIT}"), &offline);
    assert_eq!(commit.code, 0, "{}", commit.stderr);
    let (other, _) = hub.prune("org/tiny@v1", &offline);
    assert!(other.stderr.contains("`org/tiny@v1` is not in the cache"), "{}", other.stderr);
    assert_eq!(hub.prune("org/tiny@v1", &[]).0.code, 0);
    // Another command knows it by the same name, and reads every weight of it.
    let read = hub.run(&["inspect", "org/tiny", "--verify", "--json"], &offline);
    assert_eq!((read.code, &read.json()["problems"]), (0, &json!([])), "{}", read.stderr);
}

#[test]
fn a_connection_cut_in_the_middle_is_taken_up_again() {
    let hub = Hub::new(Trick::Cut);
    let (ran, _) = hub.prune("org/tiny", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let size = fs::metadata(hub.cached(WEIGHTS)).unwrap().len();
    let heard = hub.heard.lock().unwrap();
    let rest = format!("bytes={}-", size / 2);
    assert!(heard.iter().any(|line| line.ends_with(&rest)), "{rest}: {heard:#?}");
}

#[test]
fn a_connection_that_is_always_cut_fails_and_leaves_no_weights() {
    let hub = Hub::refused(
        Trick::AlwaysCut,
        "org/tiny",
        &["cannot fetch model.safetensors of `org/tiny`"],
    );
    assert!(!hub.cached(WEIGHTS).exists());
}

#[test]
fn a_wrong_hash_is_refused_and_the_file_thrown_away() {
    let said = [
        "`model.safetensors` of `org/tiny` has the hash ",
        ", expected ",
        "\n\nhint: the download was damaged",
    ];
    let hub = Hub::refused(Trick::OtherBytes, "org/tiny", &said);
    assert!(!hub.cached(WEIGHTS).exists());
    let blobs = hub.home.path().join("hub/models--org--tiny/blobs");
    let names: Vec<_> =
        fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().file_name().len()).collect();
    assert!(
        names.iter().all(|&length| length != 64)
            || names.iter().filter(|&&length| length == 64).count() == 1
    );
    // Not taken for the real one by whoever comes without a network.
    let (ran, _) = hub.prune("org/tiny", &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn a_missing_file_is_named() {
    Hub::refused(
        Trick::Missing,
        "org/tiny",
        &["`org/tiny` (tokenizer.json) is not on the hub", "\n\nhint: "],
    );
}

#[test]
fn a_missing_model_is_named() {
    Hub::refused(
        Trick::None,
        "org/other",
        &["`org/other` (its list of files) is not on the hub", "\n\nhint: "],
    );
}

#[test]
fn a_refused_token_is_explained_and_a_good_one_taken() {
    let hub = Hub::refused(
        Trick::Token,
        "org/tiny",
        &["the hub refuses `org/tiny`", "\n\nhint: accept the model's licence"],
    );
    let (bad, _) = hub.prune("org/tiny", &[("HF_TOKEN", "bad")]);
    assert!(bad.code == 1 && !bad.stderr.contains("bad\n"), "{}", bad.stderr);
    let (good, _) = hub.prune("org/tiny", &[("HF_TOKEN", " good\n")]);
    assert_eq!(good.code, 0, "{}", good.stderr);
}

#[test]
fn a_tag_that_is_a_path_writes_nothing_outside_the_cache() {
    let hub =
        Hub::refused(Trick::HostileTag, "org/tiny", &["as `../../../../escaped`, expected a hash"]);
    assert!(
        !hub.home.path().join("escaped").exists() && !hub.home.path().join("escaped.part").exists()
    );
}
