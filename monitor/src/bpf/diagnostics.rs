//! Messages of the kernel programs, in builds with the feature `diagnostics`: aya-log hands them to `log`, and the
//! subscriber takes `log`'s records for its own.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya_log::EbpfLogger;

/// Logs what the programs have said since the last call.
pub(super) type Reader = Box<dyn FnMut()>;

/// The reader of the programs' messages.
pub(super) fn reader(ebpf: &mut Ebpf) -> Result<Reader> {
    let mut logger = EbpfLogger::init(ebpf).context("the kernel programs' log")?;
    Ok(Box::new(move || logger.flush()))
}
