//! Conversations between pods that go on, or stall, until their end is asked for.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tests::lab::Pod;
use tests::process::Process;

/// How often a socket looks whether it is over.
const LOOK: Duration = Duration::from_millis(100);
/// What a client asks for, a few bytes.
const REQUEST: usize = 100;

/// Clients in one pod that ask a server in another one for some bytes, again and again; a new connection each time. When an
/// answer does not come they wait on.
pub(super) struct Downloads {
    is_over: &'static AtomicBool,
    threads: Vec<JoinHandle<()>>,
    pings: Vec<Process>,
}

/// Who asks whom, for how much, and how many at a time.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) bytes: usize,
    pub(super) clients: usize,
    pub(super) ipv6: bool,
}

impl Downloads {
    /// `client` asks `server`; small pings go on all the time.
    pub(super) fn start(client: &Pod, server: &Pod, plan: Plan) -> Self {
        // Leaked: a few bytes for each run of a test.
        let is_over: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        let address = server.address(plan.ipv6);
        let listener = {
            let _inside = server.namespace.enter().unwrap();
            TcpListener::bind((address, 0)).unwrap()
        };
        let to = listener.local_addr().unwrap();
        let mut threads = vec![thread::spawn(move || serve(&listener, plan.bytes, is_over))];
        for _ in 0..plan.clients {
            let _inside = client.namespace.enter().unwrap();
            // A socket belongs to the namespace in which it was made, and a thread to that of its parent.
            threads.push(thread::spawn(move || ask(to, plan.bytes, is_over)));
        }
        let pings = vec![ping(client, address)];
        Self { is_over, threads, pings }
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.pings.clear();
        for thread in self.threads.drain(..) {
            // A panic in there was printed already.
            let _ = thread.join();
        }
    }
}

fn ping(client: &Pod, address: IpAddr) -> Process {
    let mut command: Command = client.namespace.command("ping");
    command.args(["-n", "-q", "-i", "0.2", &address.to_string()]).stdout(std::process::Stdio::null());
    Process::spawn(&mut command).unwrap()
}

fn serve(listener: &TcpListener, bytes: usize, is_over: &'static AtomicBool) {
    listener.set_nonblocking(true).unwrap();
    let mut answers = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => answers.push(thread::spawn(move || answer(stream, bytes, is_over))),
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
    answers.into_iter().for_each(|answer| drop(answer.join()));
}

fn answer(mut stream: TcpStream, bytes: usize, is_over: &AtomicBool) {
    stream.set_nonblocking(false).unwrap();
    let mut request = [0; REQUEST];
    if all(&mut stream, &mut request, is_over) {
        // It fits into the socket's buffer, so this does not wait.
        let _ = stream.write_all(&vec![0x5a; bytes]);
        let _ = all(&mut stream, &mut [0], is_over);
    }
}

fn ask(to: SocketAddr, bytes: usize, is_over: &AtomicBool) {
    let mut answer = vec![0; bytes];
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect_timeout(&to, Duration::from_secs(3)) else { continue };
        if stream.write_all(&[0x5a; REQUEST]).is_ok() && all(&mut stream, &mut answer, is_over) {
            drop(stream);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads until the buffer is full; false when it is over before that.
fn all(stream: &mut TcpStream, buffer: &mut [u8], is_over: &AtomicBool) -> bool {
    stream.set_read_timeout(Some(LOOK)).unwrap();
    let mut read = 0;
    while read < buffer.len() {
        match stream.read(&mut buffer[read..]) {
            Ok(0) => return false,
            Ok(bytes) => read += bytes,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if is_over.load(Ordering::Relaxed) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}
