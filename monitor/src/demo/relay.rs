//! The underlay between the two nodes: moves frames from one node's `eth0` to the other's, and applies the fault.
//!
//! A healthy demo takes the same path with no fault, so a fault is the only difference.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    time::Instant,
};

use super::{
    Fault,
    impairment::{Impairment, Verdict},
    sys,
    tap::FRAME_BYTES_MAX,
    topology::Node,
    worker::{STOP_CHECK, Stop},
};

/// More waiting frames than this are lost, as in a full switch: 10 ms at some 1 Gbit/s.
const DELAYED_FRAMES_MAX: usize = 1024;

/// The cable between node 1 and node 2.
pub(super) struct Relay {
    taps: [File; 2],
    impairment: Impairment,
    delayed: VecDeque<Delayed>,
}

struct Delayed {
    due: Instant,
    to: Node,
    frame: Vec<u8>,
}

impl Relay {
    /// Joins the TAP files of node 1 and node 2, in this order.
    pub(super) fn new(taps: [File; 2], fault: Fault) -> Self {
        Self { taps, impairment: Impairment::new(fault), delayed: VecDeque::new() }
    }

    pub(super) fn run(mut self, stop: &Stop) -> io::Result<()> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        while !stop.is_stopped() {
            let wait =
                self.delayed.front().map_or(STOP_CHECK, |next| next.due.saturating_duration_since(Instant::now()));
            let readable = sys::wait_readable(self.taps.each_ref().map(AsFd::as_fd), wait)?;
            for (from, readable) in Node::BOTH.into_iter().zip(readable) {
                if readable {
                    let length_bytes = self.tap(from).read(&mut buffer)?;
                    self.forward(&buffer[..length_bytes], from.peer());
                }
            }
            self.deliver_due();
        }
        Ok(())
    }

    fn forward(&mut self, frame: &[u8], to: Node) {
        match self.impairment.verdict(frame, to) {
            Verdict::Pass => self.deliver(frame, to),
            Verdict::Delay(delay) if self.delayed.len() < DELAYED_FRAMES_MAX => {
                self.delayed.push_back(Delayed { due: Instant::now() + delay, to, frame: frame.to_vec() });
            }
            Verdict::Refuse(answer) => self.deliver(&answer, to.peer()),
            Verdict::Cut(fragments) => fragments.iter().for_each(|fragment| self.deliver(fragment, to)),
            Verdict::Delay(_) | Verdict::Drop => (),
        }
    }

    fn deliver_due(&mut self) {
        let now = Instant::now();
        while let Some(Delayed { to, frame, .. }) = self.delayed.pop_front_if(|next| next.due <= now) {
            self.deliver(&frame, to);
        }
    }

    fn deliver(&self, frame: &[u8], to: Node) {
        // A device that is down refuses the frame: then it is lost, as on any cable.
        drop(self.tap(to).write(frame));
    }

    fn tap(&self, node: Node) -> &File {
        match node {
            Node::One => &self.taps[0],
            Node::Two => &self.taps[1],
        }
    }
}
