//! Loads and attaches the programs of drops, where the kernel lets it: everything else works without them.
//!
//! What they read is at offsets that the running kernel's types (BTF) give. Their links are descriptors, and never pinned.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context, Result, anyhow, bail};
use aya::maps::Array;
use aya::programs::{FExit, ProgramError, RawTracePoint};
use aya::{Btf as AyaBtf, Ebpf};
use monitor_common::layout::{self, MEMBERS, SKB_BYTES};

use super::{Kernel, syscall};
use crate::btf::Btf;

/// The tracepoints of drops, and of all sends.
const DROPS: &str = "kfree_skb";
const SENDS: &str = "sock_send_length";
/// Where packet sockets send.
const SEND: &str = "packet_sendmsg";
/// Their programs.
const DROPPED: &str = "tunmon_dropped";
const REFUSED: &str = "tunmon_refused";
const UNSENT: &str = "tunmon_unsent";
/// More than any offset that is used; where no type is a plain buffer, this is none's number.
const NONE: u32 = 0xffff;

/// What is known of the running kernel before the programs are loaded.
#[derive(Default)]
pub(super) struct Layout {
    /// Whether enough is known for drops.
    has_drops: bool,
    pub(super) members: [u32; MEMBERS],
    /// Inode of the network namespace of the calling thread.
    pub(super) namespace: u32,
    /// Whether the return of packet sockets' `sendmsg` can be looked at, and the system call behind all sends.
    has_sends: bool,
    has_calls: bool,
    /// Names of the reasons of drops.
    pub(super) reasons: Vec<(u32, String)>,
}

/// The programs at their places; they go when this is dropped.
pub struct Drops {
    links: Vec<OwnedFd>,
    /// Names of the reasons of drops.
    pub reasons: Vec<(u32, String)>,
}

