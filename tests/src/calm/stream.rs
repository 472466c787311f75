//! A stream of numbered packets at a steady rate, of which every single one is waited for.
//!
//! No packet is lost for want of room: the receiver's buffer takes seconds of it, and the sender waits while [`WINDOW`]
//! packets are on their way, which is less than any queue between the two holds. None overtakes another for want of order:
//! the sender stays on one processor. What is lost or late was disturbed on the way.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::packets::{Kind, Packets};
use super::pair::Place;
use crate::wait;

/// Packets on their way at most. A veth device holds 256, the backlog of a processor 1000.
const WINDOW: u64 = 64;
/// The packets of this time are sent at once.
const TICK: Duration = Duration::from_millis(1);
/// A packet that is on its way for so long does not arrive any more.
const PATIENCE: Duration = Duration::from_secs(10);
const BUFFER_BYTES: libc::c_int = 64 << 20;

/// A running stream.
pub(super) struct Stream {
    progress: Arc<Progress>,
    sender: JoinHandle<Result<()>>,
    receiver: JoinHandle<Result<Outcome>>,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub sent: u64,
    /// As they were sent, in order.
    pub received: u64,
    pub lost: u64,
    /// Behind one with a higher number, or for a second time.
    pub reordered: u64,
    /// Not a packet that was sent.
    pub corrupted: u64,
}

#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    arrived: AtomicU64,
    /// A packet came out of its turn, or was not what was sent.
    is_disturbed: AtomicBool,
    /// The sender is to end.
    is_over: AtomicBool,
    /// The sender has ended.
    is_sent: AtomicBool,
}

impl Stream {
    /// Starts to send packets of `kind` from one place to another, `rate` a second at most.
    pub(super) fn start(kind: Kind, from: Place<'_>, to: Place<'_>, rate: u32) -> Result<Self> {
        let receiver = {
            let _inside = to.namespace.enter()?;
            let address = (to.address, kind.port());
            UdpSocket::bind(address).with_context(|| format!("cannot receive at {address:?}"))?
        };
        receiver.set_read_timeout(Some(TICK))?;
        enlarge(&receiver).context("a large receive buffer")?;
        let sender = {
            let _inside = from.namespace.enter()?;
            UdpSocket::bind((from.address, 0)).context("a socket to send from")?
        };
        sender.connect(receiver.local_addr()?)?;
        // Packets that stay somewhere on the way fill the sender's buffer.
        sender.set_write_timeout(Some(PATIENCE))?;
        let progress = Arc::new(Progress::default());
        let [near, far] = [progress.clone(), progress.clone()];
        let burst = u64::from(rate) * TICK.as_millis() as u64 / 1000;
        ensure!((1..=WINDOW).contains(&burst), "{rate} packets a second are not a few every {TICK:?}");
        let sender = thread::spawn(move || send(&sender, &Packets::of(kind), burst, &near));
        let receiver = thread::spawn(move || receive(&receiver, &Packets::of(kind), &far));
        Ok(Self { progress, sender, receiver })
    }

    /// Whether something has gone wrong already.
    pub(super) fn is_disturbed(&self) -> bool {
        self.progress.is_disturbed.load(Ordering::Relaxed)
    }

    /// Waits until `count` more have arrived.
    pub(super) fn pass(&self, count: u64) -> Result<()> {
        let arrived = || self.progress.arrived.load(Ordering::Relaxed);
        let end = arrived() + count;
        wait::until(&format!("{count} packets"), 2 * PATIENCE, || Ok((arrived() >= end).then_some(())))
    }

    /// Ends it, and says what became of the packets.
    pub(super) fn stop(self) -> Result<Outcome> {
        self.progress.is_over.store(true, Ordering::Relaxed);
        let sent = self.sender.join().map_err(|_| anyhow!("the sender panicked"))?;
        // The receiver waits for what is on its way.
        self.progress.is_sent.store(true, Ordering::Release);
        let outcome = self.receiver.join().map_err(|_| anyhow!("the receiver panicked"))??;
        sent.map(|()| outcome)
    }
}

impl Outcome {
    /// Whether every packet has arrived once, in order, as it was sent.
    pub fn is_whole(&self) -> bool {
        self.received == self.sent && self.lost + self.reordered + self.corrupted == 0
    }
}

fn send(socket: &UdpSocket, packets: &Packets, burst: u64, progress: &Progress) -> Result<()> {
    stay().context("cannot stay on one processor")?;
    let mut packet = Vec::new();
    let (mut number, mut missing) = (0, 0);
    let mut tick = Instant::now();
    while !progress.is_over.load(Ordering::Relaxed) {
        missing = has_room(progress, number, missing);
        for _ in 0..burst {
            packets.write(number, &mut packet);
            number += 1;
            progress.sent.store(number, Ordering::Relaxed);
            socket.send(&packet).context("a packet was not sent")?;
        }
        // A sender that is late does not make up for it.
        tick = Instant::now().max(tick + TICK);
        thread::sleep(tick.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Waits until the window has room for what is sent next; packets that do not arrive for a long time are given up.
/// Returns how many of those there are.
fn has_room(progress: &Progress, sent: u64, missing: u64) -> u64 {
    let since = Instant::now();
    loop {
        let on_their_way = sent.saturating_sub(progress.arrived.load(Ordering::Relaxed));
        if on_their_way.saturating_sub(missing) < WINDOW {
            return missing;
        }
        if since.elapsed() > PATIENCE || progress.is_over.load(Ordering::Relaxed) {
            return on_their_way;
        }
        thread::sleep(TICK / 10);
    }
}

fn receive(socket: &UdpSocket, packets: &Packets, progress: &Progress) -> Result<Outcome> {
    let (mut buffer, mut room) = (vec![0; 1 << 16], Vec::new());
    let mut outcome = Outcome::default();
    let (mut next, mut arrived) = (0, 0);
    let mut last = Instant::now();
    loop {
        if progress.is_sent.load(Ordering::Acquire) {
            let sent = progress.sent.load(Ordering::Relaxed);
            if arrived >= sent || last.elapsed() > PATIENCE {
                return Ok(Outcome { sent, lost: sent.saturating_sub(arrived), ..outcome });
            }
        }
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(error).context("a packet was not received"),
        };
        let number = packets.number(&buffer[..length], &mut room);
        if number != Some(next) {
            progress.is_disturbed.store(true, Ordering::Relaxed);
        }
        match number {
            None => outcome.corrupted += 1,
            Some(number) if number < next => outcome.reordered += 1,
            Some(number) => {
                next = number + 1;
                outcome.received += 1;
            }
        }
        arrived += 1;
        progress.arrived.store(arrived, Ordering::Relaxed);
        last = Instant::now();
    }
}

/// Keeps the thread on the processor where it is: each has a backlog of its own, so that a thread that moves can overtake
/// the packets that it sent before.
fn stay() -> io::Result<()> {
    // SAFETY: a set of processors is plain integers, for which all zeroes is the empty set. Nothing here has conditions, and
    // the kernel reads as many bytes of the set as it is told.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let own = libc::sched_getcpu();
        libc::CPU_SET(usize::try_from(own).map_err(|_| io::Error::last_os_error())?, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Gives the socket a buffer beyond the system's limit for everybody.
fn enlarge(socket: &UdpSocket) -> io::Result<()> {
    let (bytes, length) = (&BUFFER_BYTES, size_of_val(&BUFFER_BYTES) as libc::socklen_t);
    let (level, option) = (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE);
    // SAFETY: the kernel reads `length` bytes at `bytes`.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(bytes).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
