//! What a driver says of its device, by the ethtool requests (linux/ethtool.h). Only questions; nothing is ever set.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;

use zerocopy::{FromBytes, IntoBytes};

use super::Queues;

/// The requests.
const DRIVER: u32 = 0x0000_0003;
const CHANNELS: u32 = 0x0000_003c;
const STRINGS: u32 = 0x0000_001b;
const STRING_SETS: u32 = 0x0000_0037;
const FEATURES: u32 = 0x0000_003a;
/// The set of strings that names the features, and the length of each.
const FEATURE_NAMES: u32 = 4;
const NAME: usize = 32;
/// More features than any kernel has.
const FEATURES_MAX: usize = 1024;

/// A socket to ask with.
pub(super) struct Ethtool {
    socket: UnixDatagram,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Ethtool {
    /// Questions about the device of this name in the namespace of the calling thread.
    pub(super) fn new(device: &str) -> io::Result<Self> {
        let mut name = [0; libc::IFNAMSIZ];
        for (to, from) in name.iter_mut().zip(device.bytes()).take(libc::IFNAMSIZ - 1) {
            *to = from.cast_signed() as libc::c_char;
        }
        // A socket of any kind knows the devices of its namespace.
        Ok(Self { socket: UnixDatagram::unbound()?, name })
    }

    /// Name of the driver.
    pub(super) fn driver(&self) -> io::Result<String> {
        let mut words = [0_u32; 49];
        words[0] = DRIVER;
        self.ask(&mut words)?;
        let name = &words.as_bytes()[4..36];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        Ok(String::from_utf8_lossy(&name[..end]).into_owned())
    }

    /// Its queues, those that serve both ways and those that serve received packets only.
    pub(super) fn queues(&self) -> io::Result<Queues> {
        let mut words = [0_u32; 9];
        words[0] = CHANNELS;
        self.ask(&mut words)?;
        let [_, most_rx, _, _, most_both, rx, _, _, both] = words;
        Ok(Queues { used: rx + both, most: most_rx + most_both })
    }

    /// Which of `names` are features that are on.
    pub(super) fn are_on<const N: usize>(&self, names: [&str; N]) -> io::Result<[bool; N]> {
        let mut sets = [STRING_SETS, 0, 1 << FEATURE_NAMES, 0, 0];
        self.ask(&mut sets)?;
        let count = (sets[4] as usize).min(FEATURES_MAX);
        let mut strings = vec![0_u32; 3 + count * NAME / 4];
        strings[..3].copy_from_slice(&[STRINGS, FEATURE_NAMES, count as u32]);
        self.ask(&mut strings[..])?;
        let blocks = count.div_ceil(32);
        // Of each block: available, requested, active, never changed.
        let mut features = vec![0_u32; 2 + 4 * blocks];
        features[..2].copy_from_slice(&[FEATURES, blocks as u32]);
        self.ask(&mut features[..])?;
        let is_on = |index: usize| features[2 + 4 * (index / 32) + 2] & 1 << (index % 32) != 0;
        let all = strings[3..].as_bytes().chunks_exact(NAME).enumerate();
        Ok(names.map(|name| {
            all.clone()
                .any(|(index, bytes)| bytes.starts_with(name.as_bytes()) && bytes[name.len()] == 0 && is_on(index))
        }))
    }

    /// Asks; the request's first word says what.
    fn ask<T: IntoBytes + FromBytes + ?Sized>(&self, request: &mut T) -> io::Result<()> {
        // SAFETY: all zero is a valid request.
        let mut wrapped: libc::ifreq = unsafe { std::mem::zeroed() };
        wrapped.ifr_name = self.name;
        wrapped.ifr_ifru.ifru_data = request.as_mut_bytes().as_mut_ptr().cast();
        // SAFETY: the kernel writes what the request announces, for which there is room; both outlive the call.
        let result =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL as libc::Ioctl, &raw mut wrapped) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
