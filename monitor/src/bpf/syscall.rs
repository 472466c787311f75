//! The commands of bpf(2) that aya does not give as they are needed here: links that never become anything else, pins,
//! and many values at a time.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Commands (linux/bpf.h).
pub(super) const MAP_LOOKUP: libc::c_long = 1;
pub(super) const MAP_LOOKUP_BATCH: libc::c_long = 24;
const OBJECT_PIN: libc::c_long = 6;
const OBJECT_GET: libc::c_long = 7;
const OBJECT_INFO: libc::c_long = 15;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const LINK_CREATE: libc::c_long = 28;
const LINK_UPDATE: libc::c_long = 29;

/// In front of all other programs.
const BEFORE: u32 = 1 << 3;
/// In the driver, or behind it (linux/if_link.h).
const XDP_SKB: u32 = 1 << 1;
const XDP_DRIVER: u32 = 1 << 2;

/// The hook of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// XDP in the driver.
    NativeXdp,
    /// XDP behind the driver.
    GenericXdp,
    /// Received packets at TC, in front of all other programs.
    TcxIngress,
    /// Transmitted packets at TC, in front of all other programs.
    TcxEgress,
}

impl Hook {
    /// All hooks.
    pub(super) const ALL: [Self; 4] = [Self::NativeXdp, Self::GenericXdp, Self::TcxIngress, Self::TcxEgress];

    /// Its name in pins.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NativeXdp => "xdp",
            Self::GenericXdp => "xdp-generic",
            Self::TcxIngress => "tcx-rx",
            Self::TcxEgress => "tcx-tx",
        }
    }

    /// Attach type and flags.
    fn words(self) -> (u32, u32) {
        match self {
            Self::NativeXdp => (37, XDP_DRIVER),
            Self::GenericXdp => (37, XDP_SKB),
            Self::TcxIngress => (46, BEFORE),
            Self::TcxEgress => (47, BEFORE),
        }
    }
}

#[derive(Default)]
#[repr(C)]
struct LinkCreate {
    program: u32,
    device: u32,
    attach_type: u32,
    flags: u32,
    relative: u32,
    reserved: u32,
    revision: u64,
}

#[derive(Default)]
#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    expected: u32,
}

#[derive(Default)]
#[repr(C)]
struct RawTracepoint {
    name: u64,
    program: u32,
    reserved: u32,
}

#[derive(Default)]
#[repr(C)]
struct Object {
    path: u64,
    descriptor: u32,
    flags: u32,
}

#[derive(Default)]
#[repr(C)]
struct Info {
    descriptor: u32,
    length: u32,
    info: u64,
}

/// What the kernel tells of a link; the first words of struct bpf_link_info, as they are for XDP and TCX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct LinkInfo {
    kind: u32,
    id: u32,
    /// Id of its program.
    pub(super) program: u32,
    reserved: u32,
    /// Index of its device; 0: the device is gone, or somebody has detached the link.
    pub(super) device: u32,
    reserved_too: u32,
}

/// What the kernel tells of a program; the first words of struct bpf_prog_info.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct ProgramInfo {
    kind: u32,
    /// Its id.
    pub(super) id: u32,
    /// Hash of its instructions.
    pub(super) tag: [u8; 8],
}

/// Attaches a program to a device. The link is the attachment: it goes when its last descriptor or pin does.
pub(super) fn link_create(program: BorrowedFd<'_>, device: u32, hook: Hook) -> io::Result<OwnedFd> {
    let (attach_type, flags) = hook.words();
    let mut attributes = LinkCreate { program: number(program), device, attach_type, flags, ..LinkCreate::default() };
    // SAFETY: the attributes hold no addresses.
    let descriptor = unsafe { call(LINK_CREATE, &mut attributes) }?;
    // SAFETY: the kernel has just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Attaches a program to a tracepoint, or to the function that it was loaded for. The link is the attachment.
pub(super) fn trace(program: BorrowedFd<'_>, tracepoint: Option<&str>) -> io::Result<OwnedFd> {
    let name = tracepoint.map(CString::new).transpose()?;
    let text = name.as_ref().map_or(0, |name| address(name.as_ptr()));
    let mut attributes = RawTracepoint { name: text, program: number(program), reserved: 0 };
    // SAFETY: the name is a C string that outlives the call, or there is none.
    let descriptor = unsafe { call(RAW_TRACEPOINT_OPEN, &mut attributes) }?;
    // SAFETY: the kernel has just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Puts another program into a link, without a gap.
pub(super) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = LinkUpdate { link: number(link), program: number(program), ..LinkUpdate::default() };
    // SAFETY: the attributes hold no addresses.
    unsafe { call(LINK_UPDATE, &mut attributes) }.map(drop)
}

/// What the kernel tells of a link.
pub(super) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    // SAFETY: any bytes are one.
    unsafe { object_info(link, &mut info) }?;
    Ok(info)
}

/// What the kernel tells of a program.
pub(super) fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let mut info = ProgramInfo::default();
    // SAFETY: any bytes are one.
    unsafe { object_info(program, &mut info) }?;
    Ok(info)
}

/// # Safety
///
/// Any bytes have to be a `T`.
unsafe fn object_info<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let length = size_of::<T>() as u32;
    let mut attributes = Info { descriptor: number(object), length, info: address(&raw mut *info) };
    // SAFETY: the kernel writes at most `length` bytes to `info`; the rest is the caller's word.
    unsafe { call(OBJECT_INFO, &mut attributes) }.map(drop)
}

/// The first word of a page of a map's memory.
pub(super) fn first_word(map: BorrowedFd<'_>, page: usize, offset: usize) -> io::Result<u64> {
    // SAFETY: maps a page for reading, where there is room.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            page,
            libc::PROT_READ,
            libc::MAP_SHARED,
            map.as_raw_fd(),
            offset as libc::off_t,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page is mapped; the kernel writes the word as a whole.
    let word = unsafe { memory.cast::<u64>().read_volatile() };
    // SAFETY: the page was mapped above, and nothing refers to it any more.
    unsafe { libc::munmap(memory, page) };
    Ok(word)
}

/// Gives a map, program or link a name in a BPF file system, which keeps it alive.
pub(super) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Object { path: address(path.as_ptr()), descriptor: number(object), ..Object::default() };
    // SAFETY: the path is a C string that outlives the call.
    unsafe { call(OBJECT_PIN, &mut attributes) }.map(drop)
}

/// The map, program or link of a name in a BPF file system.
pub(super) fn pinned(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = Object { path: address(path.as_ptr()), ..Object::default() };
    // SAFETY: the path is a C string that outlives the call.
    let descriptor = unsafe { call(OBJECT_GET, &mut attributes) }?;
    // SAFETY: the kernel has just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// An address as bpf(2) takes it.
pub(super) fn address<T>(pointer: *const T) -> u64 {
    pointer.expose_provenance() as u64
}

/// A descriptor as bpf(2) takes it.
pub(super) fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

/// Calls bpf(2); returns the descriptor that it gives, or 0.
///
/// # Safety
///
/// What `attributes` point to has to be as the command wants it.
pub(super) unsafe fn call<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes `attributes` in its size; the rest is the caller's word.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
