//! The program that looks on while the kernel drops a packet: is it a tunnel packet that this host sends?
//!
//! It copies the first bytes and parses them as all other programs do. What is not ours costs a read or two. Offsets are
//! the running kernel's ([`layout`]). Of received packets only those are told that are too long to be forwarded: where the
//! tunnels end in a user-space switch, the kernel drops its own copy of each packet.
//!
//! Its memory is its own, and that of `refused`: they run in any context, so an interrupt's drop may come in the middle of
//! another. A processor does one at a time; what comes meanwhile is counted as missed.

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use aya_ebpf::helpers::bpf_probe_read_kernel_buf;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::{Array, PerCpuArray};
use aya_ebpf::programs::RawTracePointContext;
use monitor_common::layout::{self, MEMBERS, SKB_BYTES};
use monitor_common::packet::Heading;
use monitor_common::report::{self, Dropped};
use monitor_common::tables::Tables;
use monitor_common::wire::{ethernet, udp};

use crate::maps::{COPY, Maps, now, setting};
use crate::packet::Copied;

/// Offsets, at the indexes of [`layout`].
#[unsafe(no_mangle)]
static LAYOUT: [u32; MEMBERS] = [0; MEMBERS];
/// Inode of the network namespace whose drops are looked at.
#[unsafe(no_mangle)]
static NETNS: u32 = 0;

/// Index of the device that drops are counted with; user space writes it.
#[map]
static HOME: Array<u32> = Array::with_max_entries(1, 0);
#[map]
static DROP_SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// Bytes of a packet that are copied: room for two tags, IPv6, UDP and Geneve.
pub(crate) const HEADERS: usize = 128;

/// Memory of one processor.
#[repr(C)]
pub(crate) struct Scratch {
    busy: u64,
    missed: u64,
    spare: u64,
    skb: [u8; SKB_BYTES + 8],
    heading: Heading,
    pub(crate) bytes: [u8; COPY],
}

#[raw_tracepoint(tracepoint = "kfree_skb")]
fn tunmon_dropped(context: RawTracePointContext) {
    alone(|scratch| of_skb(&context, scratch));
}

/// Does `work` with this processor's memory, unless it is in use.
#[inline(always)]
pub(crate) fn alone(work: impl FnOnce(*mut Scratch) -> Option<()>) {
    let Some(scratch) = DROP_SCRATCH.get_ptr_mut(0) else { return };
    // SAFETY: the pointer comes from a map look-up that succeeded. Only this processor uses the value, and what
    // interrupts this program finds the mark, which is written before and after all else.
    unsafe {
        if ptr::read_volatile(&raw const (*scratch).busy) != 0 {
            (*scratch).missed += 1;
            return;
        }
        ptr::write_volatile(&raw mut (*scratch).busy, 1);
        work(scratch);
        ptr::write_volatile(&raw mut (*scratch).busy, 0);
    }
}

#[inline(always)]
fn of_skb(context: &RawTracePointContext, scratch: *mut Scratch) -> Option<()> {
    let skb: *const u8 = context.arg(0);
    // SAFETY: the scratch memory is ours alone now (`alone`); the helper fails where memory cannot be read.
    unsafe { bpf_probe_read_kernel_buf(skb, &mut (&mut (*scratch).skb)[..SKB_BYTES]) }.ok()?;
    let skb = Skb(scratch);
    let has_reason = setting(&LAYOUT[layout::HAS_REASON]) != 0;
    // Where there is no reason, there is no such argument either, and the kernel does not look at what cannot run.
    let reason = if has_reason { context.arg(2) } else { 0 };
    if skb.member::<u32>(layout::SKB_RECEIVED) != 0 && reason != setting(&LAYOUT[layout::TOO_BIG]) {
        return None;
    }
    let data: u64 = skb.member(layout::SKB_DATA);
    let protocol: u16 = u16::from_be(skb.member(layout::SKB_PROTOCOL));
    let is_ip = protocol == ethernet::IPV4 || protocol == ethernet::IPV6;
    // Where the protocol is known, the IP header has been found; a packet socket's frame begins with Ethernet.
    let network: u64 = skb.member::<u64>(layout::SKB_HEAD) + u64::from(skb.member::<u16>(layout::SKB_NETWORK_HEADER));
    let before = if is_ip { network.wrapping_sub(data) as u32 } else { 0 };
    let length = skb.member::<u32>(layout::SKB_LEN).wrapping_sub(before);
    let linear = length.wrapping_sub(skb.member(layout::SKB_DATA_LEN));
    let (start, front) = if is_ip { (network, ethernet::LENGTH) } else { (data, 0) };
    // SAFETY: as above; `front` and the copy lie in the buffer.
    unsafe {
        let bytes = (&raw mut (*scratch).bytes).cast::<u8>();
        if is_ip {
            bytes.add(12).cast::<u16>().write(protocol.to_be());
            bpf_probe_read_kernel_buf(start as *const u8, &mut *bytes.add(ethernet::LENGTH).cast::<[u8; HEADERS]>())
        } else {
            bpf_probe_read_kernel_buf(start as *const u8, &mut *bytes.cast::<[u8; HEADERS]>())
        }
    }
    .ok()?;
    let copied = if linear > HEADERS as u32 { HEADERS } else { linear as usize };
    parse(scratch, length + front as u32, copied + front)?;
    let (device, sock): (u64, u64) = (skb.member(layout::SKB_DEV), skb.member(layout::SKB_SK));
    let at: u32 = if device == 0 { 0 } else { read(device + member(layout::DEV_INDEX)) };
    let net = if device == 0 { sock + member(layout::SOCK_NET) } else { device + member(layout::DEV_NET) };
    if device == 0 && sock == 0 {
        return None;
    }
    let location = context.arg(1);
    tell(scratch, read(net), &Dropped { home: 0, at, location, reason, has_reason, is_refused: false })
}

