//! A socket with a deadline: every byte of an exchange comes before it, or the exchange fails.
//!
//! A timeout per `read` would let a server hold a caller forever by sending one byte now and then.

use std::io::{self, BufReader, Read, Write};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::error::Violation;
use crate::uri::Endpoint;

const BUFFER: usize = 16 * 1024;

/// Why bytes could not be exchanged.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection broke, or the server closed it.
    Lost(io::Error),
    /// The deadline passed.
    TimedOut,
    /// The server sent something the protocol does not allow.
    Violation(Violation),
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

/// Why no connection was made.
#[derive(Debug)]
pub(crate) enum Unreachable {
    Resolve(io::Error),
    Connect(io::Error),
}

#[derive(Debug)]
pub(crate) struct Transport {
    /// Headers are a few bytes each; large reads pass the buffer by.
    stream: BufReader<DeadlineSocket>,
}

#[derive(Debug)]
struct DeadlineSocket {
    socket: Socket,
    deadline: Instant,
}

impl Transport {
    /// Connects within `timeout`. The system's resolver may take longer to give up on a name than that; it has limits of
    /// its own.
    pub(crate) fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, Unreachable> {
        let deadline = Instant::now() + timeout;
        let socket = match endpoint {
            Endpoint::Unix { socket } => connect_unix(socket, timeout).map_err(Unreachable::Connect)?,
            Endpoint::Tcp { host, port } => {
                let addresses: Vec<_> =
                    (host.as_str(), *port).to_socket_addrs().map_err(Unreachable::Resolve)?.collect();
                connect_first(&addresses, deadline).map_err(Unreachable::Connect)?
            }
        };
        Ok(Self { stream: BufReader::with_capacity(BUFFER, DeadlineSocket { socket, deadline }) })
    }

    /// Gives the next exchange this much time.
    pub(crate) fn set_deadline(&mut self, from_now: Duration) {
        self.stream.get_mut().deadline = Instant::now() + from_now;
    }

    pub(crate) fn read_array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        self.read_into(&mut array)?;
        Ok(array)
    }

    pub(crate) fn read_into(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        self.stream.read_exact(buffer).map_err(fault)
    }

    /// Reads a payload whose length the server chose, if it is no longer than anything of its kind may be.
    pub(crate) fn read_payload(
        &mut self,
        what: &'static str,
        length: u32,
        limit: usize,
    ) -> Result<Vec<u8>, Fault> {
        match usize::try_from(length) {
            Ok(size) if size <= limit => {
                let mut payload = vec![0; size];
                self.read_into(&mut payload)?;
                Ok(payload)
            }
            _ => Err(Violation::TooLong { what, length: length.into(), limit }.into()),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.get_mut().write_all(bytes).map_err(fault)
    }

    /// Sends a last message without waiting: the peer may be gone.
    pub(crate) fn farewell(&mut self, bytes: &[u8]) {
        let socket = &mut self.stream.get_mut().socket;
        if socket.set_nonblocking(true).is_ok() {
            let sent = socket.write(bytes);
            tracing::trace!(?sent, "said goodbye to an NBD server");
        }
    }
}

impl DeadlineSocket {
    fn remaining(&self) -> io::Result<Duration> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for DeadlineSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.remaining()?))?;
        self.socket.read(buffer)
    }
}

impl Write for DeadlineSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.remaining()?))?;
        // Without this flag a peer that went away would end the whole program with SIGPIPE where that is not ignored.
        self.socket.send_with_flags(bytes, MSG_NOSIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Value of `MSG_NOSIGNAL` on Linux.
const MSG_NOSIGNAL: i32 = 0x4000;

fn fault(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Fault::TimedOut,
        _ => Fault::Lost(error),
    }
}

fn connect_unix(path: &std::path::Path, timeout: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A full backlog makes connect wait for as long as the send timeout says.
    socket.set_write_timeout(Some(timeout))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Tries each address, with an equal share of what time is left.
fn connect_first(addresses: &[std::net::SocketAddr], deadline: Instant) -> io::Result<Socket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
        match connect_tcp(address, share.max(Duration::from_millis(1))) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_tcp(address: &std::net::SocketAddr, timeout: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
    socket.connect_timeout(&SockAddr::from(*address), timeout)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}
