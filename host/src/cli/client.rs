//! The API's client: HTTP/1.1 over the appliance's Unix socket, or over TLS with a pinned certificate.
//!
//! A connection serves one request: commands ask little, and the appliance is next door.

use super::{
    failure::Failure,
    pin::{Fingerprint, Pinned},
};
use crate::admin::api::{
    PREFIX,
    problem::{CONTENT_TYPE, Kind, Problem},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE as CONTENT_TYPE_HEADER, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::{path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

/// More than any answer has; a wrong address must not fill the memory.
const MOST: usize = 256 << 20;

/// Asks one appliance.
#[derive(Debug, Clone)]
pub struct Client {
    route: Route,
}

#[derive(Debug, Clone)]
enum Route {
    Socket(PathBuf),
    Remote(Remote),
}

#[derive(Clone)]
struct Remote {
    host: String,
    port: u16,
    token: Option<String>,
    /// None is without TLS, to this box itself.
    pin: Option<Fingerprint>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Client {
    /// Over this box's socket.
    pub fn socket(path: PathBuf) -> Self {
        Self { route: Route::Socket(path) }
    }

    /// Over the network. Without TLS only to this box itself, since the token would be readable on the way.
    pub fn remote(url: &str, token: Option<String>, pin: Option<Fingerprint>) -> Result<Self, Failure> {
        let wrong =
            || Failure::usage(format!("\"{url}\" is not an appliance's address; write https://HOST:PORT"));
        let parsed = url::Url::parse(url).map_err(|_| wrong())?;
        let host = parsed.host_str().ok_or_else(wrong)?.to_owned();
        let bare = host.trim_matches(['[', ']']).to_owned();
        let loopback =
            bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match (parsed.scheme(), pin) {
            ("https", Some(_)) => {}
            ("https", None) => {
                return Err(Failure::usage(format!(
                    "who answers at {url} cannot be known; nothing was sent: add --fingerprint with what the appliance prints when it starts"
                )));
            }
            ("http", None) if loopback => {}
            ("http", _) => {
                return Err(Failure::usage(format!(
                    "{url} would send the token readable for everybody on the way; nothing was sent: use https://"
                )));
            }
            _ => return Err(wrong()),
        }
        let port = parsed.port().unwrap_or(8470);
        Ok(Self { route: Route::Remote(Remote { host: bare, port, token, pin }) })
    }

    /// Reads.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        decode(&self.exchange(Method::GET, path, None, Bytes::new()).await?)
    }

    /// Reads text.
    pub async fn get_text(&self, path: &str) -> Result<String, Failure> {
        let bytes = self.exchange(Method::GET, path, None, Bytes::new()).await?;
        String::from_utf8(bytes.into()).map_err(|_| not_the_api())
    }

    /// Gives an order with a JSON body and reads what became of it.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        decode(&self.exchange(Method::POST, path, JSON, encode(body)?).await?)
    }

    /// Gives an order that is answered without a body.
    pub async fn tell(&self, method: Method, path: &str, body: &impl Serialize) -> Result<(), Failure> {
        self.exchange(method, path, JSON, encode(body)?).await.map(|_| ())
    }

    /// Replaces.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        decode(&self.exchange(Method::PUT, path, JSON, encode(body)?).await?)
    }

    /// Gives an order whose path says it all.
    pub async fn act(&self, method: Method, path: &str) -> Result<(), Failure> {
        self.exchange(method, path, None, Bytes::new()).await.map(|_| ())
    }

    /// Sends bytes and returns the answer's.
    pub async fn upload(&self, path: &str, bytes: Vec<u8>) -> Result<Bytes, Failure> {
        self.exchange(Method::POST, path, Some("application/octet-stream"), bytes.into()).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        kind: Option<&'static str>,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{PREFIX}{path}")
            .parse()
            .map_err(|_| Failure::usage(format!("\"{path}\" cannot be asked for: check the names in it")))?;
        if let Some(kind) = kind {
            request.headers_mut().insert(CONTENT_TYPE_HEADER, HeaderValue::from_static(kind));
        }
        let response = match &self.route {
            Route::Socket(path) => {
                request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
                let stream = UnixStream::connect(path).await.map_err(|error| no_socket(path, &error))?;
                converse(stream, request).await
            }
            Route::Remote(remote) => remote.send(request).await,
        }?;
        read(response).await
    }
}

const JSON: Option<&str> = Some("application/json");