/// Parses the outer headers of a frame of which `copied` bytes are in the buffer, if it goes to a tunnel port.
#[inline(always)]
pub(crate) fn parse(scratch: *mut Scratch, length: u32, copied: usize) -> Option<()> {
    if is_foreign(scratch) {
        return None;
    }
    // SAFETY: the scratch memory is ours alone (`alone`).
    let (bytes, spare, heading) =
        unsafe { (&raw mut (*scratch).bytes, &raw mut (*scratch).spare, &mut (*scratch).heading) };
    heading.read(Copied::new(bytes, copied, spare), length, Maps.ports()).then_some(())
}

/// Says whether a look at constant offsets shows that the frame in the buffer is none of a tunnel.
#[inline(always)]
fn is_foreign(scratch: *mut Scratch) -> bool {
    // SAFETY: the scratch memory is ours alone (`alone`), and all offsets are inside the buffer.
    let (ethertype, first, fragment, v4, v6, port_v4, port_v6) = unsafe {
        let bytes = (&raw const (*scratch).bytes).cast::<u8>();
        let be16 = |at: usize| u16::from_be(bytes.add(at).cast::<u16>().read());
        (be16(12), *bytes.add(14), be16(20), *bytes.add(23), *bytes.add(20), be16(36), be16(56))
    };
    match ethertype {
        ethernet::IPV4 if v4 != udp::PROTOCOL => true,
        ethernet::IPV4 => first == SHORT && fragment & OFFSET == 0 && !Maps.ports().contains(port_v4),
        ethernet::IPV6 if v6 == udp::PROTOCOL => !Maps.ports().contains(port_v6),
        ethernet::IPV6 => v6 == 6 || v6 == 58,
        other => !ethernet::is_tag(other),
    }
}

/// Version 4, no options.
const SHORT: u8 = 0x45;
/// The fragment offset beside its flags.
const OFFSET: u16 = 0x1fff;

/// Tells of the packet, if it is of the namespace that is watched.
#[inline(always)]
pub(crate) fn tell(scratch: *mut Scratch, net: u64, drop: &Dropped) -> Option<()> {
    if read::<u32>(net + member(layout::NET_INODE)) != setting(&NETNS) {
        return None;
    }
    let home = *HOME.get(0)?;
    if home != 0 {
        // SAFETY: the scratch memory is ours alone (`alone`).
        report::dropped(unsafe { &(*scratch).heading }, &Dropped { home, ..*drop }, &mut Maps, now());
    }
    Some(())
}

#[inline(always)]
pub(crate) fn member(index: usize) -> u64 {
    u64::from(setting(&LAYOUT[index]))
}

/// Reads kernel memory; 0 where there is none.
#[inline(always)]
pub(crate) fn read<T>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes all of `value`, zeros where there is no such memory; `T` is an integer.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const c_void);
        value.assume_init()
    }
}

/// The copy of a `sk_buff`.
struct Skb(*mut Scratch);

impl Skb {
    #[inline(always)]
    fn member<T: Copy>(&self, index: usize) -> T {
        let offset = setting(&LAYOUT[index]) as usize & (SKB_BYTES - 1);
        // SAFETY: the mask keeps the offset in the copy, which is longer by one word; members are aligned, and so is it.
        unsafe { (&raw const (*self.0).skb).cast::<u8>().add(offset).cast::<T>().read() }
    }
}
