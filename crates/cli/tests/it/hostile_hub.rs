//! A hub that lies, stalls or redirects, on this machine. Whatever it does: the command ends in
//! time with an error that names it, the token goes nowhere else, and nothing wrong is believed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::workshop::command;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_ThisIsTheSecret";
const WEIGHTS: &str = "model.safetensors";
/// How long a command may take at most: three attempts of a second each for one file, pauses, and
/// a machine that is busy with other tests.
const LONGEST: Duration = Duration::from_secs(40);

/// A request, as the server read it.
struct Request {
    path: String,
    /// The first byte that is asked for, and whether the end is open.
    start: usize,
    open: bool,
    token: bool,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
        let head: Vec<String> = lines
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_lowercase())
            .collect();
        let range = head.iter().find_map(|line| line.strip_prefix("range: bytes="));
        let (start, end) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
        Some(Self {
            path,
            start: start.parse().unwrap_or(0),
            open: end.is_empty(),
            token: head.iter().any(|line| line.contains(&TOKEN.to_lowercase())),
        })
    }

    fn is_for_weights(&self) -> bool {
        self.path.contains(WEIGHTS)
    }

    /// Whether it is the request for the bytes, not for what the hub says of them.
    fn is_for_bytes(&self) -> bool {
        self.is_for_weights() && self.open
    }
}

/// What a hub does with a request; `false` means that the honest answer follows.
type Trick = fn(&Request, &mut TcpStream, &Stage) -> bool;

/// What all servers of a test know.
#[derive(Clone)]
struct Stage {
    hub: String,
    /// Another host.
    other: String,
    weights: Arc<Vec<u8>>,
    hash: String,
    config: Arc<Vec<u8>>,
    config_hash: String,
    heard: Arc<Mutex<Vec<String>>>,
    /// Requests with the token that another host got.
    leaked: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    fn size(&self) -> usize {
        self.weights.len()
    }
}

fn send(stream: &mut TcpStream, text: &str) -> bool {
    let _ = stream.write_all(text.as_bytes());
    true
}

/// An answer with a body, from a byte on.
fn bytes(stream: &mut TcpStream, more: &str, body: &[u8], request: &Request) {
    let size = body.len();
    let end = if request.open { size } else { (request.start + 1).min(size) };
    let part = &body[request.start.min(end)..end];
    let head = format!(
        "HTTP/1.1 206 Partial\r\nconnection: close\r\nx-repo-commit: {COMMIT}\r\n{more}\
         content-range: bytes {}-{}/{size}\r\ncontent-length: {}\r\n\r\n",
        request.start,
        end.max(1) - 1,
        part.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(part));
}

/// What an honest hub answers.
fn honest(request: &Request, stream: &mut TcpStream, stage: &Stage) {
    if request.path.starts_with("/api/models/org/tiny/revision/") {
        let names = ["config.json", WEIGHTS].map(|name| json!({ "rfilename": name }));
        let body = json!({ "sha": COMMIT, "siblings": names }).to_string();
        let length = body.len();
        send(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"));
    } else if request.path.contains("config.json") {
        let tag = format!("etag: \"{}\"\r\n", stage.config_hash);
        bytes(stream, &tag, &stage.config, request);
    } else if request.is_for_weights() {
        let tag = format!("x-linked-etag: \"{}\"\r\n", stage.hash);
        bytes(stream, &tag, &stage.weights, request);
    } else {
        send(stream, "HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n");
    }
}

/// Starts a server that ends with the process.
fn serve(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> (u16, TcpListener) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (copy, answer) = (listener.try_clone().unwrap(), Arc::new(answer));
    std::thread::spawn(move || {
        for mut stream in copy.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A thread a connection: some answers never end.
            std::thread::spawn(move || {
                if let Some(request) = Request::read(&stream) {
                    answer(&request, &mut stream);
                    // The rest of the request is read, so that closing resets nothing.
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                    let _ = stream.read(&mut [0; 64]);
                }
            });
        }
    });
    (port, listener)
}

struct Hub {
    stage: Stage,
    home: TempDir,
}

