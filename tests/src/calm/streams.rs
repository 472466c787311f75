//! Streams of all kinds both ways between two places.

use anyhow::Result;

use super::packets::Kind;
use super::pair::Place;
use super::stream::{Outcome, Stream};

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
