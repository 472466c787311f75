//! An underlay and a peer that are made up, in virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::super::campaign::{Action, Campaign, Heard, Packet, Reason};

const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254));
/// There and back, by a router in the middle.
pub(super) const RTT: Duration = Duration::from_millis(7);

/// What a router does besides dropping what is too long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Router {
    Silent,
    /// Names its MTU.
    Honest,
    /// Names this one.
    Names(u32),
    /// Names a byte less than what came.
    OneLess,
    /// Names this one also for what it lets pass.
    Slanders(u32),
}

/// The underlay and the peer.
#[derive(Clone)]
pub(super) struct World {
    /// What each flow's path takes; 0: nothing.
    pub(super) mtus: Vec<u32>,
    pub(super) router: Router,
    /// Packets lost of a thousand, by chance.
    pub(super) loss: u64,
    pub(super) chance: u64,
    /// Time for one answer, and the answers that are left.
    pub(super) limit: Duration,
    pub(super) credit: f64,
    pub(super) answered: Duration,
    /// From when to when nothing passes.
    pub(super) outages: [[Duration; 2]; 2],
    /// Time by which an answer is late at most.
    pub(super) jitter: Duration,
    /// What is on its way back.
    pub(super) coming: BTreeMap<(Duration, u32), Heard>,
}

impl World {
    pub(super) fn new(mtus: &[u32]) -> Self {
        let (limit, coming) = (Duration::ZERO, BTreeMap::new());
        let mtus = mtus.to_vec();
        let (router, outages, jitter, answered) = (Router::Silent, [[limit; 2]; 2], limit, limit);
        Self { mtus, router, loss: 0, chance: 1, limit, credit: 6.0, answered, outages, jitter, coming }
    }

    /// SplitMix64.
    fn number(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.chance ^ self.chance >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn send(&mut self, Packet { number, flow, size }: Packet, now: Duration) {
        let mtu = self.mtus[flow];
        let named = match self.router {
            Router::Honest if size > mtu => Some(mtu),
            Router::Names(named) if size > mtu => Some(named),
            Router::OneLess if size > mtu => Some(size - 1),
            Router::Slanders(named) if size > named => Some(named),
            Router::Silent | Router::Honest | Router::Names(_) | Router::OneLess | Router::Slanders(_) => None,
        };
        let is_out = self.outages.iter().any(|[from, to]| (*from..*to).contains(&now));
        let is_lost = size > mtu || is_out || self.number() % 1000 < self.loss || !self.lets_go(now);
        // The router is nearer than the peer.
        if let Some(mtu) = named.filter(|_| !is_out) {
            self.coming.insert((now + RTT / 2, number), Heard::TooBig { number, reporter: ROUTER, mtu });
        }
        let late = self.jitter.mul_f64(self.number() as f64 / u64::MAX as f64);
        if !is_lost {
            self.coming.insert((now + RTT + late, number), Heard::Answer(number));
        }
    }

    /// The peer's limit on answers.
    fn lets_go(&mut self, now: Duration) -> bool {
        if self.limit.is_zero() {
            return true;
        }
        self.credit = (self.credit + (now - self.answered).div_duration_f64(self.limit)).min(6.0);
        self.answered = now;
        let goes = self.credit >= 1.0;
        self.credit -= if goes { 1.0 } else { 0.0 };
        goes
    }

    /// Runs a campaign to its end; how it ended, and when.
    pub(super) fn probe(&mut self, campaign: &mut Campaign) -> (Reason, Duration) {
        let mut now = Duration::ZERO;
        loop {
            match campaign.next(now) {
                Action::End(reason) => return (reason, now),
                Action::Send(packet) => self.send(packet, now),
                Action::Wait(until) => {
                    assert!(until > now, "it waits for what has passed");
                    now = self.coming.keys().next().map_or(until, |(at, _)| until.min(*at));
                    while let Some(entry) = self.coming.first_entry().filter(|entry| entry.key().0 <= now) {
                        campaign.heard(entry.remove(), now);
                    }
                }
            }
        }
    }
}
