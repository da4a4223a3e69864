//! Fetches pages within bounds: of time, of redirects, of length. The access token goes to the host
//! of the hub alone.

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::{Agent, Body};

use super::address::Address;
use crate::error::{Error, ErrorKind, Result, bail};

/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// The longest head of an answer, in bytes.
const HEAD: usize = 64 << 10;

/// How long the hub may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until an answer begins.
    pub(super) first: Duration,
    /// Until more of it comes.
    pub(super) more: Duration,
}

/// The access token. It is never shown.
pub(super) struct Token(String);

impl Token {
    /// A token, if the text can be one: letters, digits and signs that a header may carry.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let legal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        legal.then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Fetches pages from the hub, and from where it points to.
#[derive(Debug)]
pub(super) struct Client {
    hub: Address,
    token: Option<Token>,
    patience: Patience,
    agent: Agent,
}

/// Where redirects end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// At the first answer of the hub about the page itself, also one that points to another host.
    OnHub,
    /// At the page.
    ToTheEnd,
}

/// An answer, of which the body was not read yet.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Where it comes from.
    pub(super) from: Address,
    body: Body,
    patience: Patience,
}

impl Client {
    pub(super) fn new(hub: Address, token: Option<Token>, patience: Patience) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Each redirect is judged below.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // No connection is kept, so none is found closed.
            .max_idle_connections(0)
            .max_response_header_size(HEAD)
            // A packed body could be longer than it says.
            .accept_encoding("identity")
            .user_agent(concat!("regrow/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(patience.first))
            .timeout_connect(Some(patience.first))
            .timeout_send_request(Some(patience.first))
            .timeout_recv_response(Some(patience.first))
            .timeout_per_read(Some(patience.more.max(patience.first)));
        Self { hub, token, patience, agent: Agent::new_with_config(config.build()) }
    }

    pub(super) fn hub(&self) -> &Address {
        &self.hub
    }

    /// Whether there is a token that the hub is too openly reached for.
    pub(super) fn keeps_token_back(&self) -> bool {
        self.token.is_some() && self.hub.is_open()
    }

    /// Gets a page of the hub, or bytes of it from an offset on: `range` as in `0-0` or `100-`.
    pub(super) fn get(
        &self,
        page: &Address,
        range: Option<&str>,
        follow: Follow,
    ) -> Result<Answer> {
        let mut at = page.clone();
        // Once we have left the hub, we never show the token again.
        let mut at_hub = true;
        for _ in 0..=REDIRECTS {
            at_hub &= at.is_same_host(&self.hub);
            let answer = self.ask(&at, range, at_hub)?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let Some(location) = answer.header("location") else {
                bail!("`{at}` points to another place and does not say which");
            };
            let next = at.follow(location)?;
            if at.is_secure() && next.is_open() {
                bail!("`{at}` points to `{next}`, which is not encrypted");
            }
            if follow == Follow::OnHub && !next.is_same_host(&self.hub) {
                return Ok(answer);
            }
            at = next;
        }
        bail!("`{page}` sends us on more than {REDIRECTS} times")
    }

    fn ask(&self, at: &Address, range: Option<&str>, at_hub: bool) -> Result<Answer> {
        let mut request = self.agent.get(at.whole());
        if let Some(range) = range {
            request = request.header("range", format!("bytes={range}"));
        }
        if let Some(Token(token)) = self.token.as_ref().filter(|_| at_hub && !at.is_open()) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = if at.is_loopback() {
            // A proxy could not reach it, and would see the token.
            request.config().proxy(None).build()
        } else {
            request
        };
        let (head, body) = request.call().map_err(|error| self.failed(at, &error))?.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Answer { status, headers, from: at.clone(), body, patience: self.patience })
    }

    fn failed(&self, at: &Address, error: &ureq::Error) -> Error {
        match error {
            ureq::Error::Timeout(_) => silent(at, self.patience.first),
            // The other texts name what failed, and no address.
            error => Error::new(ErrorKind::NoAnswer, format!("`{at}` does not answer: {error}")),
        }
    }
}

/// A server that takes too long.
pub(super) fn silent(at: &Address, waited: Duration) -> Error {
    let seconds = waited.as_secs_f64();
    Error::new(ErrorKind::NoAnswer, format!("`{at}` has sent nothing for {seconds} s"))
}

impl Answer {
    /// A field of the head, if it is plain text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bytes of the body, as they come.
    pub(super) fn into_body(self) -> AnswerBody {
        AnswerBody {
            from: self.from,
            patience: self.patience,
            body: Box::new(self.body.into_reader()),
        }
    }

    /// The whole body, of at most `limit` bytes. `what` names it in an error.
    pub(super) fn read(self, limit: u64, what: &str) -> Result<Vec<u8>> {
        let mut body = self.into_body();
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 16]);
        let mut pace = Pace::new(body.patience);
        loop {
            let read = body.read(&mut piece)?;
            if read == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&piece[..read]);
            if bytes.len() as u64 > limit {
                bail!("`{}` sends more than {limit} bytes for {what}", body.from);
            }
            if !pace.holds(read as u64) {
                return Err(too_slow(&body.from, body.patience));
            }
        }
    }
}

/// The body of an answer.
pub(super) struct AnswerBody {
    pub(super) from: Address,
    pub(super) patience: Patience,
    body: Box<dyn Read>,
}

impl AnswerBody {
    /// Reads some bytes; 0 at the end.
    pub(super) fn read(&mut self, piece: &mut [u8]) -> Result<usize> {
        self.body.read(piece).map_err(|error| {
            let timeout = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
            if matches!(timeout, Some(ureq::Error::Timeout(_)))
                || error.kind() == io::ErrorKind::TimedOut
            {
                silent(&self.from, self.patience.more)
            } else {
                let message = format!("`{}` breaks off: {error}", self.from);
                Error::new(ErrorKind::NoAnswer, message)
            }
        })
    }
}

/// The least number of bytes that must come in the time of [`Patience::more`]. A server that sends
/// one byte now and then would keep us for ever.
const LEAST: u64 = 4 << 10;

/// Watches that a body comes on.
pub(super) struct Pace {
    window: Duration,
    since: std::time::Instant,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Self {
        Self { window: patience.more, since: std::time::Instant::now(), bytes: 0 }
    }

    /// Counts bytes that have come. Returns false if too few came for too long.
    pub(super) fn holds(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        if self.since.elapsed() < self.window {
            return true;
        }
        let held = self.bytes >= LEAST;
        (self.since, self.bytes) = (std::time::Instant::now(), 0);
        held
    }
}

/// A server that sends a byte now and then.
pub(super) fn too_slow(at: &Address, patience: Patience) -> Error {
    let seconds = patience.more.as_secs_f64();
    let message = format!("`{at}` has sent less than {LEAST} bytes in {seconds} s");
    Error::new(ErrorKind::NoAnswer, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown_and_never_breaks_a_header() {
        let token = Token::new(" hf_secret\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", " \n", "a b", "a\r\nX: y", "\u{e9}"] {
            assert!(Token::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_trickle_is_told_from_a_slow_line() {
        let patience = Patience { first: Duration::ZERO, more: Duration::from_millis(20) };
        let mut pace = Pace::new(patience);
        assert!(pace.holds(LEAST - 1));
        std::thread::sleep(patience.more);
        assert!(pace.holds(1));
        std::thread::sleep(patience.more);
        assert!(!pace.holds(LEAST - 1));
    }
}
