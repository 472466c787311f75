//! What all these tests need: rights and tools, loaded programs.

use std::env;

use monitor::bpf::{Kernel, Sizes, load};
use tests::{needs, process, tunmon};

/// True after having said what is missing here, if something is.
pub(super) fn skips() -> bool {
    let reason = tunmon::missing(&[needs::NETWORK, needs::HOOKS]);
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_some()
}

/// The programs, for a thread that has nothing open yet: what it detaches is gone at once.
pub(super) fn load() -> Kernel {
    process::own_descriptors().unwrap();
    Kernel::load(&[6081], sizes(), 0).unwrap()
}

/// Small tables.
pub(super) fn sizes() -> Sizes {
    Sizes::new(8, 8, 1024, load::processors().unwrap())
}

/// How often something is done: less often than what it takes to be sure, but for a run with `TUNMON_FULL=1`.
///
/// It is the kernel that takes the time, by the grace periods that it waits for at every hook: 60 to 100 ms a cycle.
pub(super) struct Count {
    pub(super) usual: u32,
    pub(super) full: u32,
}

impl Count {
    pub(super) fn get(&self) -> u32 {
        if env::var_os("TUNMON_FULL").is_some_and(|value| value == "1") { self.full } else { self.usual }
    }
}
