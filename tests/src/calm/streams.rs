//! Streams of all kinds both ways between two places, and what happens meanwhile.

use anyhow::Result;
use monitor::bpf::Kernel;

use super::mode::Mode;
use super::packets::Kind;
use super::pair::Place;
use super::stream::{Outcome, Stream};

/// Runs at most.
const RUNS: u32 = 4;

/// Attaching and detaching at both places at once, again and again.
#[derive(Clone, Copy, Debug)]
pub struct Cycles {
    pub count: u32,
    /// Packets of each stream that pass while all is attached, in each cycle.
    pub packets: u64,
    /// Packets a second of each of the four streams, at most.
    pub rate: u32,
}

impl Cycles {
    /// Runs them under streams, and says what became of the packets: in the first run without a disturbance, or the last.
    ///
    /// What is detached is gone at once only for a thread with [`crate::process::own_descriptors`]. When native XDP leaves a
    /// veth, the kernel frees what stands in its ring (`veth_napi_del_range`), where a sender that is slow at that moment may
    /// have put a packet: on a busy machine it loses one now and then, whoever detaches. So that mode has several runs;
    /// what tunmon lost would be lost in each.
    pub fn run(&self, kernel: &mut Kernel, places: [Place<'_>; 2], mode: Mode) -> Result<Vec<Outcome>> {
        let mut outcomes = self.once(kernel, places, mode)?;
        for _ in 1..if mode == Mode::Native { RUNS } else { 1 } {
            if outcomes.iter().all(Outcome::is_whole) {
                break;
            }
            println!("{mode:?}, a run with a disturbance: {outcomes:?}");
            outcomes = self.once(kernel, places, mode)?;
        }
        Ok(outcomes)
    }

    /// One run, which ends at the first disturbance.
    fn once(&self, kernel: &mut Kernel, places: [Place<'_>; 2], mode: Mode) -> Result<Vec<Outcome>> {
        let streams = Streams::start(places, self.rate)?;
        for _ in 0..self.count {
            let _attachments = [mode.attach(kernel, places[0])?, mode.attach(kernel, places[1])?];
            streams.pass(self.packets)?;
            if streams.streams.iter().any(Stream::is_disturbed) {
                break;
            }
        }
        streams.stop()
    }
}

/// Running streams.
pub struct Streams {
    streams: Vec<Stream>,
}

impl Streams {
    /// Starts them; `rate` is a second's packets of each of the four.
    pub fn start([one, two]: [Place<'_>; 2], rate: u32) -> Result<Self> {
        let mut streams = Vec::new();
        for kind in Kind::ALL {
            streams.push(Stream::start(kind, one, two, rate)?);
            streams.push(Stream::start(kind, two, one, rate)?);
        }
        Ok(Self { streams })
    }

    /// Waits until of each stream `count` more packets have arrived.
    pub fn pass(&self, count: u64) -> Result<()> {
        self.streams.iter().try_for_each(|stream| stream.pass(count))
    }

    /// Ends them, and says what became of the packets.
    pub fn stop(self) -> Result<Vec<Outcome>> {
        self.streams.into_iter().map(Stream::stop).collect()
    }
}
