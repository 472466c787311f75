//! QEMU's command line: an emulated PC with this machine's files, three ports, and two network cards on one segment.

use std::{
    os::fd::{AsRawFd as _, BorrowedFd},
    path::Path,
    process::{self, Command},
};

use anyhow::Result;

use super::kernel::Kernel;
use crate::command::command;

/// Ethernet addresses of the two cards, by which tests know them (`tests/src/kernel/virtio.rs`).
const CARDS: [&str; 2] = ["52:54:00:74:6d:01", "52:54:00:74:6d:02"];
const MEMORY_MIB: u32 = 1024;

/// Settings of the guest's kernel.
///
/// An oops is an end, and an end is one of QEMU too. What slows an emulated processor or panics on a busy host is off:
/// mitigations, the timer's self-test, the doubt about its clock, complaints about processors that stood still.
const KERNEL: &str = "console=ttyS0 loglevel=5 panic=-1 oops=panic audit=0 mitigations=off no_timer_check tsc=reliable \
                      random.trust_cpu=on rcupdate.rcu_cpu_stall_suppress=1";

/// The command that boots `kernel`; `run` is a folder with the second stage, and gets console and result; `outputs` are
/// descriptors of this process that get the command's output and errors.
pub(super) fn qemu(kernel: &Kernel, run: &Path, outputs: [BorrowedFd<'_>; 2]) -> Result<Command> {
    // An old processor: nested page tables of five levels and wide vectors are slow where they are emulated.
    let mut qemu = command("qemu-system-x86_64", ["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "Nehalem"]);
    qemu.args(["-smp", "2", "-m", &MEMORY_MIB.to_string(), "-nodefaults", "-display", "none", "-no-reboot"]);
    qemu.arg("-serial").arg(format!("file:{}", run.join("console").display()));
    qemu.arg("-kernel").arg(kernel.image()).arg("-initrd").arg(kernel.initramfs()?);
    qemu.arg("-append").arg(format!("{KERNEL} tunmon.run={}", run.display()));
    qemu.args(["-fsdev", "local,id=host,path=/,readonly=on,security_model=none,multidevs=remap"]);
    qemu.args(["-device", "virtio-9p-pci,fsdev=host,mount_tag=host", "-device", "virtio-rng-pci"]);
    qemu.args(["-device", "virtio-serial-pci"]);
    let [out, err] = outputs.map(|output| format!("/proc/{}/fd/{}", process::id(), output.as_raw_fd()));
    let result = run.join("result").display().to_string();
    for (name, file) in [("out", out), ("err", err), ("result", result)] {
        qemu.arg("-chardev").arg(format!("file,id={name},path={file},append=on"));
        qemu.arg("-device").arg(format!("virtserialport,chardev={name},name={name}"));
    }
    for (index, address) in CARDS.iter().enumerate() {
        qemu.arg("-netdev").arg(format!("hubport,id=net{index},hubid=0"));
        qemu.arg("-device").arg(format!("virtio-net-pci,netdev=net{index},mac={address}"));
    }
    Ok(qemu)
}
