//! Kernels in the cache: the image and the modules that networks need, a folder for each release.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{archive::Archive, image, initramfs};
use crate::{
    command::{capture, command, say},
    setup::programs,
};

/// Modules that are kept, by the beginning of their path below `kernel/`: the rest is most of the size.
const KEPT: [&str; 22] = [
    "net/",
    "lib/",
    "crypto/",
    "arch/x86/crypto/",
    "fs/9p/",
    "fs/netfs/",
    "fs/fscache/",
    "fs/overlayfs/",
    "drivers/virtio/",
    "drivers/char/virtio_console",
    "drivers/char/hw_random/virtio-rng",
    "drivers/net/bonding/",
    "drivers/net/dummy",
    "drivers/net/geneve",
    "drivers/net/ifb",
    "drivers/net/macvlan",
    "drivers/net/net_failover",
    "drivers/net/tun.",
    "drivers/net/veth",
    "drivers/net/virtio_net",
    "drivers/net/vrf",
    "drivers/net/vxlan",
];

/// A kernel that can be booted.
pub(crate) struct Kernel {
    /// As `uname -r` says it.
    pub(crate) release: String,
    pub(super) folder: PathBuf,
}

impl Kernel {
    /// The newest release of a series, out of the cache or fetched into it.
    pub(crate) fn get(series: &str, update: bool) -> Result<Self> {
        let cache = cache()?;
        let link = cache.join(series);
        if update || !link.exists() {
            fetch(&cache, series).with_context(|| format!("cannot fetch kernel {series}"))?;
        }
        let folder = link.canonicalize().with_context(|| format!("cannot read {}", link.display()))?;
        let release = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { release, folder })
    }

    /// What QEMU boots.
    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// What the kernel finds first.
    pub(super) fn initramfs(&self) -> Result<PathBuf> {
        initramfs::of(self)
    }
}

/// Where kernels are kept; its folder `run` has what a running guest reads.
pub(super) fn cache() -> Result<PathBuf> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => Path::new(&home).join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME is set"),
    };
    let cache = base.join("tunmon").join("kernels");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    cache.canonicalize().with_context(|| format!("cannot read {}", cache.display()))
}

fn fetch(cache: &Path, series: &str) -> Result<()> {
    let begun = Instant::now();
    let archive = Archive::open(cache, series)?;
    let release = archive.release(series)?;
    let folder = cache.join(&release);
    if !folder.exists() {
        say(&format!("fetching kernel {release} into {}, 57 to 122 MB", cache.display()));
        let scratch = cache.join(format!("fetch-{}", process::id()));
        let made = fill(&archive, &release, &scratch);
        let moved = made.and_then(|made| Ok(fs::rename(made, &folder)?));
        // What is left of it is of no use to anybody.
        let _ = fs::remove_dir_all(&scratch);
        moved?;
        say(&format!("kernel {release} is here after {:.0} s", begun.elapsed().as_secs_f64()));
    }
    let link = cache.join(format!("link-{}", process::id()));
    symlink(&release, &link).with_context(|| format!("cannot create {}", link.display()))?;
    fs::rename(&link, cache.join(series)).context("cannot name the kernel")
}

/// Downloads and unpacks a release in `scratch`; returns the folder to keep.
fn fill(archive: &Archive, release: &str, scratch: &Path) -> Result<PathBuf> {
    let [packages, files, made] = ["packages", "files", "made"].map(|name| scratch.join(name));
    for folder in [&packages, &made.join("lib/modules")] {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    archive.download(release, &packages)?;
    for package in fs::read_dir(&packages)? {
        capture(command("dpkg-deb", ["-x".as_ref(), package?.path().as_os_str(), files.as_os_str()]))?;
    }
    let modules = made.join("lib/modules").join(release);
    // Newer packages have /usr/lib in place of /lib.
    let unpacked = ["lib/modules", "usr/lib/modules"].map(|folder| files.join(folder).join(release));
    let unpacked = unpacked.iter().find(|folder| folder.exists()).context("the packages have no modules")?;
    fs::rename(unpacked, &modules)?;
    place(release, &files, &modules, &made)?;
    prune(&modules.join("kernel"), &modules.join("kernel"))?;
    let depmod = programs::path("depmod").context("depmod is not here (package kmod)")?;
    capture(command(depmod, ["-b".as_ref(), made.as_os_str(), release.as_ref()]))?;
    Ok(made)
}

/// Puts the image where we look for it; newer packages have it beside the modules.
fn place(release: &str, files: &Path, modules: &Path, made: &Path) -> Result<()> {
    let places = [files.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")];
    let vmlinuz = places.iter().find(|place| place.exists()).context("the packages have no kernel")?;
    image::make(vmlinuz, &made.join("image"))?;
    fs::remove_file(vmlinuz).context("cannot remove the packed kernel")
}

/// Removes the modules that are not kept.
fn prune(top: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let below = path.strip_prefix(top)?.to_string_lossy().into_owned();
        if path.is_dir() {
            prune(top, &path)?;
            // It fails for one that is not empty, which is as meant.
            let _ = fs::remove_dir(&path);
        } else if !KEPT.iter().any(|start| below.starts_with(start)) {
            fs::remove_file(&path)?;
        }
    }
    ensure!(folder != top || fs::read_dir(top)?.next().is_some(), "no module is left");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_networks_are_kept_and_others_go() {
        let top = env::temp_dir().join(format!("tunmon-prune-{}", process::id()));
        for file in ["net/openvswitch/openvswitch.ko", "drivers/net/tun.ko.xz", "drivers/net/tunes.ko", "sound/a.ko"] {
            fs::create_dir_all(top.join(file).parent().unwrap()).unwrap();
            fs::write(top.join(file), "").unwrap();
        }
        prune(&top, &top).unwrap();
        let left = ["net/openvswitch/openvswitch.ko", "drivers/net/tun.ko.xz"].map(|file| top.join(file).exists());
        let gone = ["drivers/net/tunes.ko", "sound"].map(|file| top.join(file).exists());
        fs::remove_dir_all(&top).unwrap();
        assert_eq!((left, gone), ([true, true], [false, false]));
    }
}
