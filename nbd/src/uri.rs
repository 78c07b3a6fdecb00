//! Where an export is: the NBD project's URI scheme, as far as the client can follow it.
//!
//! `nbd://host[:port]/export` is TCP, `nbd+unix:///export?socket=/path` a Unix socket. Schemes that need TLS, SSH or
//! vsock are refused by name rather than tried without.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::protocol::constants::{DEFAULT_PORT, MAX_STRING};

/// Characters a path or query keeps as they are.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Longest path the kernel takes for a Unix socket, without the closing zero.
const MAX_SOCKET_PATH: usize = 107;

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Tcp {
        /// A name or an address; IPv6 without brackets.
        host: String,
        port: u16,
    },
    Unix {
        socket: PathBuf,
    },
}

/// An export at a server. `Display` gives the URI back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NbdUri {
    endpoint: Endpoint,
    export: String,
}

/// Why a text is not the URI of an export this client can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseUri {
    #[error("\"{uri}\" is not a URI; write nbd://host:port/export or nbd+unix:///export?socket=/path")]
    Malformed { uri: String, source: url::ParseError },
    #[error(
        "the scheme of \"{uri}\" is not NBD; write nbd://host:port/export or nbd+unix:///export?socket=/path"
    )]
    NotNbd { uri: String },
    #[error(
        "\"{uri}\" asks for the transport {scheme}, which this version does not speak; nothing was sent. Use nbd:// on a \
         network you trust, or nbd+unix:// through a tunnel"
    )]
    Transport { uri: String, scheme: String },
    #[error("\"{uri}\" names no host; write nbd://host:port/export")]
    NoHost { uri: String },
    #[error("\"{uri}\" names no socket; write nbd+unix:///export?socket=/path with an absolute path")]
    NoSocket { uri: String },
    #[error("the socket path in \"{uri}\" is longer than the {MAX_SOCKET_PATH} bytes a Unix socket allows")]
    SocketTooLong { uri: String },
    #[error("\"{uri}\" holds {part}, which an NBD URI of this kind cannot have; remove it")]
    Unexpected { uri: String, part: &'static str },
    #[error(
        "the export name in \"{uri}\" is not UTF-8 text of at most {MAX_STRING} bytes; check the name at the server"
    )]
    Export { uri: String },
}

impl NbdUri {
    pub fn tcp(host: impl Into<String>, port: u16, export: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Tcp { host: host.into(), port }, export: export.into() }
    }

    pub fn unix(socket: impl Into<PathBuf>, export: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Unix { socket: socket.into() }, export: export.into() }
    }

    /// The same server, another export.
    #[must_use]
    pub fn with_export(&self, export: impl Into<String>) -> Self {
        Self { endpoint: self.endpoint.clone(), export: export.into() }
    }

    pub fn parse(text: &str) -> Result<Self, ParseUri> {
        // What is shown in errors must not carry a password somebody put into the address.
        let shown = shown(text);
        let url = Url::parse(text).map_err(|source| ParseUri::Malformed { uri: shown.clone(), source })?;
        let unexpected = |part| Err(ParseUri::Unexpected { uri: shown.clone(), part });
        if !url.username().is_empty() || url.password().is_some() {
            return unexpected("a user name or password");
        }
        if url.fragment().is_some() {
            return unexpected("a fragment (#)");
        }
        let endpoint = match url.scheme() {
            "nbd" => tcp_endpoint(&url, &shown)?,
            "nbd+unix" => unix_endpoint(&url, &shown)?,
            other if other.starts_with("nbd") => {
                return Err(ParseUri::Transport { uri: shown, scheme: other.to_owned() });
            }
            _ => return Err(ParseUri::NotNbd { uri: shown }),
        };
        let path = url.path().strip_prefix('/').unwrap_or_else(|| url.path());
        match percent_decode_str(path).decode_utf8() {
            Ok(export) if export.len() <= MAX_STRING => Ok(Self { endpoint, export: export.into_owned() }),
            _ => Err(ParseUri::Export { uri: shown }),
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn export(&self) -> &str {
        &self.export
    }
}

impl std::str::FromStr for NbdUri {
    type Err = ParseUri;

    fn from_str(text: &str) -> Result<Self, ParseUri> {
        Self::parse(text)
    }
}

impl fmt::Display for NbdUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let export = utf8_percent_encode(&self.export, ESCAPED);
        match &self.endpoint {
            Endpoint::Tcp { host, port } => {
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "nbd://{open}{host}{close}")?;
                if *port != DEFAULT_PORT {
                    write!(f, ":{port}")?;
                }
                write!(f, "/{export}")
            }
            Endpoint::Unix { socket } => {
                let socket = percent_encoding::percent_encode(socket.as_os_str().as_encoded_bytes(), ESCAPED);
                write!(f, "nbd+unix:///{export}?socket={socket}")
            }
        }
    }
}

