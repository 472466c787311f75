//! The outer half of the short way: Ethernet with one tag at most, IP, UDP to a tunnel port, Geneve.

use core::hint;

use super::Exit;
use crate::count::LONGEST;
use crate::frame::{Direction, Frame};
use crate::packet::Address;
use crate::tables::{self, Tables};
use crate::tunnel::Tunnel;
use crate::wire::geneve::{self, Geneve, OptionHeader};
use crate::wire::udp::{self, Udp};
use crate::wire::{Bytes, Window, ethernet, icmp, ipv4, ipv6, tcp};

/// What the outer headers of a tunnel packet say; lengths in bytes.
pub(super) struct Outer<B: Bytes, P> {
    /// Where the counters of its tunnel stand.
    pub(super) place: P,
    /// Length of the outer IP packet; [`LONGEST`] at most, as that of the inner one, which is shorter.
    pub(super) length: u32,
    /// From the outer IP header to the inner one.
    pub(super) overhead: u32,
    /// Ethernet and the IP header, if it is IPv4: to read its flags again costs less than to keep them.
    v4: Option<B::Window<OVER_V4>>,
    /// From the inner Ethernet header on.
    pub(super) payload: B,
}

impl<B: Bytes, P> Outer<B, P> {
    /// Says whether it is over IPv4 with a clear DF bit.
    #[inline(always)]
    pub(super) fn is_df_clear(&self) -> bool {
        self.v4
            .is_some_and(|window| !ipv4::Ipv4(window.part::<{ ethernet::LENGTH }, { ipv4::LENGTH }>()).dont_fragment())
    }
}

/// The UDP and the Geneve header, which one check proves.
const BOTH: usize = udp::LENGTH + geneve::LENGTH;
/// Ethernet and IPv4, and Ethernet and IPv6.
const OVER_V4: usize = ethernet::LENGTH + ipv4::LENGTH;
const OVER_V6: usize = ethernet::LENGTH + ipv6::LENGTH;

/// Ethertypes as they lie in memory.
const IPV4: u16 = ethernet::IPV4.to_be();
const IPV6: u16 = ethernet::IPV6.to_be();
const DOT1Q: u16 = ethernet::DOT1Q.to_be();
const DOT1AD: u16 = ethernet::DOT1AD.to_be();

/// Next header of encrypted payload, of which a cluster with IPsec sees little else (RFC 4303).
const ESP: u8 = 50;

/// Ethernet with one tag at most, IPv4, UDP to a tunnel port, Geneve.
#[inline(always)]
pub(super) fn over_v4<B: Bytes, T: Tables>(
    bytes: B,
    frame: impl Fn() -> Frame,
    tables: &mut T,
) -> Result<Outer<B, T::Place>, Exit> {
    let (mut bytes, mut tags) = (bytes, 0);
    let mut window = bytes.near::<OVER_V4>(0).ok_or(Exit::Declined)?;
    let mut ethertype = window.raw16::<12>();
    if ethertype != IPV4 {
        hint::cold_path();
        if ethertype == DOT1Q || ethertype == DOT1AD {
            // What stands before IP is then the rest of the addresses and the tag, and the ethertype where it always is.
            (bytes, tags) = (bytes.behind::<{ ethernet::TAG_LENGTH }>(), ethernet::TAG_LENGTH);
            window = bytes.near::<OVER_V4>(0).ok_or(Exit::Declined)?;
            ethertype = window.raw16::<12>();
        }
        match ethertype {
            IPV4 => {}
            IPV6 => return Err(Exit::OverV6),
            DOT1Q | DOT1AD => return Err(Exit::Declined),
            _ => return Err(Exit::NotOurs),
        }
    }
    v4(bytes, window, (frame, tags), tables)
}

/// The same over IPv6, of a packet that [`over_v4`] has left.
#[inline(always)]
pub(super) fn over_v6<B: Bytes, T: Tables>(
    bytes: B,
    frame: impl Fn() -> Frame,
    tables: &mut T,
) -> Result<Outer<B, T::Place>, Exit> {
    let (mut bytes, mut tags) = (bytes, 0);
    let window = bytes.near::<OVER_V4>(0).ok_or(Exit::Declined)?;
    if window.raw16::<12>() != IPV6 {
        // What stands before IP is the rest of the addresses and the tag, and the ethertype where it always is.
        (bytes, tags) = (bytes.behind::<{ ethernet::TAG_LENGTH }>(), ethernet::TAG_LENGTH);
    }
    v6(bytes, (frame, tags), tables)
}

#[inline(always)]
fn v4<B: Bytes, T: Tables>(
    bytes: B,
    window: B::Window<OVER_V4>,
    (frame, tags): (impl Fn() -> Frame, usize),
    tables: &mut T,
) -> Result<Outer<B, T::Place>, Exit> {
    let header = ipv4::Ipv4(window.part::<{ ethernet::LENGTH }, { ipv4::LENGTH }>());
    match header.protocol() {
        udp::PROTOCOL => {}
        icmp::PROTOCOL_V4 | icmp::PROTOCOL_V6 => {
            hint::cold_path();
            return Err(Exit::Declined);
        }
        _ => return Err(Exit::NotOurs),
    }
    if header.version_ihl() != 0x45 || header.is_fragment() {
        return Err(Exit::Declined);
    }
    let datagram = datagram(bytes.behind::<OVER_V4>(), tables)?;
    let frame = frame();
    let length = header.total_length();
    let (overhead, payload) = tunnelled(&datagram, &frame, (length, ipv4::LENGTH as u32, tags))?;
    let tunnel = Tunnel::v4(frame.device, datagram.geneve().vni(), header.ends(), frame.direction());
    let place = place(tables, &tunnel, frame.direction(), overhead)?;
    Ok(Outer { place, length, overhead, v4: Some(window), payload })
}