impl Remote {
    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let value = |text: String| {
            HeaderValue::from_str(&text).map_err(|_| {
                Failure::usage("the address or token has characters that cannot be sent; check both")
            })
        };
        request.headers_mut().insert(HOST, value(format!("{}:{}", self.host, self.port))?);
        if let Some(token) = &self.token {
            let mut bearer = value(format!("Bearer {token}"))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| self.unreachable(&e))?;
        let Some(fingerprint) = self.pin else { return converse(stream, request).await };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|e| self.unreachable(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { fingerprint, provider }))
            .with_no_client_auth();
        let name =
            rustls::pki_types::ServerName::try_from(self.host.clone()).map_err(|e| self.unreachable(&e))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|e| self.unreachable(&e))?;
        converse(stream, request).await
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Unreachable(format!(
            "the appliance at {}:{} cannot be reached ({error}); nothing was done: check the address, the network, and that it is running",
            self.host, self.port
        ))
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| broke_off(&e))?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(|e| broke_off(&e))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE_HEADER).cloned();
    let bytes =
        Limited::new(response.into_body(), MOST).collect().await.map_err(|e| broke_off(&e))?.to_bytes();
    if status.is_success() {
        return Ok(bytes);
    }
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(CONTENT_TYPE.as_bytes()))
        && let Ok(problem) = serde_json::from_slice::<Problem>(&bytes)
    {
        return Err(refused(problem));
    }
    Err(Failure::failed(format!(
        "the appliance answered {status} and not in the API's form; whether the order was carried out is not known: is the address right?"
    )))
}

fn refused(mut problem: Problem) -> Failure {
    if problem.is(Kind::Unauthenticated) {
        problem.detail =
            "the appliance does not know who asks; nothing was done: give --token-file with a token made by `holdfast token create`"
                .to_owned();
    }
    debug_assert!(StatusCode::from_u16(problem.status).is_ok());
    Failure::Refused(Box::new(problem))
}

fn encode(body: &impl Serialize) -> Result<Bytes, Failure> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| {
        Failure::failed(format!("the order cannot be written down ({error}); nothing was sent: report this"))
    })
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|_| not_the_api())
}

fn not_the_api() -> Failure {
    Failure::failed(
        "the appliance's answer is not one this command understands; the order was carried out: use the command line of the same version as the appliance",
    )
}

fn broke_off(error: &dyn std::fmt::Display) -> Failure {
    Failure::Unreachable(format!(
        "the appliance broke off ({error}); whether the order was carried out is not known: look at `holdfast runs`, then try again"
    ))
}

fn no_socket(path: &std::path::Path, error: &std::io::Error) -> Failure {
    use std::io::ErrorKind as E;
    let (what, remedy) = match error.kind() {
        E::NotFound => (
            "no appliance runs with this data directory",
            "start one with `holdfast serve`, or name another with --data",
        ),
        E::ConnectionRefused => {
            ("the appliance with this data directory has stopped", "start it with `holdfast serve`")
        }
        E::PermissionDenied => {
            ("its socket may not be opened by this user", "run this as the user the appliance runs as")
        }
        _ => ("its socket cannot be opened", "check the data directory"),
    };
    Failure::Unreachable(format!("{what} ({}: {error}); nothing was done: {remedy}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, pin: bool) -> String {
        let pin = pin.then(|| "00".repeat(32).parse().unwrap());
        Client::remote(url, None, pin).unwrap_err().to_string()
    }

    #[test]
    fn a_token_is_never_sent_to_whoever_answers() {
        assert!(refusal("https://box:8470", false).contains("--fingerprint"));
        assert!(refusal("http://box:8470", false).contains("use https://"));
        assert!(refusal("ftp://box", false).contains("https://HOST:PORT"));
        assert!(refusal("box", false).contains("https://HOST:PORT"));
    }

    #[test]
    fn the_box_itself_may_be_asked_without_tls() {
        for url in ["http://127.0.0.1:8470", "http://localhost:1", "http://[::1]:8470"] {
            assert!(Client::remote(url, None, None).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn an_appliance_that_does_not_run_is_named_with_its_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let client = Client::socket(directory.path().join("holdfast.sock"));
        let failure = client.get::<serde_json::Value>("/about").await.unwrap_err();
        assert_eq!(failure.code(), 3);
        assert!(failure.to_string().contains("holdfast serve"), "{failure}");
    }
}