struct Ended {
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

impl Hub {
    fn new(trick: Trick) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity/llama-tied");
        let read = |name: &str| {
            let path = folder.join(name);
            (Arc::new(fs::read(&path).unwrap()), regrow::disk::sha256(&path).unwrap().to_string())
        };
        let ((weights, hash), (config, config_hash)) = (read(WEIGHTS), read("config.json"));
        let (heard, leaked) = (Arc::default(), Arc::default());
        let (hub, other) = (String::new(), String::new());
        let mut stage = Stage { hub, other, weights, hash, config, config_hash, heard, leaked };
        // The other host: honest, and it remembers who shows it the token.
        let there = stage.clone();
        let (port, _) = serve(move |request, stream| {
            if request.token {
                there.leaked.lock().unwrap().push(request.path.clone());
            }
            if let Some(back) = request.path.strip_prefix("/back/") {
                send(stream, &format!("HTTP/1.1 302 Back\r\nlocation: {back}\r\n\r\n"));
            } else {
                honest(request, stream, &there);
            }
        });
        stage.other = format!("http://127.0.0.1:{port}");
        // The hub must know its own address, so it waits for it.
        let own: Arc<Mutex<Option<Stage>>> = Arc::default();
        let knows = Arc::clone(&own);
        let (port, _) = serve(move |request, stream| {
            let stage = knows.lock().unwrap().clone().unwrap();
            let line = format!("{} {} {}", request.path, request.start, request.token);
            stage.heard.lock().unwrap().push(line);
            if !trick(request, stream, &stage) {
                honest(request, stream, &stage);
            }
        });
        stage.hub = format!("http://127.0.0.1:{port}");
        *own.lock().unwrap() = Some(stage.clone());
        Self { stage, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self) -> Command {
        let mut command = command(&["inspect", "org/tiny", "--verify", "-v"]);
        command
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.stage.hub)
            .env("HF_TOKEN", TOKEN)
            .env("HF_HUB_ETAG_TIMEOUT", "1")
            .env("HF_HUB_DOWNLOAD_TIMEOUT", "1")
            .env_remove("HF_HUB_OFFLINE");
        command
    }

