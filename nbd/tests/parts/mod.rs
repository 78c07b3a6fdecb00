//! Real NBD servers for tests, each on a private Unix socket or a TCP port the system chose, ended with the test.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use holdfast_nbd::NbdUri;

/// A server process, killed when the test ends however it ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Server {
    pub(crate) fn uri(&self, export: &str) -> NbdUri {
        NbdUri::unix(&self.socket, export)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, or a failure that says which Debian package has it. A missing part never passes as a skipped test.
pub(crate) fn part(program: &str, package: &str) -> Command {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    assert!(found, "this test needs {program}: apt-get install {package}");
    Command::new(program)
}

pub(crate) fn run(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A qcow2 of `size` bytes with the given pieces of data in it, and a raw file with the same content.
pub(crate) fn sparse_qcow2(folder: &Path, size: u64, pieces: &[(u64, &[u8])]) -> (PathBuf, Vec<u8>) {
    use std::os::unix::fs::FileExt;
    let (raw, qcow2) = (folder.join("disk.raw"), folder.join("disk.qcow2"));
    let file = std::fs::File::create(&raw).unwrap();
    file.set_len(size).unwrap();
    for (offset, data) in pieces {
        file.write_all_at(data, *offset).unwrap();
    }
    let mut convert = part("qemu-img", "qemu-utils");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]).arg(&raw).arg(&qcow2);
    run(convert);
    (qcow2, std::fs::read(raw).unwrap())
}

pub(crate) fn qemu_nbd(folder: &Path, image: &Path, format: &str, extra: &[&str]) -> Server {
    let socket = folder.join("qemu.sock");
    let mut command = part("qemu-nbd", "qemu-utils");
    command.args(["--read-only", "--persistent", "--format", format, "--socket"]).arg(&socket);
    command.args(extra).arg(image);
    start(command, socket)
}

/// qemu-nbd on a TCP port; the port was free a moment ago, so another try is made if somebody took it.
pub(crate) fn qemu_nbd_tcp(image: &Path) -> (Server, NbdUri) {
    for _ in 0..10 {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = part("qemu-nbd", "qemu-utils");
        command.args(["--read-only", "--persistent", "--format", "qcow2", "--bind", "127.0.0.1", "--port"]);
        command.arg(port.to_string()).arg(image);
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (Server { child, socket: PathBuf::new() }, NbdUri::tcp("127.0.0.1", port, ""));
            }
            std::thread::yield_now();
        }
        let _ = child.kill();
    }
    panic!("qemu-nbd found no TCP port to listen on");
}

pub(crate) fn nbdkit(folder: &Path, arguments: &[&str]) -> Server {
    let socket = folder.join("nbdkit.sock");
    let _ = std::fs::remove_file(&socket);
    let mut command = part("nbdkit", "nbdkit");
    command.args(["--foreground", "--unix"]).arg(&socket).args(arguments);
    start(command, socket)
}

fn start(mut command: Command, socket: PathBuf) -> Server {
    command.stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if UnixStream::connect(&socket).is_ok() {
            return Server { child, socket };
        }
        if child.try_wait().unwrap().is_some() || Instant::now() > deadline {
            let _ = child.kill();
            let said: Vec<_> =
                BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).collect();
            panic!("{command:?} did not start: {said:?}");
        }
        std::thread::yield_now();
    }
}
