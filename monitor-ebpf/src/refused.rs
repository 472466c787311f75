//! Programs that look on while a packet socket refuses a frame that is too long: the user-space switch sends by one.
//!
//! There is no packet then that could be dropped, so no drop shows it. Where the kernel can trace a function's return, that
//! of `packet_sendmsg` is (`tunmon_refused`), and only senders by packet sockets pay for it; else the tracepoint of all
//! sends is (`tunmon_unsent`, Linux 6.3), and the frame is found by the registers of the system call. What was not refused
//! leaves after one comparison.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_probe_read_user_buf;
use aya_ebpf::helpers::generated::{bpf_get_current_task_btf, bpf_probe_read_user, bpf_task_pt_regs};
use aya_ebpf::macros::{fexit, raw_tracepoint};
use aya_ebpf::programs::{FExitContext, RawTracePointContext};
use monitor_common::layout;
use monitor_common::report::Dropped;

use crate::drops::{HEADERS, Scratch, alone, member, parse, read, tell};

/// The error of a frame that is too long.
const EMSGSIZE: i32 = 90;
/// Frames that are looked at in one call; the user-space switch sends as many at once.
const BATCH: u64 = 32;
/// Family of packet sockets.
const AF_PACKET: u16 = 17;

#[fexit(function = "packet_sendmsg")]
fn tunmon_refused(context: FExitContext) {
    if context.arg::<i32>(3) == -EMSGSIZE {
        alone(|scratch| of_message(&context, scratch));
    }
}

#[raw_tracepoint(tracepoint = "sock_send_length")]
fn tunmon_unsent(context: RawTracePointContext) {
    if context.arg::<i32>(1) == -EMSGSIZE {
        alone(|scratch| of_call(context.arg(0), scratch));
    }
}

/// What was to be sent: the frame's first piece and its length, and the address of the device, if there is one.
#[derive(Clone, Copy, Default)]
struct Message {
    start: u64,
    room: u64,
    length: u64,
    name: u64,
}

/// The kernel's own message: its addresses are the kernel's, but for that of the frame.
#[inline(always)]
fn of_message(context: &FExitContext, scratch: *mut Scratch) -> Option<()> {
    let (socket, message, length): (u64, u64, u32) = (context.arg(0), context.arg(1), context.arg(2));
    let kind: u8 = read(message + member(layout::ITERATOR_TYPE));
    let (start, room): (u64, u64) = if u64::from(kind) == member(layout::IS_BUFFER) {
        (read(message + member(layout::ITERATOR_BUFFER)), u64::from(length))
    } else {
        let vector: u64 = read(message + member(layout::ITERATOR_VECTOR));
        // What was copied into a packet before it was refused is behind.
        let is_copied = read::<u64>(message + member(layout::ITERATOR_COUNT)) == 0;
        let vector = if is_copied { vector - 16 } else { vector };
        (read(vector), read(vector + 8))
    };
    let name: u64 = read(message + member(layout::MESSAGE_NAME));
    let sock: u64 = read(socket + member(layout::SOCKET_SK));
    let at = read(if name != 0 { name + 4 } else { sock + member(layout::PACKET_INDEX) });
    let message = Message { start, room, length: u64::from(length), name };
    refused(&message, sock, at, scratch)
}

/// The message of the system call that runs, by its registers.
#[inline(always)]
fn of_call(sock: u64, scratch: *mut Scratch) -> Option<()> {
    if read::<u16>(sock + member(layout::SOCK_FAMILY)) != AF_PACKET {
        return None;
    }
    // SAFETY: the helpers take the task that runs, and nothing.
    let registers = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) } as u64;
    let argument = |index: usize| read::<u64>(registers + member(index));
    let call = u64::from(read::<u32>(registers + member(layout::CALL)));
    let (second, third) = (argument(layout::CALL_SECOND), argument(layout::CALL_THIRD));
    let message = if call == member(layout::SENDTO) {
        Message { start: second, room: third, length: third, name: argument(layout::CALL_FIFTH) }
    } else if call == member(layout::SENDMSG) {
        message(second)
    } else if call == member(layout::SENDMMSG) {
        longest(second, third)
    } else {
        return None;
    };
    let at = if message.name != 0 { user(message.name + 4) } else { read(sock + member(layout::PACKET_INDEX)) };
    refused(&message, sock, at, scratch)
}

/// A message in the sender's memory (struct msghdr); of several pieces only the first is known.
#[inline(always)]
fn message(at: u64) -> Message {
    let vector: u64 = user(at + 16);
    let length = user(vector + 8);
    Message { start: user(vector), room: length, length, name: user(at) }
}

/// The longest of several messages (struct mmsghdr): those before the one that was refused did fit.
#[inline(always)]
fn longest(at: u64, count: u64) -> Message {
    // Length and number in one word: the kernel walks every way through the loop.
    let mut longest = 0;
    for number in 0..BATCH {
        if number >= count {
            break;
        }
        let vector: u64 = user(at + 64 * number + 16);
        let next = user::<u64>(vector + 8) << 8 | number;
        longest = if next > longest { next } else { longest };
    }
    message(at + 64 * (longest & 0xff))
}

#[inline(always)]
fn refused(message: &Message, sock: u64, at: u32, scratch: *mut Scratch) -> Option<()> {
    // SAFETY: the scratch memory is ours alone now (`alone`); the helper fails where the process has no such memory.
    unsafe {
        let bytes = (&raw mut (*scratch).bytes).cast::<[u8; HEADERS]>();
        bpf_probe_read_user_buf(message.start as *const u8, &mut *bytes)
    }
    .ok()?;
    let copied = if message.room > HEADERS as u64 { HEADERS } else { message.room as usize };
    parse(scratch, message.length as u32, copied)?;
    let net = read(sock + member(layout::SOCK_NET));
    let reason = EMSGSIZE as u32;
    tell(scratch, net, &Dropped { home: 0, at, location: 0, reason, has_reason: true, is_refused: true })
}

/// Reads the sender's memory; 0 where there is none.
#[inline(always)]
fn user<T>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes all of `value`, zeros where the process has no such memory; `T` is an integer.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const c_void);
        value.assume_init()
    }
}
