//! The loaded entry programs, which several threads may run at once.
//!
//! They are those of TC: before it repeats a run of XDP the kernel waits for all processors.

use aya::TestRunOptions;
use aya::programs::{SchedClassifier, TestRun as _};
use monitor::bpf::Kernel;

use super::sources::Seen;

/// A test run's frame comes in on `lo`.
pub(crate) const DEVICE: u32 = 1;

/// One program for each direction.
#[derive(Clone, Copy)]
pub(crate) struct Programs<'a>([&'a SchedClassifier; 2]);

impl<'a> Programs<'a> {
    pub(crate) fn of(kernel: &'a Kernel) -> Self {
        Self(["tunmon_tc_rx", "tunmon_tc_tx"].map(|name| {
            let (_, program) = kernel.programs().find(|(other, _)| *other == name).unwrap();
            program.try_into().unwrap()
        }))
    }

    /// Shows them a frame so many times.
    pub(crate) fn show(self, (direction, frame): &Seen, times: u32) {
        let options = TestRunOptions { data_in: Some(frame), repeat: times, ..TestRunOptions::new() };
        self.0[*direction as usize].test_run(options).unwrap();
    }
}
