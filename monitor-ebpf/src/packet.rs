//! Packet memory in the kernel. The one place that reads packet bytes without Rust's own checks.
//!
//! What the verifier wants, found by trial: compare with `data_end`, not with a length; cap every moving offset; never
//! ask for a single byte at a moving offset (LLVM turns `p + 1 > end` into `p >= end`, of which the verifier learns
//! nothing). Fields are read by typed loads: unaligned reads become byte loads, and half as many instructions more.

use core::ffi::c_void;
use core::ptr;

use monitor_common::wire::{Bytes, FAR, REACH, Window};

use crate::maps::COPY;

/// The linear part of a packet, by the pointers that the kernel gave.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    data: usize,
    end: usize,
    spare: *mut u64,
}

impl Direct {
    /// The bytes from `data` to `end`, both as the context has them; `spare` is a map's word for [`Bytes::settle`].
    pub(crate) fn new(data: usize, end: usize, spare: *mut u64) -> Self {
        Self { data, end, spare }
    }
}

impl Bytes for Direct {
    type Window<const N: usize> = Proven<N>;

    #[inline(always)]
    fn window<const N: usize>(self, offset: usize) -> Option<Proven<N>> {
        if offset > REACH - N {
            return None;
        }
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        Some(Proven(start))
    }

    #[inline(always)]
    fn near<const N: usize>(self, offset: usize) -> Option<Proven<N>> {
        let start = self.data + offset;
        if start + N > self.end { None } else { Some(Proven(start)) }
    }

    #[inline(always)]
    fn behind<const N: usize>(self) -> Self {
        Self { data: self.data + N, ..self }
    }

    #[inline(always)]
    fn settle(self, offset: usize) -> usize {
        settle(self.spare, offset)
    }
}

/// The beginning of a packet, copied into a map.
#[derive(Clone, Copy)]
pub(crate) struct Copied {
    buffer: *mut [u8; COPY],
    length: usize,
    spare: *mut u64,
}

impl Copied {
    /// The first `length` bytes of `buffer`, a map's value; `spare` is a map's word for [`Bytes::settle`].
    pub(crate) fn new(buffer: *mut [u8; COPY], length: usize, spare: *mut u64) -> Self {
        Self { buffer, length, spare }
    }

    /// Where the copy is made.
    pub(crate) fn buffer(self) -> *mut c_void {
        self.buffer.cast()
    }

    /// Bytes in the copy.
    pub(crate) fn length(self) -> usize {
        self.length
    }
}

impl Bytes for Copied {
    type Window<const N: usize> = Proven<N>;

    #[inline(always)]
    fn window<const N: usize>(self, offset: usize) -> Option<Proven<N>> {
        if offset > REACH - N || offset + N > self.length {
            return None;
        }
        Some(Proven(self.buffer as usize + offset))
    }

    #[inline(always)]
    fn near<const N: usize>(self, offset: usize) -> Option<Proven<N>> {
        self.window(offset)
    }

    #[inline(always)]
    fn behind<const N: usize>(self) -> Self {
        // SAFETY: the caller knows that the bytes are there.
        let buffer = unsafe { self.buffer.byte_add(N) };
        Self { buffer, length: self.length - N, ..self }
    }

    #[inline(always)]
    fn settle(self, offset: usize) -> usize {
        settle(self.spare, offset)
    }
}

#[inline(always)]
fn settle(spare: *mut u64, offset: usize) -> usize {
    let offset = if offset < FAR { offset } else { FAR };
    // SAFETY: `spare` is a word of a per-processor map's value; volatile, so that the value is read back. All that the
    // verifier knows of it is what the mask says, wherever the compiler moves the additions that follow.
    unsafe {
        ptr::write_volatile(spare, offset as u64);
        ptr::read_volatile(spare) as usize & FAR
    }
}

/// The address of `N` bytes that are known to be there.
#[derive(Clone, Copy)]
pub(crate) struct Proven<const N: usize>(usize);

impl<const N: usize> Proven<N> {
    #[inline(always)]
    fn read<T: Copy, const O: usize>(self) -> T {
        const { assert!(O + size_of::<T>() <= N) };
        // SAFETY: `window` proved `N` bytes at this address and the assertion keeps the read inside them; BPF has no
        // alignment rule for packets and maps on the targets that the object is loaded on.
        unsafe { *((self.0 + O) as *const T) }
    }
}

impl<const N: usize> Window<N> for Proven<N> {
    type Part<const M: usize> = Proven<M>;

    #[inline(always)]
    fn part<const O: usize, const M: usize>(self) -> Proven<M> {
        const { assert!(O + M <= N) };
        Proven(self.0 + O)
    }

    #[inline(always)]
    fn u8<const O: usize>(self) -> u8 {
        self.read::<u8, O>()
    }

    #[inline(always)]
    fn be16<const O: usize>(self) -> u16 {
        u16::from_be(self.read::<u16, O>())
    }

    #[inline(always)]
    fn be32<const O: usize>(self) -> u32 {
        u32::from_be(self.read::<u32, O>())
    }

    #[inline(always)]
    fn raw16<const O: usize>(self) -> u16 {
        self.read::<u16, O>()
    }

    #[inline(always)]
    fn raw32<const O: usize>(self) -> u32 {
        self.read::<u32, O>()
    }

    #[inline(always)]
    fn raw64<const O: usize>(self) -> u64 {
        self.read::<u64, O>()
    }
}
