//! The loaded entry programs, which several threads may run at once.
//!
//! They are those of TC: before it repeats a run of XDP the kernel waits for all processors.

use aya::programs::Program;
use monitor::bpf::Kernel;
use tests::bench::driver;

use super::sources::Seen;

/// A test run's frame comes in on `lo`.
pub(crate) const DEVICE: u32 = 1;

/// One program for each direction.
#[derive(Clone, Copy)]
pub(crate) struct Programs<'a>([&'a Program; 2]);

impl<'a> Programs<'a> {
    pub(crate) fn of(kernel: &'a Kernel) -> Self {
        let program = |name| kernel.programs().find(|(other, _)| *other == name).unwrap().1;
        Self(["tunmon_tc_rx", "tunmon_tc_tx"].map(program))
    }

    /// Shows them a frame so many times.
    pub(crate) fn show(self, (direction, frame): &Seen, times: u32) {
        driver::run(self.0[*direction as usize], frame, times).unwrap();
    }
}