fn tcp_endpoint(url: &Url, shown: &str) -> Result<Endpoint, ParseUri> {
    if socket_parameter(url).is_some() {
        return Err(ParseUri::Unexpected {
            uri: shown.to_owned(),
            part: "socket= (that is for nbd+unix://)",
        });
    }
    let host = match url.host() {
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Domain(name)) if !name.is_empty() => match percent_decode_str(name).decode_utf8() {
            Ok(name) => name.into_owned(),
            Err(_) => return Err(ParseUri::NoHost { uri: shown.to_owned() }),
        },
        _ => return Err(ParseUri::NoHost { uri: shown.to_owned() }),
    };
    Ok(Endpoint::Tcp { host, port: url.port().unwrap_or(DEFAULT_PORT) })
}

fn unix_endpoint(url: &Url, shown: &str) -> Result<Endpoint, ParseUri> {
    if url.host_str().is_some_and(|host| !host.is_empty()) {
        return Err(ParseUri::Unexpected {
            uri: shown.to_owned(),
            part: "a host (three slashes follow nbd+unix:)",
        });
    }
    let Some(socket) = socket_parameter(url).filter(|socket| socket.is_absolute()) else {
        return Err(ParseUri::NoSocket { uri: shown.to_owned() });
    };
    if socket.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ParseUri::SocketTooLong { uri: shown.to_owned() });
    }
    Ok(Endpoint::Unix { socket })
}

/// The value of `socket=`, decoded as a path: `+` is a plus sign here, unlike in a web form.
fn socket_parameter(url: &Url) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let value = url.query()?.split('&').find_map(|pair| pair.strip_prefix("socket="))?;
    let bytes: Vec<u8> = percent_decode_str(value).collect();
    Some(Path::new(&std::ffi::OsString::from_vec(bytes)).to_owned())
}

fn shown(text: &str) -> String {
    let safe: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    match (safe.find("://"), safe.find('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            let (head, tail) = (safe.get(..scheme + 3), safe.get(at..));
            format!("{}…{}", head.unwrap_or_default(), tail.unwrap_or_default())
        }
        _ => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_of_the_scheme_are_read() {
        assert_eq!(NbdUri::parse("nbd://nas").unwrap(), NbdUri::tcp("nas", 10809, ""));
        assert_eq!(NbdUri::parse("nbd://nas:10900/disk%20a").unwrap(), NbdUri::tcp("nas", 10900, "disk a"));
        assert_eq!(NbdUri::parse("nbd://[::1]/a/b").unwrap(), NbdUri::tcp("::1", 10809, "a/b"));
        assert_eq!(
            NbdUri::parse("nbd+unix:///?socket=/run/a+b%20c").unwrap(),
            NbdUri::unix("/run/a+b c", "")
        );
        assert_eq!(
            NbdUri::parse("nbd+unix:///vda?x=1&socket=/run/s").unwrap(),
            NbdUri::unix("/run/s", "vda")
        );
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_its_reason() {
        let reason = |text: &str| NbdUri::parse(text).unwrap_err();
        assert!(matches!(reason("nbds://nas/a"), ParseUri::Transport { .. }));
        assert!(matches!(reason("nbds+unix:///a?socket=/s"), ParseUri::Transport { .. }));
        assert!(matches!(reason("nbd+vsock://2/a"), ParseUri::Transport { .. }));
        assert!(matches!(reason("https://nas/a"), ParseUri::NotNbd { .. }));
        assert!(matches!(reason("/dev/sda"), ParseUri::Malformed { .. }));
        assert!(matches!(reason("nbd:///a"), ParseUri::NoHost { .. }));
        assert!(matches!(reason("nbd+unix:///a"), ParseUri::NoSocket { .. }));
        assert!(matches!(reason("nbd+unix:///a?socket=relative"), ParseUri::NoSocket { .. }));
        assert!(matches!(reason("nbd+unix://host/a?socket=/s"), ParseUri::Unexpected { .. }));
        assert!(matches!(reason("nbd://nas/a?socket=/s"), ParseUri::Unexpected { .. }));
        assert!(matches!(reason("nbd://nas/%ff"), ParseUri::Export { .. }));
        let long = format!("nbd+unix:///?socket=/{}", "s".repeat(120));
        assert!(matches!(reason(&long), ParseUri::SocketTooLong { .. }));
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let refused = NbdUri::parse("nbd://me:secret@nas/a").unwrap_err().to_string();
        assert!(refused.contains("password") && !refused.contains("secret"), "{refused}");
    }

    proptest! {
        #[test]
        fn a_uri_shown_is_a_uri_read(export in "[a-zA-Z0-9 %?#&+é_/-]{0,40}", path in "/[a-z0-9 %?#&+.é_-]{1,30}") {
            // A URI has no way to write a segment of dots or an empty first segment; exports named so are not reachable.
            prop_assume!(!export.starts_with('/'));
            let unix = NbdUri::unix(path, export.clone());
            prop_assert_eq!(NbdUri::parse(&unix.to_string()).unwrap(), unix);
            let tcp = NbdUri::tcp("nas", 4000, export);
            prop_assert_eq!(NbdUri::parse(&tcp.to_string()).unwrap(), tcp);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = NbdUri::parse(&text);
            let _ = NbdUri::parse(&format!("nbd://{text}"));
            let _ = NbdUri::parse(&format!("nbd+unix://{text}"));
        }
    }
}
