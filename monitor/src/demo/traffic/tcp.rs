//! TCP request and response: the request is a length (4 bytes, network order), the response so many zeroes.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::super::{
    sys,
    worker::{STOP_CHECK, Stop},
};

pub(super) const PORT: u16 = 8080;
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Longer than the kernel's first retransmission of a SYN.
const CONNECT_PATIENCE: Duration = Duration::from_millis(1500);
/// Without progress for so long, a connection is given up.
const PATIENCE: Duration = Duration::from_secs(3);
const CONNECTIONS_MAX: usize = 16;

/// What one client asks for.
pub(super) struct Load {
    pub(super) answer_bytes: usize,
    pub(super) pause: Duration,
    /// Requests on one connection, after which comes a new one.
    pub(super) requests: usize,
}

/// Listens in the caller's namespace, for IPv4 and IPv6.
pub(super) fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, PORT)).context("listening on a pod's TCP port")?;
    listener.set_nonblocking(true).context("a pod's listening socket")?;
    Ok(listener)
}

/// Answers each connection on a thread of its own, at most `CONNECTIONS_MAX` at a time.
pub(super) fn serve(listener: &TcpListener, stop: &Stop) -> io::Result<()> {
    let connections = &AtomicUsize::new(0);
    thread::scope(|scope| {
        while !stop.is_stopped() {
            let [readable] = sys::wait_readable([listener.as_fd()], STOP_CHECK)?;
            if !readable || connections.load(Ordering::Relaxed) >= CONNECTIONS_MAX {
                stop.pause(Duration::from_millis(1));
                continue;
            }
            let Ok((stream, _)) = listener.accept() else { continue };
            connections.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move || {
                // An error is the end of this connection, and the client's to repeat.
                drop(answer(&stream, stop));
                connections.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Ok(())
    })
}

fn answer(stream: &TcpStream, stop: &Stop) -> io::Result<()> {
    prepare(stream)?;
    let zeroes = vec![0; ANSWER_BYTES_MAX];
    loop {
        let mut request = [0; 4];
        read_exact(stream, &mut request, stop)?;
        let answer_bytes = (u32::from_be_bytes(request) as usize).min(ANSWER_BYTES_MAX);
        write_all(stream, &zeroes[..answer_bytes], stop)?;
    }
}

/// Asks `peers` in turn, one connection after the other.
pub(super) fn ask(peers: [SocketAddr; 2], load: &Load, stop: &Stop) -> io::Result<()> {
    let mut answer = vec![0; load.answer_bytes];
    for peer in peers.into_iter().cycle() {
        // An error is expected under a fault: the next connection follows.
        drop(converse(peer, load, &mut answer, stop));
        stop.pause(load.pause);
        if stop.is_stopped() {
            break;
        }
    }
    Ok(())
}

fn converse(peer: SocketAddr, load: &Load, answer: &mut [u8], stop: &Stop) -> io::Result<()> {
    let stream = TcpStream::connect_timeout(&peer, CONNECT_PATIENCE)?;
    prepare(&stream)?;
    for _ in 0..load.requests {
        write_all(&stream, &(load.answer_bytes as u32).to_be_bytes(), stop)?;
        read_exact(&stream, answer, stop)?;
        stop.pause(load.pause);
    }
    Ok(())
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Accepted sockets do not inherit the listener's non-blocking mode on Linux.
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(STOP_CHECK))?;
    stream.set_write_timeout(Some(STOP_CHECK))
}

fn read_exact(mut stream: &TcpStream, buffer: &mut [u8], stop: &Stop) -> io::Result<()> {
    transfer(buffer.len(), stop, |done| stream.read(&mut buffer[done..]))
}

fn write_all(mut stream: &TcpStream, buffer: &[u8], stop: &Stop) -> io::Result<()> {
    transfer(buffer.len(), stop, |done| stream.write(&buffer[done..]))
}

/// Repeats `step` until all bytes are moved, the demo stops, or there was no progress for `PATIENCE`.
fn transfer(length_bytes: usize, stop: &Stop, mut step: impl FnMut(usize) -> io::Result<usize>) -> io::Result<()> {
    let mut done = 0;
    let mut progress = Instant::now();
    while done < length_bytes {
        if stop.is_stopped() || progress.elapsed() > PATIENCE {
            return Err(ErrorKind::TimedOut.into());
        }
        match step(done) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(moved) => {
                done += moved;
                progress = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