impl Drops {
    /// Attaches the first program that is loaded of these; says whether there is one.
    fn attach(&mut self, kernel: &Kernel, what: &str, programs: &[(&str, Option<&'static str>)]) -> bool {
        let loaded = |(name, at): &(&str, Option<&'static str>)| Some((kernel.descriptor(name).ok()?, *at));
        let Some((program, at)) = programs.iter().find_map(loaded) else { return false };
        match syscall::trace(program, at) {
            Ok(link) => self.links.push(link),
            Err(error) => {
                tracing::info!("{what} are not seen: attaching: {error}");
                return false;
            }
        }
        true
    }

    /// Takes the programs away.
    pub fn detach(&mut self) {
        self.links.clear();
    }
}

impl Layout {
    /// That of the running kernel; where it does not describe its types, nothing is known.
    pub(super) fn kernel() -> Self {
        Self::described().inspect_err(|error| tracing::info!("drops are not seen: {error:#}")).unwrap_or_default()
    }

    /// Whether drops have a reason; nothing where the kernel does not describe its types.
    pub(super) fn has_reasons(&self) -> Option<bool> {
        self.has_drops.then(|| self.members[layout::HAS_REASON] != 0)
    }

    fn described() -> Result<Self> {
        let btf = Btf::kernel().context(crate::btf::KERNEL)?;
        let namespace = fs::metadata("/proc/thread-self/ns/net").context("the network namespace")?.ino();
        let mut layout = Self { namespace: u32::try_from(namespace)?, ..Self::default() };
        layout.of_packets(&btf)?;
        layout.has_drops = true;
        let told = |error: &anyhow::Error| tracing::debug!("sends of packet sockets: {error:#}");
        layout.has_sends = layout.of_sends(&btf).inspect_err(told).is_ok();
        layout.has_calls = layout.of_calls(&btf).inspect_err(told).is_ok();
        let reasons = btf.values("skb_drop_reason").unwrap_or_default();
        let too_big = reasons.iter().find(|(_, name)| *name == "SKB_DROP_REASON_PKT_TOO_BIG");
        layout.members[layout::TOO_BIG] = too_big.map_or(NONE, |(value, _)| *value);
        let name = |name: &str| name.strip_prefix("SKB_DROP_REASON_").unwrap_or(name).to_owned();
        layout.reasons = reasons.into_iter().map(|(value, text)| (value, name(text))).collect();
        Ok(layout)
    }

    fn of_packets(&mut self, btf: &Btf) -> Result<()> {
        let skb = [
            (layout::SKB_HEAD, "head"),
            (layout::SKB_DATA, "data"),
            (layout::SKB_LEN, "len"),
            (layout::SKB_DATA_LEN, "data_len"),
            (layout::SKB_PROTOCOL, "protocol"),
            (layout::SKB_NETWORK_HEADER, "network_header"),
            (layout::SKB_DEV, "dev"),
            (layout::SKB_SK, "sk"),
            (layout::SKB_RECEIVED, "skb_iif"),
        ];
        for (index, name) in skb {
            self.set(btf, index, "sk_buff", &[name])?;
            if self.members[index] as usize >= SKB_BYTES {
                bail!("sk_buff.{name} is at {}", self.members[index]);
            }
        }
        self.set(btf, layout::DEV_INDEX, "net_device", &["ifindex"])?;
        self.set(btf, layout::DEV_NET, "net_device", &["nd_net", "net"])?;
        self.set(btf, layout::SOCK_NET, "sock", &["__sk_common", "skc_net", "net"])?;
        self.set(btf, layout::NET_INODE, "net", &["ns", "inum"])?;
        // Before the arguments that the tracepoint names there is one of its own.
        let arguments = btf.parameters("btf_trace_kfree_skb").context("the tracepoint kfree_skb is not described")?;
        self.members[layout::HAS_REASON] = u32::from(arguments > 3);
        Ok(())
    }

    fn of_sends(&mut self, btf: &Btf) -> Result<()> {
        if !btf.has_function(SEND) {
            bail!("the function {SEND} is not described");
        }
        self.set(btf, layout::SOCKET_SK, "socket", &["sk"])?;
        self.set(btf, layout::PACKET_INDEX, "packet_sock", &["ifindex"])?;
        self.set(btf, layout::MESSAGE_NAME, "msghdr", &["msg_name"])?;
        let iterator = |this: &mut Self, index, name| this.set(btf, index, "msghdr", &["msg_iter", name]);
        iterator(self, layout::ITERATOR_COUNT, "count")?;
        // `iov` before Linux 6.4, `type` before 5.14, plain buffers since 6.0.
        iterator(self, layout::ITERATOR_VECTOR, "__iov").or_else(|_| iterator(self, layout::ITERATOR_VECTOR, "iov"))?;
        iterator(self, layout::ITERATOR_TYPE, "iter_type")
            .or_else(|_| iterator(self, layout::ITERATOR_TYPE, "type"))?;
        let kinds = btf.values("iter_type").unwrap_or_default();
        let buffer = kinds.iter().find(|(_, name)| *name == "ITER_UBUF").map(|(value, _)| *value);
        let is_there = buffer.is_some() && iterator(self, layout::ITERATOR_BUFFER, "ubuf").is_ok();
        self.members[layout::IS_BUFFER] = buffer.filter(|_| is_there).unwrap_or(NONE);
        Ok(())
    }

    fn of_calls(&mut self, btf: &Btf) -> Result<()> {
        btf.parameters("btf_trace_sock_send_length").context("the tracepoint sock_send_length is not described")?;
        self.set(btf, layout::PACKET_INDEX, "packet_sock", &["ifindex"])?;
        self.set(btf, layout::SOCK_FAMILY, "sock", &["__sk_common", "skc_family"])?;
        let registers = [
            (layout::CALL, "orig_ax"),
            (layout::CALL_SECOND, "si"),
            (layout::CALL_THIRD, "dx"),
            (layout::CALL_FIFTH, "r8"),
        ];
        for (index, name) in registers {
            self.set(btf, index, "pt_regs", &[name])?;
        }
        let calls = [
            (layout::SENDTO, libc::SYS_sendto),
            (layout::SENDMSG, libc::SYS_sendmsg),
            (layout::SENDMMSG, libc::SYS_sendmmsg),
        ];
        for (index, number) in calls {
            self.members[index] = u32::try_from(number)?;
        }
        Ok(())
    }

    fn set(&mut self, btf: &Btf, index: usize, of: &str, path: &[&str]) -> Result<()> {
        let offset = btf.offset(of, path).filter(|offset| *offset < NONE);
        self.members[index] = offset.with_context(|| format!("no offset of {of}.{}", path.join(".")))?;
        Ok(())
    }

    /// Loads the programs that this kernel takes; says whether drops and refused sends can be seen.
    pub(super) fn load(&self, ebpf: &mut Ebpf, types: Option<&AyaBtf>) -> [bool; 2] {
        if !self.has_drops {
            return [false; 2];
        }
        let is_there = |what: &str, result: Result<()>| {
            result.inspect_err(|error| tracing::info!("{what} are not seen: {error:#}")).is_ok()
        };
        let refused = if self.has_sends { load_refused(ebpf, types) } else { Err(anyhow!("{SEND} is not described")) };
        let refused = refused.or_else(|error| {
            tracing::debug!("the return of {SEND}: {error:#}");
            if self.has_calls { load_tracepoint(ebpf, UNSENT) } else { Err(error) }
        });
        [is_there("drops", load_tracepoint(ebpf, DROPPED)), is_there("refused sends", refused)]
    }
}

fn load_tracepoint(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program = ebpf.program_mut(name).with_context(|| format!("program {name}"))?;
    <&mut RawTracePoint>::try_from(program).and_then(RawTracePoint::load).map_err(short)
}

fn load_refused(ebpf: &mut Ebpf, types: Option<&AyaBtf>) -> Result<()> {
    let program = ebpf.program_mut(REFUSED).with_context(|| format!("program {REFUSED}"))?;
    let types = types.context("the kernel's types cannot be read")?;
    <&mut FExit>::try_from(program).and_then(|program| program.load(SEND, types)).map_err(short)
}

/// The verifier's words are for those who ask for them.
fn short(error: ProgramError) -> anyhow::Error {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        tracing::debug!(log = %verifier_log, "rejected");
        return anyhow::Error::new(io_error).context("this kernel does not take the program");
    }
    error.into()
}

impl Kernel {
    /// Attaches the programs of drops, as far as this kernel has taken them; what it has not is told in the log.
    pub fn watch_drops(&mut self) -> Drops {
        let mut drops = Drops { links: Vec::new(), reasons: self.reasons.clone() };
        let refused = [(REFUSED, None), (UNSENT, Some(SENDS))];
        self.features.drops &= drops.attach(self, "drops", &[(DROPPED, Some(DROPS))]);
        self.features.refused_sends &= drops.attach(self, "refused sends", &refused);
        drops
    }

    /// Drops are counted with this device from now on.
    pub fn count_drops_with(&mut self, device: u32) -> Result<()> {
        let map = self.ebpf.map_mut("HOME").context("map HOME")?;
        Array::<_, u32>::try_from(map).and_then(|mut home| home.set(0, device, 0)).context("map HOME")
    }
}