#[inline(always)]
fn v6<B: Bytes, T: Tables>(
    bytes: B,
    (frame, tags): (impl Fn() -> Frame, usize),
    tables: &mut T,
) -> Result<Outer<B, T::Place>, Exit> {
    let window = bytes.near::<OVER_V6>(0).ok_or(Exit::Declined)?;
    let header = ipv6::Ipv6(window.part::<{ ethernet::LENGTH }, { ipv6::LENGTH }>());
    match header.next_header() {
        udp::PROTOCOL if header.version() == 6 => {}
        tcp::PROTOCOL | ESP => return Err(Exit::NotOurs),
        _ => return Err(Exit::Declined),
    }
    let datagram = datagram(bytes.behind::<OVER_V6>(), tables)?;
    let ends = [Address(header.source()), Address(header.destination())];
    let frame = frame();
    let length = header.payload_length() + ipv6::LENGTH as u32;
    if length > u32::from(LONGEST) {
        return Err(Exit::Declined);
    }
    let (overhead, payload) = tunnelled(&datagram, &frame, (length, ipv6::LENGTH as u32, tags))?;
    let tunnel = Tunnel::v6(frame.device, datagram.geneve().vni(), ends, frame.direction());
    let place = place(tables, &tunnel, frame.direction(), overhead)?;
    Ok(Outer { place, length, overhead, v4: None, payload })
}

/// Where the counters of a tunnel stand that is known. An overhead that is new there is left to the long way, which notes
/// it: that happens once.
#[inline(always)]
fn place<T: Tables>(tables: &mut T, tunnel: &Tunnel, direction: Direction, overhead: u32) -> Result<T::Place, Exit> {
    let place = tables::find(tables, tunnel).ok_or(Exit::Declined)?;
    let is_usual = tables.at(place).traffic_mut(direction).is_usual(overhead as u16);
    if is_usual { Ok(place) } else { Err(Exit::Declined) }
}

/// A datagram to a tunnel port, and what comes from its first byte on.
struct Datagram<B: Bytes> {
    window: B::Window<BOTH>,
    bytes: B,
}

impl<B: Bytes> Datagram<B> {
    #[inline(always)]
    fn geneve(&self) -> Geneve<<B::Window<BOTH> as Window<BOTH>>::Part<{ geneve::LENGTH }>> {
        Geneve(self.window.part::<{ udp::LENGTH }, { geneve::LENGTH }>())
    }
}

#[inline(always)]
fn datagram<B: Bytes, T: Tables>(bytes: B, tables: &T) -> Result<Datagram<B>, Exit> {
    let window = bytes.near::<BOTH>(0).ok_or(Exit::Declined)?;
    let is_ours = window.raw16::<2>() == tables.first_port() || tables.ports().has_behind_first(window.be16::<2>());
    if is_ours { Ok(Datagram { window, bytes }) } else { Err(Exit::NotOurs) }
}

/// The first four bytes of a Geneve header whose payload is Ethernet, with options of this many words; the C bit and the
/// reserved ones do not matter.
const fn first(words: u8) -> u32 {
    let [high, low] = geneve::ETHERNET.to_be_bytes();
    u32::from_ne_bytes([words, 0, high, low])
}
const MATTERS: u32 = u32::from_ne_bytes([0xff, 0x80, 0xff, 0xff]);
const PLAIN: u32 = first(0);
const WITH_OPTION: u32 = first(2);

/// Geneve without options or with a single one of one word; returns how far the inner IP header is from the outer one,
/// and what the inner Ethernet header begins. `length` is that of the IP packet, `header` that of its
/// header; Ethernet and `tags` bytes stand before it.
#[inline(always)]
fn tunnelled<B: Bytes>(
    datagram: &Datagram<B>,
    frame: &Frame,
    (length, header, tags): (u32, u32, usize),
) -> Result<(u32, B), Exit> {
    let udp_length = Udp(datagram.window.part::<0, { udp::LENGTH }>()).length();
    let is_whole = length == header + udp_length && length + (ethernet::LENGTH + tags) as u32 <= frame.length;
    // A super-frame stands for many packets: it can afford the long way, and its arithmetic costs none of the others.
    if !is_whole || frame.segment_size != 0 {
        return Err(Exit::Declined);
    }
    let overhead = header + (BOTH + ethernet::LENGTH) as u32;
    match datagram.window.raw32::<{ udp::LENGTH }>() & MATTERS {
        PLAIN => Ok((overhead, datagram.bytes.behind::<BOTH>())),
        WITH_OPTION => {
            const OPTION: usize = 2 * geneve::OPTION_LENGTH;
            let window = datagram.bytes.near::<{ BOTH + OPTION }>(0).ok_or(Exit::Declined)?;
            if OptionHeader(window.part::<BOTH, { geneve::OPTION_LENGTH }>()).length() != OPTION {
                return Err(Exit::Declined);
            }
            Ok((overhead + OPTION as u32, datagram.bytes.behind::<{ BOTH + OPTION }>()))
        }
        _ => Err(Exit::Declined),
    }
}
