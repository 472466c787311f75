//! What the running kernel has of that which not all have: asked of the kernel, not read off its version.

use std::fs;

use aya::programs::SchedClassifier;
use aya::programs::tc::TcAttachType;
use serde::Serialize;

/// Features that differ between the kernels that tunmon runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Features {
    /// Programs at TC by links (Linux 6.6); without, by filters in clsact.
    pub tcx: bool,
    /// XDP for packets in several buffers (Linux 5.18); without, native XDP only where each packet fits one.
    pub xdp_frags: bool,
    /// Drops of tunnel packets are seen, where the kernel describes its types.
    pub drops: bool,
    /// Frames are seen that packet sockets refuse to send for their length, as the user-space switch's are.
    pub refused_sends: bool,
    /// Drops have a reason (Linux 5.17); absent: the kernel does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_reasons: Option<bool>,
}

impl Features {
    /// The features of this kernel; whether it has taken the programs for packets in several buffers is known by then,
    /// whether it has taken those of drops and of refused sends, and whether its types give drops a reason.
    pub(super) fn probe(xdp_frags: bool, [drops, refused_sends]: [bool; 2], has_reasons: Option<bool>) -> Self {
        Self { tcx: has_tcx(), xdp_frags, drops, refused_sends, drop_reasons: has_reasons.or_else(drop_reasons) }
    }

    /// What is done in place of what is missing, a line for each.
    pub fn degraded(&self) -> Vec<&'static str> {
        let lines = [
            (self.tcx, "no TCX: filters in clsact, which stay behind if tunmon is killed"),
            (self.xdp_frags, "no XDP for packets in several buffers: TC where the MTU is too long for native XDP"),
        ];
        lines.into_iter().filter(|(has, _)| !has).map(|(_, line)| line).collect()
    }
}

/// Every network namespace has a loopback device; kernels without TCX do not know the question.
fn has_tcx() -> bool {
    SchedClassifier::query_tcx("lo", TcAttachType::Ingress).is_ok()
}

/// Whether the tracepoint of drops has a reason, by its own description, where the kernel describes no types.
fn drop_reasons() -> Option<bool> {
    let formats = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].map(|top| top.to_owned() + FORMAT);
    formats.iter().find_map(|path| fs::read_to_string(path).ok()).map(|format| format.contains(" reason;"))
}

const FORMAT: &str = "/events/skb/kfree_skb/format";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_and_what_is_there_is_not() {
        let all = Features { tcx: true, xdp_frags: true, drops: true, refused_sends: true, drop_reasons: None };
        assert!(all.degraded().is_empty());
        let none = Features { tcx: false, xdp_frags: false, drop_reasons: Some(false), ..all };
        assert_eq!(none.degraded().len(), 2);
        assert_eq!(Features { tcx: false, ..all }.degraded(), none.degraded()[..1]);
    }
}