    fn run(&self, environment: &[(&str, &str)]) -> Ended {
        let begun = Instant::now();
        let output = self.command().envs(environment.iter().copied()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let stderr = text(output.stdout) + &text(output.stderr);
        Ended { code: output.status.code(), stderr, took: begun.elapsed() }
    }

    fn blobs(&self) -> PathBuf {
        self.home.path().join("hub/models--org--tiny/blobs")
    }

    /// What must hold whatever the hub does.
    fn nothing_wrong_is_left(&self, what: &str) {
        let mut size = 0;
        for entry in fs::read_dir(self.blobs()).into_iter().flatten() {
            let path = entry.unwrap().path();
            size += path.metadata().unwrap().len();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.len() == 64 {
                let found = regrow::disk::sha256(&path).unwrap().to_string();
                assert_eq!(found, name, "{what}: a file under its final name");
            }
        }
        let most = (self.stage.size() + self.stage.config.len() + 1000) as u64;
        assert!(size <= most, "{what}: {size} bytes written, announced {most}");
        assert_eq!(*self.stage.leaked.lock().unwrap(), Vec::<String>::new(), "{what}: the token");
        assert!(!self.home.path().join("escaped").exists());
        // Whoever comes without a network believes only what is whole.
        let later = self.run(&[("HF_HUB_OFFLINE", "1")]);
        let whole = self.blobs().join(&self.stage.hash).exists();
        assert!(later.code == Some(1) || whole, "{what}: {}", later.stderr);
    }
}

/// The head of an answer about the weights.
fn head(stage: &Stage, status: &str, more: &str) -> String {
    let hash = &stage.hash;
    format!("HTTP/1.1 {status}\r\nx-repo-commit: {COMMIT}\r\nx-linked-etag: {hash}\r\n{more}")
}

/// Sends a text in pieces, slowly, for at most half a minute.
fn dribble(stream: &mut TcpStream, piece: &[u8]) -> bool {
    for _ in 0..300 {
        if stream.write_all(piece).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

/// Sends without end, or until the other side has enough.
fn flood(stream: &mut TcpStream, piece: &[u8]) -> bool {
    let block = piece.repeat((1 << 16) / piece.len());
    // More than any bound of the command.
    for _ in 0..(1 << 15) {
        if stream.write_all(&block).is_err() {
            break;
        }
    }
    true
}

fn sleep() -> bool {
    std::thread::sleep(LONGEST);
    true
}

/// Hubs that a command gets over: it ends well.
const HARMLESS: &[(&str, Trick)] = &[
    ("honest", |_, _, _| false),
    ("large files lie on another host", |request, stream, stage| {
        let to = format!("location: {}/{WEIGHTS}\r\n\r\n", stage.other);
        request.is_for_weights() && send(stream, &head(stage, "302 Found", &to))
    }),
    ("there and back again", |request, stream, stage| {
        if request.path.starts_with("/returned/") {
            assert!(!request.token, "a token after a redirect to another host");
            return false;
        }
        let (other, hub) = (&stage.other, &stage.hub);
        let to = format!("location: {other}/back/{hub}/returned/{WEIGHTS}\r\n\r\n");
        request.is_for_weights() && send(stream, &head(stage, "302 Found", &to))
    }),
    ("a renamed model", |request, stream, _| {
        let to = request.path.replacen("/org/", "/new/", 1);
        let moved = request.path.starts_with("/org/");
        moved && send(stream, &format!("HTTP/1.1 307 Moved\r\nlocation: {to}\r\n\r\n"))
    }),
    ("no ranges", |request, stream, stage| {
        let length = stage.size();
        let head = head(stage, "200 OK", &format!("content-length: {length}\r\n\r\n"));
        if !request.is_for_weights() {
            return false;
        }
        send(stream, &head);
        let _ = stream.write_all(&stage.weights);
        true
    }),
    ("breaks off once", |request, stream, stage| {
        if !request.is_for_bytes() || request.start > 0 {
            return false;
        }
        let (size, half) = (stage.size(), stage.size() / 2);
        let range = format!("content-range: bytes 0-{}/{size}\r\n", size - 1);
        send(stream, &head(stage, "206 Part", &format!("{range}content-length: {size}\r\n\r\n")));
        let _ = stream.write_all(&stage.weights[..half]);
        true
    }),
    ("a tag in quotes and weak", |request, stream, stage| {
        let tag = format!("etag: W/\"{}\"\r\n", stage.config_hash.to_uppercase());
        request.path.contains("config.json") && {
            bytes(stream, &tag, &stage.config, request);
            true
        }
    }),
];

/// Hubs that a command gives up on, and a part of what it says.
const HARMFUL: &[(&str, &str, Trick)] = &[
    ("a redirect to nowhere", "does not say which", |request, stream, stage| {
        request.is_for_weights() && send(stream, &head(stage, "302 Found", "\r\n"))
    }),
    ("a redirect to nowhere at once", "does not say which", |_, stream, _| {
        send(stream, "HTTP/1.1 302 Found\r\n\r\n")
    }),
    ("a redirect to itself", "more than 10 times", |request, stream, _| {
        let path = &request.path;
        request.is_for_weights()
            && send(stream, &format!("HTTP/1.1 302 Found\r\nlocation: {path}\r\n\r\n"))
    }),
    ("ever new redirects", "more than 10 times", |request, stream, _| {
        let path = &request.path;
        send(stream, &format!("HTTP/1.1 301 Moved\r\nlocation: {path}x\r\n\r\n"))
    }),
    ("a redirect to a file", "is no address of a page", |request, stream, stage| {
        let to = "location: file:///etc/passwd\r\n\r\n";
        request.is_for_weights() && send(stream, &head(stage, "302 Found", to))
    }),
    ("a redirect with a password", "holds a name or a password", |request, stream, stage| {
        let to = format!("location: http://me:secret@{}/x\r\n\r\n", &stage.other[7..]);
        request.is_for_weights() && send(stream, &head(stage, "302 Found", &to))
    }),
    ("a redirect to rubbish", "is no address", |request, stream, stage| {
        let to = "location: http://a b|c\\d/\r\n\r\n";
        request.is_for_weights() && send(stream, &head(stage, "302 Found", to))
    }),
    ("silence", "has sent nothing for 1 s", |_, _, _| sleep()),
    ("silence about the weights", "has sent nothing for 1 s", |request, _, _| {
        request.is_for_weights() && sleep()
    }),
    ("a head that dribbles", "has sent nothing for 1 s", |request, stream, _| {
        request.is_for_weights()
            && send(stream, "HTTP/1.1 200 OK\r\n")
            && dribble(stream, b"x-a: b\r\n")
    }),
    ("a head without end", "does not answer", |request, stream, _| {
        request.is_for_weights()
            && send(stream, "HTTP/1.1 200 OK\r\n")
            && flood(stream, b"x-a: b\r\n")
    }),
    ("a body that dribbles", "has sent less than 4096 bytes in 1 s", |request, stream, stage| {
        let size = stage.size();
        let range = format!("content-range: bytes {}-/{size}\r\n", request.start);
        request.is_for_bytes()
            && send(stream, &head(stage, "206 Part", &format!("{range}\r\n")))
            && dribble(stream, b"x")
    }),
    ("a body that stalls", "has sent nothing for 1 s", |request, stream, stage| {
        let left = stage.size() - request.start;
        let range = format!("content-range: bytes {}-/{}\r\n", request.start, stage.size());
        let length = format!("content-length: {left}\r\n\r\n");
        request.is_for_bytes()
            && send(stream, &head(stage, "206 Part", &(range + &length)))
            && sleep()
    }),
    ("a body without end", "bytes of `model.safetensors`, expected", |request, stream, stage| {
        let range = format!("content-range: bytes {}-/{}\r\n", request.start, stage.size());
        request.is_for_bytes()
            && send(stream, &head(stage, "206 Part", &format!("{range}\r\n")))
            && flood(stream, b"evil")
    }),
    ("a longer body", "bytes of `model.safetensors`, expected", |request, stream, stage| {
        let range = format!("content-range: bytes {}-/{}\r\n", request.start, stage.size());
        request.is_for_bytes()
            && send(
                stream,
                &head(stage, "206 Part", &format!("{range}content-length: 9999999999\r\n\r\n")),
            )
            && flood(stream, b"evil")
    }),
    (
        "always half of it",
        "cannot fetch model.safetensors of `org/tiny`",
        |request, stream, stage| {
            let size = stage.size();
            let range = format!("content-range: bytes {}-/{size}\r\n", request.start);
            let left = size - request.start;
            if !request.is_for_bytes() {
                return false;
            }
            send(
                stream,
                &head(stage, "206 Part", &format!("{range}content-length: {left}\r\n\r\n")),
            );
            let _ = stream.write_all(&stage.weights[request.start..request.start + left / 2]);
            true
        },
    ),
    ("other bytes", "has the hash", |request, stream, stage| {
        let mut wrong = stage.weights.to_vec();
        *wrong.last_mut().unwrap() ^= 1;
        request.is_for_weights() && {
            let tag = format!("x-linked-etag: \"{}\"\r\n", stage.hash);
            bytes(stream, &tag, &wrong, request);
            true
        }
    }),
    ("another range", "from byte 7 on, expected 0", |request, stream, stage| {
        let range =
            format!("content-range: bytes 7-/{}\r\ncontent-length: 1\r\n\r\nx", stage.size());
        request.is_for_bytes() && send(stream, &head(stage, "206 Part", &range))
    }),
    ("a size that no disk has", "has room for", |request, stream, stage| {
        let size = "x-linked-size: 9000000000000000000\r\n\r\n";
        request.is_for_weights() && send(stream, &head(stage, "200 OK", size))
    }),
    (
        "a size that no text has",
        "is 9000000000000 bytes, expected at most",
        |request, stream, stage| {
            let size = "x-linked-size: 9000000000000\r\n\r\n";
            request.path.contains("config.json") && send(stream, &head(stage, "200 OK", size))
        },
    ),
    ("a size that is no number", "does not say how long", |request, stream, stage| {
        let size = "content-range: bytes 0-0/-5\r\ncontent-length: 0\r\n\r\n";
        request.is_for_weights() && send(stream, &head(stage, "206 Part", size))
    }),
    ("no size", "does not say how long", |request, stream, stage| {
        request.is_for_weights() && send(stream, &head(stage, "200 OK", "\r\n"))
    }),
    ("a tag that is a path", "expected a hash", |request, stream, _| {
        let tag = "etag: \"../../../../escaped\"\r\ncontent-length: 1\r\n\r\nx";
        let commit = format!("x-repo-commit: {COMMIT}\r\n");
        request.is_for_weights() && send(stream, &format!("HTTP/1.1 200 OK\r\n{commit}{tag}"))
    }),
    ("no tag", "expected a hash", |request, stream, _| {
        request.is_for_weights() && send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx")
    }),
    ("another commit", "expected a hash", |request, stream, stage| {
        let other = head(stage, "200 OK", "content-length: 1\r\n\r\nx").replace("0123", "3210");
        request.is_for_weights() && send(stream, &other)
    }),
    ("a list that is none", "cannot be understood", |request, stream, _| {
        request.path.starts_with("/api/")
            && send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{\"a\":")
    }),
    ("a list without end", "sends more than", |request, stream, _| {
        request.path.starts_with("/api/")
            && send(stream, "HTTP/1.1 200 OK\r\n\r\n")
            && flood(stream, b"[")
    }),
    ("a deep list", "cannot be understood", |request, stream, _| {
        let body = "[".repeat(100_000);
        request.path.starts_with("/api/")
            && send(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{body}"))
    }),
    ("a commit that is a path", "expected a hash", |request, stream, _| {
        let body = json!({ "sha": "../../escaped", "siblings": [] }).to_string();
        let length = body.len();
        request.path.starts_with("/api/")
            && send(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"))
    }),
    ("a name that is a path", "is not the plain name of a file", |request, stream, _| {
        let names = ["config.json", WEIGHTS, "LICENSE/../../../escaped"]
            .map(|name| json!({ "rfilename": name }));
        let body = json!({ "sha": COMMIT, "siblings": names }).to_string();
        let length = body.len();
        request.path.starts_with("/api/")
            && send(stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"))
    }),
    ("out of order", "answers with status 503", |request, stream, _| {
        request.is_for_weights() && send(stream, "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")
    }),
    ("too many requests", "answers with status 429", |request, stream, _| {
        request.is_for_bytes() && send(stream, "HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n")
    }),
    ("no such range, ever", "answers with status 416", |request, stream, _| {
        request.is_for_bytes() && send(stream, "HTTP/1.1 416 No\r\ncontent-length: 0\r\n\r\n")
    }),
    ("another language", "does not answer", |_, stream, _| send(stream, "SSH-2.0-OpenSSH_9.9\r\n")),
    ("a closed door", "does not answer", |_, _, _| true),
    ("chunks of no length", "breaks off", |request, stream, stage| {
        let range = format!("content-range: bytes {}-/{}\r\n", request.start, stage.size());
        let chunked = format!("{range}transfer-encoding: chunked\r\n\r\nzz\r\nevil\r\n");
        request.is_for_bytes() && send(stream, &head(stage, "206 Part", &chunked))
    }),
    ("a status that is none", "does not answer", |_, stream, _| {
        send(stream, "HTTP/1.1 9999 Hm\r\n\r\n")
    }),
];

fn check(name: &str, ended: &Ended) {
    assert!(ended.took < LONGEST, "{name} took {:?}", ended.took);
    assert!(!ended.stderr.contains("panicked"), "{name}: {}", ended.stderr);
    for secret in [TOKEN, "secret@"] {
        assert!(!ended.stderr.contains(secret), "{name}: {}", ended.stderr);
    }
}

#[test]
fn a_command_gets_over_what_hubs_may_do() {
    for (name, trick) in HARMLESS {
        let hub = Hub::new(*trick);
        let ended = hub.run(&[]);
        check(name, &ended);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        let heard = hub.stage.heard.lock().unwrap().clone();
        assert!(heard[0].ends_with("true"), "{name}: the hub got no token: {heard:?}");
        assert!(
            heard.iter().all(|line| !line.starts_with("/returned/") || line.ends_with("false"))
        );
        hub.nothing_wrong_is_left(name);
    }
}

/// One after another, each would wait for its time-outs alone.
#[test]
fn no_hub_leaks_hangs_floods_or_is_believed() {
    let tricks: Mutex<Vec<_>> = Mutex::new(HARMFUL.to_vec());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some((name, said, trick)) = tricks.lock().unwrap().pop() else { return };
                    let hub = Hub::new(trick);
                    let ended = hub.run(&[]);
                    check(name, &ended);
                    assert_eq!(ended.code, Some(1), "{name}: {}", ended.stderr);
                    assert!(ended.stderr.contains(said), "{name}: no `{said}` in {}", ended.stderr);
                    hub.nothing_wrong_is_left(name);
                }
            });
        }
    });
}

