//! One connection: its handshake, its limits, its requests, its end.

use super::auth::gate::Peer;
use axum::{Router, body::Body, extract::Request};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use std::{collections::HashMap, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const HANDSHAKE: Duration = Duration::from_secs(10);
/// A request's head must be there after this, which also ends idle connections.
const HEAD: Duration = Duration::from_secs(20);
const HEAD_BYTES: usize = 32 * 1024;
const HEAD_LINES: usize = 64;
/// The longest pause between two pieces of a request's body.
const PAUSE: Duration = Duration::from_secs(20);
/// Connections in all, and from one address.
const SEATS: usize = 256;
const SEATS_EACH: usize = 48;

/// How many connections are open, and from where.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One open connection's place; dropping it gives it back.
pub(super) struct Seat {
    seats: Seats,
    from: IpAddr,
}

impl Seats {
    /// A place for one more connection from there, if there is one.
    pub(super) fn take(&self, from: IpAddr) -> Option<Seat> {
        let mut taken = self.0.lock();
        if taken.values().sum::<usize>() >= SEATS || taken.get(&from).is_some_and(|own| *own >= SEATS_EACH) {
            return None;
        }
        *taken.entry(from).or_default() += 1;
        Some(Seat { seats: self.clone(), from })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock();
        if let Some(own) = taken.get_mut(&self.from) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.from);
            }
        }
    }
}

/// The TLS handshake. Who speaks plain HTTP to us is told so in words, because browsers say it badly.
pub(super) async fn shake_hands(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
) -> Option<TlsStream<TcpStream>> {
    let shaken = timeout(HANDSHAKE, async {
        let mut first = [0_u8; 1];
        let seen = stream.peek(&mut first).await.ok()?;
        // A TLS handshake begins with 22; a request's method with a letter.
        if seen == 1 && first.iter().all(u8::is_ascii_alphabetic) {
            stream.write_all(PLAIN_ANSWER).await.ok()?;
            stream.shutdown().await.ok()?;
            return None;
        }
        acceptor.accept(stream).await.ok()
    });
    shaken.await.ok().flatten()
}

const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 84\r\nConnection: close\r\n\r\n\
This page is encrypted. Write https:// in front of the address instead of http://.\r\n";

/// Serves requests until the other end closes, breaks a limit, or we shut down.
pub(super) async fn drive<S>(
    stream: S,
    peer: Peer,
    router: Router,
    closing: CancellationToken,
    farewell: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(peer);
        router.oneshot(Request::from_parts(parts, unhurried(body)))
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEAD_LINES)
        .max_buf_size(HEAD_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(farewell, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(source) = ended {
        tracing::debug!(%source, "a connection ended early");
    }
}

/// The body, ended with an error when the client pauses for too long.
fn unhurried(body: Incoming) -> Body {
    Body::from_stream(with_pauses(body.into_data_stream().map_err(io::Error::other).boxed(), PAUSE))
}

fn with_pauses<T, P>(pieces: P, longest: Duration) -> impl Stream<Item = io::Result<T>> + Send
where
    T: Send,
    P: Stream<Item = io::Result<T>> + Unpin + Send,
{
    stream::unfold(Some(pieces), move |pieces: Option<P>| async move {
        let mut pieces = pieces?;
        match timeout(longest, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(source))) => Some((Err(source), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::Error::from(io::ErrorKind::TimedOut)), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_every_seat_and_gives_its_own_back() {
        let seats = Seats::default();
        let (greedy, other) = ("10.0.0.7".parse().unwrap(), "10.0.0.8".parse().unwrap());
        let mut taken: Vec<_> = (0..SEATS_EACH).map(|_| seats.take(greedy).unwrap()).collect();
        assert!(seats.take(greedy).is_none());
        assert!(seats.take(other).is_some());
        taken.pop();
        assert!(seats.take(greedy).is_some());
    }

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let text = std::str::from_utf8(PLAIN_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }

    #[tokio::test]
    async fn a_body_that_pauses_too_long_ends_with_an_error() {
        let silent = stream::once(async { Ok(1) }).chain(stream::pending()).boxed();
        let pieces: Vec<io::Result<i32>> = with_pauses(silent, Duration::ZERO).collect().await;
        assert!(
            matches!(pieces.as_slice(), [Ok(1), Err(source)] if source.kind() == io::ErrorKind::TimedOut)
        );
    }
}
