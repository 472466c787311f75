//! The Debian packages, each with the program or file by which its presence is known.
//!
//! The proof is what is used, not the package's name: a program that came another way is as good.

use std::path::Path;

use super::programs;

/// A Debian package and the proof of its presence.
pub(super) struct Package {
    pub(super) name: &'static str,
    proof: Proof,
}

enum Proof {
    Program(&'static str),
    File(&'static str),
}

impl Package {
    const fn program(name: &'static str, program: &'static str) -> Self {
        Self { name, proof: Proof::Program(program) }
    }

    const fn file(name: &'static str, file: &'static str) -> Self {
        Self { name, proof: Proof::File(file) }
    }

    fn is_missing(&self) -> bool {
        match self.proof {
            Proof::Program(program) => !programs::exists(program),
            Proof::File(file) => !Path::new(file).exists(),
        }
    }
}

/// What building and running needs in any case.
pub(super) const BASE: &[Package] = &[Package::program("iproute2", "ip")];

/// What compiling bpf-linker needs.
pub(super) const LINKER: &[Package] = &[
    Package::program("g++", "c++"),
    Package::file("llvm-22-dev", "/usr/lib/llvm-22/include/llvm-c/Core.h"),
    Package::file("libpolly-22-dev", "/usr/lib/llvm-22/lib/libPolly.a"),
    Package::file("libzstd-dev", "/usr/include/zstd.h"),
];

/// What only the tests use.
pub(super) const TESTS: &[Package] = &[
    Package::program("openvswitch-switch", "ovs-vswitchd"),
    Package::program("ovn-central", "ovn-northd"),
    Package::program("ovn-host", "ovn-controller"),
    Package::program("tshark", "tshark"),
    Package::program("tcpdump", "tcpdump"),
    Package::program("iperf3", "iperf3"),
    Package::program("ethtool", "ethtool"),
    Package::program("nftables", "nft"),
    // By its full name: other packages have an `nc` with other options.
    Package::program("netcat-openbsd", "nc.openbsd"),
    Package::program("iputils-ping", "ping"),
    Package::program("procps", "ps"),
    Package::program("clang", "clang"),
    Package::program("bpftool", "bpftool"),
    Package::program("prometheus", "prometheus"),
    Package::program("curl", "curl"),
    Package::program("openssl", "openssl"),
];

/// What booting other kernels uses.
pub(super) const VM: &[Package] = &[
    Package::program("qemu-system-x86", "qemu-system-x86_64"),
    Package::program("busybox-static", "busybox"),
    Package::program("kmod", "depmod"),
    Package::program("xz-utils", "xz"),
    Package::program("zstd", "zstd"),
    Package::file("debian-archive-keyring", "/usr/share/keyrings/debian-archive-keyring.gpg"),
];

/// The names of those that are missing.
pub(super) fn missing(packages: &[Package]) -> Vec<&'static str> {
    packages.iter().filter(|package| package.is_missing()).map(|package| package.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::LLVM;

    #[test]
    fn a_package_is_missing_when_its_proof_is() {
        let packages = [
            Package::program("dash", "sh"),
            Package::program("no-program", "tunmon-no-such-program"),
            Package::file("base-files", "/etc/os-release"),
            Package::file("no-file", "/no/such/file"),
        ];
        assert_eq!(missing(&packages), ["no-program", "no-file"]);
    }

    #[test]
    fn the_llvm_packages_are_those_of_the_toolchain() {
        let llvm = LINKER.iter().filter(|package| package.name.ends_with(&format!("-{LLVM}-dev")));
        assert_eq!(llvm.count(), 2);
    }
}
