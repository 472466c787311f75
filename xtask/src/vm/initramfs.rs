//! The first files of a guest: busybox, the modules up to the root file system, and `init.sh`.
//!
//! They are packed by hand as the kernel wants them (its Documentation/driver-api/early-userspace/buffer-format.rst):
//! for each file a header of `070701` and thirteen numbers of eight hexadecimal digits, the name, the content, both filled
//! up to 4 bytes.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::kernel::Kernel;
use crate::{
    command::{capture, command},
    setup::programs,
};

const INIT: &str = include_str!("init.sh");
/// The root file system needs these, and what they need.
const MODULES: [&str; 4] = ["virtio_pci", "virtio_console", "9pnet_virtio", "overlay"];
/// 9p alone names its transport by a module of its own.
const FILE_SYSTEM: &str = "9p";
const FOLDERS: [&str; 8] = ["bin", "modules", "proc", "sys", "dev", "lower", "layer", "root"];
const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// The initramfs of a kernel, made at its first use with this script.
pub(super) fn of(kernel: &Kernel) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    INIT.hash(&mut hasher);
    let path = kernel.folder.join(format!("initramfs-{:x}", hasher.finish()));
    if !path.exists() {
        let half = path.with_extension("half");
        fs::write(&half, pack(kernel)?).with_context(|| format!("cannot write {}", half.display()))?;
        fs::rename(&half, &path)?;
    }
    Ok(path)
}

fn pack(kernel: &Kernel) -> Result<Vec<u8>> {
    let busybox = programs::path("busybox").context("busybox is not here (package busybox-static)")?;
    let mut archive = Cpio::default();
    for folder in FOLDERS {
        archive.add(folder, FOLDER, &[]);
    }
    archive.add("init", PROGRAM, INIT.as_bytes());
    archive.add("bin/busybox", PROGRAM, &fs::read(busybox).context("cannot read busybox")?);
    let mut order = String::new();
    for module in modules(kernel)? {
        let name = module.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{}.ko", name.trim_end_matches(".ko"));
        archive.add(&format!("modules/{name}"), FILE, &read(&module)?);
        order += &format!("{name}\n");
    }
    archive.add("modules/order", FILE, order.as_bytes());
    Ok(archive.end())
}

/// The files of the modules that are wanted, those that others need first.
fn modules(kernel: &Kernel) -> Result<Vec<PathBuf>> {
    let modprobe = programs::path("modprobe").context("modprobe is not here (package kmod)")?;
    let mut files: Vec<PathBuf> = Vec::new();
    for name in MODULES.into_iter().chain([FILE_SYSTEM]) {
        let mut show = command(&modprobe, ["--show-depends", "-S", &kernel.release, "-d"]);
        let text = capture({
            show.arg(&kernel.folder).arg(name);
            show
        })?;
        // `insmod <file> <parameters>`, or `builtin <name>`.
        for file in text.lines().filter_map(|line| line.strip_prefix("insmod ")?.split(' ').next()) {
            if !files.iter().any(|known| known == Path::new(file)) {
                files.push(file.into());
            }
        }
    }
    Ok(files)
}

/// The content of a module, unpacked.
fn read(file: &Path) -> Result<Vec<u8>> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    let mut unpack = command(program, ["-d", "-c", "-q"]);
    let output = unpack.arg(file).output().with_context(|| format!("cannot start {program}"))?;
    anyhow::ensure!(output.status.success(), "{program} cannot unpack {}", file.display());
    Ok(output.stdout)
}

#[derive(Default)]
struct Cpio {
    bytes: Vec<u8>,
    files: u32,
}

impl Cpio {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.files += 1;
        let length = u32::try_from(content.len()).expect("files of a guest are small");
        let name_length = u32::try_from(name.len() + 1).expect("names are short");
        // Inode, mode, owner, group, links, time, length, four numbers of devices, length of the name, checksum.
        let numbers = [self.files, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        self.bytes.extend(b"070701");
        self.bytes.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.fill();
        self.bytes.extend(content);
        self.fill();
    }

    fn fill(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_header_a_name_and_a_content_filled_up() {
        let mut archive = Cpio::default();
        archive.add("a", FILE, b"hello");
        let text = String::from_utf8(archive.bytes).unwrap();
        assert!(text.starts_with("07070100000001000081a4"), "{text}");
        assert_eq!(text.len(), 6 + 13 * 8 + 2 + 8);
        assert!(text.ends_with("a\0hello\0\0\0"));
    }

    #[test]
    fn an_archive_ends_with_its_trailer() {
        assert!(String::from_utf8(Cpio::default().end()).unwrap().contains("TRAILER!!!\0"));
    }
}
