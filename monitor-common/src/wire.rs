//! Packet memory and the headers that lie in it.
//!
//! [`Bytes`] proves that `N` bytes stand at an offset and hands out a [`Window`] over them; header fields are read
//! from the window at constant offsets, which the compiler checks against `N`. In the kernel a window is a pointer
//! and each field one typed load; on a slice it is an array. A window never reaches past [`REACH`], on any memory, so
//! that both sides stop at the same byte.

pub mod arp;
pub mod bfd;
pub mod ethernet;
pub mod geneve;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod tcp;
pub mod udp;

/// How deep into a frame the parser looks, in bytes. The longest headers that can be told apart (two tags, IPv4 and
/// TCP with all options, 252 bytes of Geneve options) end at 492.
pub const REACH: usize = 512;

/// An offset that is out of reach, and all ones in binary.
pub const FAR: usize = 2 * REACH - 1;

/// A frame's bytes.
pub trait Bytes: Copy {
    /// `N` bytes that are known to be there.
    type Window<const N: usize>: Window<N>;

    /// Returns the `N` bytes at `offset`, or `None` when one of them is past the end or past [`REACH`].
    fn window<const N: usize>(self, offset: usize) -> Option<Self::Window<N>>;

    /// Returns the `N` bytes at `offset`, or `None` when one of them is past the end. The caller knows that the offset and
    /// `N` are within [`REACH`] whatever the packet says, so nothing compares them.
    fn near<const N: usize>(self, offset: usize) -> Option<Self::Window<N>>;

    /// The bytes behind the first `N`, which are known to be there.
    #[must_use]
    fn behind<const N: usize>(self) -> Self;

    /// Returns `offset`, or [`FAR`] when it is more, and makes the kernel's verifier forget how it was computed, so
    /// that the paths that led here are walked once and not once each.
    #[inline(always)]
    fn settle(self, offset: usize) -> usize {
        if offset < FAR { offset } else { FAR }
    }
}

/// `N` bytes of a frame; `O` is an offset into them, in bytes.
pub trait Window<const N: usize>: Copy {
    /// A window over some of the bytes.
    type Part<const M: usize>: Window<M>;

    /// The `M` bytes at `O`.
    fn part<const O: usize, const M: usize>(self) -> Self::Part<M>;
    /// One byte.
    fn u8<const O: usize>(self) -> u8;
    /// A 16-bit number in network order.
    fn be16<const O: usize>(self) -> u16;
    /// A 32-bit number in network order.
    fn be32<const O: usize>(self) -> u32;
    /// Two bytes as they lie in memory.
    fn raw16<const O: usize>(self) -> u16;
    /// Four bytes as they lie in memory.
    fn raw32<const O: usize>(self) -> u32;
    /// Eight bytes as they lie in memory.
    fn raw64<const O: usize>(self) -> u64;
}

impl<'a> Bytes for &'a [u8] {
    type Window<const N: usize> = &'a [u8; N];

    fn window<const N: usize>(self, offset: usize) -> Option<&'a [u8; N]> {
        if offset > REACH - N {
            return None;
        }
        self.get(offset..)?.first_chunk()
    }

    fn near<const N: usize>(self, offset: usize) -> Option<&'a [u8; N]> {
        self.get(offset..)?.first_chunk()
    }

    fn behind<const N: usize>(self) -> Self {
        self.get(N..).unwrap_or_default()
    }
}

impl<'a, const N: usize> Window<N> for &'a [u8; N] {
    type Part<const M: usize> = &'a [u8; M];

    fn part<const O: usize, const M: usize>(self) -> &'a [u8; M] {
        const { assert!(O + M <= N) };
        self[O..].first_chunk().expect("the assertion says that the bytes are there")
    }

    fn u8<const O: usize>(self) -> u8 {
        const { assert!(O < N) };
        self[O]
    }

    fn be16<const O: usize>(self) -> u16 {
        u16::from_be(self.raw16::<O>())
    }

    fn be32<const O: usize>(self) -> u32 {
        u32::from_be(self.raw32::<O>())
    }

    fn raw16<const O: usize>(self) -> u16 {
        const { assert!(O + 2 <= N) };
        u16::from_ne_bytes([self[O], self[O + 1]])
    }

    fn raw32<const O: usize>(self) -> u32 {
        const { assert!(O + 4 <= N) };
        u32::from_ne_bytes([self[O], self[O + 1], self[O + 2], self[O + 3]])
    }

    fn raw64<const O: usize>(self) -> u64 {
        const { assert!(O + 8 <= N) };
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self[O..O + 8]);
        u64::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_with_the_bytes_and_with_the_reach() {
        let bytes = [7u8; REACH + 64];
        assert!(bytes[..20].window::<20>(0).is_some());
        assert!(bytes[..20].window::<20>(1).is_none());
        assert!(bytes.as_slice().window::<20>(REACH - 20).is_some());
        assert!(bytes.as_slice().window::<20>(REACH - 19).is_none());
        assert!(bytes.as_slice().window::<20>(usize::MAX).is_none());
    }

    #[test]
    fn numbers_are_read_in_network_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let window = &bytes;
        assert_eq!(window.be16::<1>(), 0x0203);
        assert_eq!(window.be32::<4>(), 0x0506_0708);
        assert_eq!(window.raw64::<0>().to_ne_bytes(), bytes);
        assert_eq!(window.part::<2, 3>(), &[3, 4, 5]);
    }
}
