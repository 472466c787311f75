//! A BPF file system of a test, unmounted on drop.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::scratch::Scratch;

/// The file system.
#[derive(Debug)]
pub struct Bpffs {
    scratch: Scratch,
}

impl Bpffs {
    /// Mounts one on a directory of its own.
    pub fn mount() -> Result<Self> {
        let scratch = Scratch::create("bpffs")?;
        let target = CString::new(scratch.path().as_os_str().as_bytes())?;
        // SAFETY: all three are C strings that outlive the call.
        let result = unsafe { libc::mount(c"bpf".as_ptr(), target.as_ptr(), c"bpf".as_ptr(), 0, std::ptr::null()) };
        ensure!(result == 0, "cannot mount a BPF file system: {}", std::io::Error::last_os_error());
        Ok(Self { scratch })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Names of all that is in a directory of it and below, sorted.
    pub fn names(&self, directory: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut next = vec![self.join(directory)];
        while let Some(path) = next.pop() {
            for entry in path.read_dir().with_context(|| path.display().to_string())? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    next.push(entry.path());
                }
                found.push(entry.path().strip_prefix(self.join(directory))?.to_string_lossy().into_owned());
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        if let Ok(target) = CString::new(self.path().as_os_str().as_bytes()) {
            // SAFETY: a C string that outlives the call. Lazily, so that nothing holds it up.
            unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        }
    }
}