#[test]
fn a_token_is_not_sent_where_it_can_be_read_on_the_way() {
    let hub = Hub::new(|_, _, _| false);
    // This machine too, by an address that does not say so.
    let open = hub.stage.hub.replace("127.0.0.1", "0.0.0.0");
    let ended = hub.run(&[("HF_ENDPOINT", &open)]);
    check("in the open", &ended);
    assert!(ended.stderr.contains("warning: the access token is not sent to"), "{}", ended.stderr);
    let heard = hub.stage.heard.lock().unwrap();
    assert!(!heard.is_empty() && heard.iter().all(|line| line.ends_with("false")), "{heard:?}");
}

fn quiet(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_download_killed_at_any_moment_goes_on_and_a_spoilt_part_is_fetched_again() {
    // Slowly, so that a kill falls into it.
    let hub = Hub::new(|request, stream, stage| {
        if !request.is_for_bytes() {
            return false;
        }
        let range = format!("content-range: bytes {}-/{}\r\n", request.start, stage.size());
        let length = format!("content-length: {}\r\n\r\n", stage.size() - request.start);
        send(stream, &head(stage, "206 Part", &(range + &length)));
        for piece in stage.weights[request.start..].chunks(8 << 10) {
            std::thread::sleep(Duration::from_millis(4));
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        true
    });
    let mut killed = 0;
    for round in 0..20 {
        let mut child = quiet(hub.command()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 9 * round));
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        hub.nothing_wrong_is_left(&format!("kill {round}"));
        // Every other time, what was left is spoilt.
        let part = hub.blobs().join(format!("{}.part", hub.stage.hash));
        if round % 2 == 1 && part.exists() {
            fs::write(&part, vec![b'x'; fs::metadata(&part).unwrap().len() as usize]).unwrap();
        }
        let _ = fs::remove_file(hub.blobs().join(&hub.stage.hash));
    }
    assert!(killed > 0);
    let ended = hub.run(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(hub.blobs().join(&hub.stage.hash)).unwrap(), *hub.stage.weights);
}

#[test]
fn a_spoilt_file_of_the_cache_is_fetched_again_and_never_taken() {
    let hub = Hub::new(|_, _, _| false);
    assert_eq!(hub.run(&[]).code, Some(0));
    let blob = hub.blobs().join(&hub.stage.hash);
    let mut wrong = hub.stage.weights.to_vec();
    wrong[1000] ^= 1;
    fs::write(&blob, &wrong).unwrap();
    let offline = hub.run(&[("HF_HUB_OFFLINE", "1")]);
    assert!(offline.code == Some(1) && offline.stderr.contains("in the cache has the hash"));
    let ended = hub.run(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(&blob).unwrap(), *hub.stage.weights);
}
