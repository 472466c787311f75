//! Rights that are given up once everything is loaded.
//!
//! Maps, rings and links are descriptors: who has them needs no right to use them, and new links may be made with them.
//! What is still needed depends on the kernel: `CAP_NET_ADMIN` for filters in clsact (before 6.6), `CAP_BPF` where every
//! call of bpf(2) is refused without it (before 5.19, unless `kernel.unprivileged_bpf_disabled` is 0).

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};

/// Gives up every right of this thread but `needed`, as far as it has them, and the way back to them; then what it has is
/// returned. `works` says whether everything can be done with what is effective; if not, `CAP_BPF` is kept too.
pub(crate) fn reduce(mut needed: CapsHashSet, works: impl Fn() -> bool) -> Result<Vec<String>> {
    let permitted = caps::read(None, CapSet::Permitted).context("capabilities")?;
    needed.retain(|capability| permitted.contains(capability));
    caps::set(None, CapSet::Effective, &needed).context("capabilities")?;
    if !works() {
        needed.insert(Capability::CAP_BPF);
        needed.retain(|capability| permitted.contains(capability));
    }
    // Dropping from the bounding set is a right of its own, which may not be there.
    if permitted.contains(&Capability::CAP_SETPCAP) {
        caps::raise(None, CapSet::Effective, Capability::CAP_SETPCAP).context("capabilities")?;
        for capability in caps::read(None, CapSet::Bounding).context("capabilities")? {
            caps::drop(None, CapSet::Bounding, capability).context("capabilities")?;
        }
    }
    // Kernels before 4.3 have none.
    let _ = caps::clear(None, CapSet::Ambient);
    caps::set(None, CapSet::Effective, &needed).context("capabilities")?;
    caps::clear(None, CapSet::Inheritable).context("capabilities")?;
    caps::set(None, CapSet::Permitted, &needed).context("capabilities")?;
    // SAFETY: a number is set for this thread.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    anyhow::ensure!(result == 0, "no_new_privs: {}", std::io::Error::last_os_error());
    let held = caps::read(None, CapSet::Permitted).context("capabilities")?;
    anyhow::ensure!(held == needed, "capabilities were not given up: {held:?}");
    let mut names: Vec<String> = held.into_iter().map(|capability| capability.to_string().to_lowercase()).collect();
    names.sort_unstable();
    Ok(names)
}
