//! TCP between namespaces, by this process's own sockets: it ends when the last byte has arrived.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::netns::Namespace;

const PATIENCE: Duration = Duration::from_secs(20);

/// One TCP connection: `rounds` times, `from` sends `bytes` to `address` in `to` and gets as many back.
///
/// Each round waits for the answer, so that every one is a round trip of data and acknowledgement.
pub fn tcp(from: &Namespace, to: &Namespace, address: IpAddr, bytes: usize, rounds: u32) -> Result<()> {
    let listener = {
        let _inside = to.enter()?;
        TcpListener::bind((address, 0)).with_context(|| format!("cannot listen at {address}"))?
    };
    let server = listener.local_addr()?;
    thread::scope(|scope| {
        // The listener belongs to its namespace already, whichever thread accepts.
        let echo = scope.spawn(move || echo(&listener, bytes, rounds));
        let sent = ask(from, server, bytes, rounds);
        if sent.is_err() {
            // A connection from inside lets the listener end when the real one never came.
            let _ = to.enter().map(|_inside| TcpStream::connect(server));
        }
        let echoed = echo.join().map_err(|_| anyhow!("the server panicked"))?;
        sent.and(echoed)
    })
}

fn ask(from: &Namespace, server: SocketAddr, bytes: usize, rounds: u32) -> Result<()> {
    let mut stream = {
        let _inside = from.enter()?;
        TcpStream::connect_timeout(&server, PATIENCE).with_context(|| format!("cannot connect to {server}"))?
    };
    prepare(&stream)?;
    let mut data = vec![0x5a; bytes];
    for round in 0..rounds {
        stream.write_all(&data).with_context(|| format!("round {round}: cannot send"))?;
        stream.read_exact(&mut data).with_context(|| format!("round {round}: no answer"))?;
    }
    Ok(())
}

fn echo(listener: &TcpListener, bytes: usize, rounds: u32) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    prepare(&stream)?;
    let mut data = vec![0; bytes];
    for _ in 0..rounds {
        stream.read_exact(&mut data).context("the server was not sent all")?;
        stream.write_all(&data).context("the server cannot answer")?;
    }
    // The client closes first: its end of file is the last that arrives.
    stream.read_to_end(&mut data).context("the client did not close")?;
    Ok(())
}

fn prepare(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(())
}
