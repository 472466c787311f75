//! `cargo xtask vm KERNEL… [-- COMMAND]`: a command as root on stock Debian kernels.
//!
//! ```text
//! archive ─▶ kernel ─▶ image, initramfs ─▶ machine ─▶ guest
//! (apt)      (cache)   (what QEMU boots)   (QEMU)     (one run: output and exit code)
//! ```
//!
//! Nothing is installed, and neither root nor /dev/kvm is needed: QEMU emulates the processor, and the guest sees this
//! machine's files under a layer of its own, so that programs that are here run there, and what they write is gone after.

mod archive;
mod guest;
mod image;
mod initramfs;
mod kernel;
mod machine;

use std::{ffi::OsString, io, process, time::Duration};

use anyhow::{Result, bail};

use crate::{command::say, setup, setup::programs};
pub(crate) use archive::SERIES;
pub(crate) use guest::{LATE, Sink, run as run_guest};
pub(crate) use kernel::Kernel;

/// What booting a kernel takes, by program and Debian package.
const TOOLS: [(&str, &str); 7] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
];

/// Run a command as root on stock Debian kernels, in a virtual machine that sees this machine's files.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Series such as 5.10 or 6.1; `newest`: the newest that Debian has; `all`: those that the tests know.
    #[arg(required = true)]
    kernels: Vec<String>,
    /// Look for a newer release of each series, even if one is in the cache.
    #[arg(long)]
    update: bool,
    /// Seconds that the command may take on each kernel.
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// The command and its arguments; without one, the kernel says its release.
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Runs the command on each kernel in turn; ends with the first exit code that is not 0.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options { tests: false, vm: true })?;
    if let Some(reason) = missing() {
        bail!("cannot boot kernels: {reason}");
    }
    let command = if options.command.is_empty() { vec!["uname".into(), "-r".into()] } else { options.command.clone() };
    let mut exit = 0;
    for series in series(&options.kernels) {
        let kernel = Kernel::get(&series, options.update)?;
        let sink = Sink { out: Box::new(io::stdout()), err: Box::new(io::stderr()) };
        let ending = run_guest(&kernel, &command, Duration::from_secs(options.limit), sink)?;
        say(&format!("{ending}"));
        exit = if exit == 0 { ending.code } else { exit };
    }
    if exit != 0 {
        process::exit(exit);
    }
    Ok(())
}

/// Why no kernel can be booted here, if so.
pub(crate) fn missing() -> Option<String> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the kernels are for x86-64, and this machine is not".to_owned());
    }
    let absent: Vec<_> =
        TOOLS.iter().filter(|(program, _)| !programs::exists(program)).map(|(_, name)| *name).collect();
    (!absent.is_empty()).then(|| format!("not installed: {}", absent.join(", ")))
}

/// The series that these names mean.
pub(crate) fn series(names: &[String]) -> Vec<String> {
    let each = names.iter().flat_map(|name| match name.as_str() {
        "all" => SERIES.map(str::to_owned).to_vec(),
        _ => vec![name.clone()],
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_means_the_series_of_the_tests() {
        assert_eq!(series(&["all".to_owned()]), SERIES);
        assert_eq!(series(&["6.6".to_owned()]), ["6.6"]);
    }
}
