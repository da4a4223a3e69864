//! Addresses on the web, and which of them are alike.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use crate::error::{Result, bail};

/// An address of a page: `http` or `https`, without a user's name or password.
///
/// It is shown without its path and query. Addresses of files often carry a signature there, which
/// is as good as a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    is_secure: bool,
    host: String,
    port: u16,
    /// Path and query, with the leading slash.
    path: String,
}

impl Address {
    /// Parses an absolute address. `whose` begins the message of an error.
    pub(super) fn parse(text: &str, whose: &str) -> Result<Self> {
        let Ok(uri) = text.parse::<Uri>() else { bail!("{whose} is no address of a page") };
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => bail!("{whose} begins neither with `https://` nor with `http://`"),
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty())
        else {
            bail!("{whose} names no host")
        };
        // It would be sent to the host, and shown in messages.
        if authority.as_str().contains('@') {
            bail!("{whose} holds a name or a password, expected a host alone");
        }
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Ok(Self { is_secure, host, port, path })
    }

    /// The address that a `Location` of this page means.
    pub(super) fn follow(&self, location: &str) -> Result<Self> {
        let whose = format!("the place that `{self}` points to");
        let scheme = if self.is_secure { "https" } else { "http" };
        if location.contains("://") && !location.starts_with('/') {
            return Self::parse(location, &whose);
        }
        if let Some(elsewhere) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{elsewhere}"), &whose);
        }
        let path = match location.strip_prefix('/') {
            Some(_) => location.to_owned(),
            None => {
                let folder = self.path.split('?').next().unwrap_or_default();
                let end = folder.rfind('/').map_or(0, |slash| slash + 1);
                format!("{}{location}", &folder[..end])
            }
        };
        Self::parse(&format!("{self}{path}"), &whose)
    }

    /// The address of a page below this one.
    pub(super) fn join(&self, path: &str) -> Self {
        Self { path: format!("{}/{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Whether another page is on the same host, at the same port, reached the same way.
    pub(super) fn is_same_host(&self, other: &Self) -> bool {
        (self.is_secure, &self.host, self.port) == (other.is_secure, &other.host, other.port)
    }

    /// Whether what is sent there can be read on the way.
    pub(super) fn is_open(&self) -> bool {
        !self.is_secure && !self.is_loopback()
    }

    /// Whether it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether it is reached by `https`.
    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// All of it, to fetch the page.
    pub(super) fn whole(&self) -> String {
        format!("{self}{}", self.path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.is_secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, "it").unwrap()
    }

    #[test]
    fn an_address_is_followed_as_browsers_do_and_shown_without_its_secrets() {
        let hub = address("https://Hub.example/a/b?x=1");
        let follow = |to: &str| hub.follow(to).unwrap().whole();
        assert_eq!(follow("/c?sig=1"), "https://hub.example/c?sig=1");
        assert_eq!(follow("c"), "https://hub.example/a/c");
        assert_eq!(follow("//cdn.example:8443/c"), "https://cdn.example:8443/c");
        assert_eq!(follow("http://cdn.example/c?u=https://x"), "http://cdn.example/c?u=https://x");
        assert_eq!(follow("/c?u=https://x"), "https://hub.example/c?u=https://x");
        assert_eq!(hub.follow("/c?signature=secret").unwrap().to_string(), "https://hub.example");
        for bad in
            ["https://me:secret@hub.example/", "file:///etc/passwd", "https://", "http://a b/"]
        {
            let error = hub.follow(bad).unwrap_err().to_string();
            assert!(!error.contains("secret") && !error.contains("passwd"), "{error}");
        }
        assert_eq!(address("http://a").join("b").join("c").whole(), "http://a/b/c");
    }

    #[test]
    fn hosts_are_alike_in_name_port_and_way_and_this_machine_is_known() {
        let hub = address("https://hub.example/x");
        for other in ["https://HUB.example:443/y", "https://hub.example"] {
            assert!(hub.is_same_host(&address(other)), "{other}");
        }
        for other in ["http://hub.example", "https://hub.example:444", "https://hub.example.org"] {
            assert!(!hub.is_same_host(&address(other)), "{other}");
        }
        for here in ["http://localhost:1", "http://127.0.0.1", "http://127.1.2.3:9", "http://[::1]"]
        {
            assert!(address(here).is_loopback() && !address(here).is_open(), "{here}");
        }
        for there in ["http://localhost.example", "http://10.0.0.1", "http://127.0.0.1.example"] {
            assert!(address(there).is_open(), "{there}");
        }
    }
}
