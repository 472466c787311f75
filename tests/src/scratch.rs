//! Directories and names that carry their owner's pid, so that leftovers of a killed run can be told and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

const PREFIX: &str = "tunmon-t";
static NEXT: AtomicU32 = AtomicU32::new(0);
static SWEEP: Once = Once::new();

/// A directory under the system's temporary directory, removed with all it holds on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn create(label: &str) -> Result<Self> {
        SWEEP.call_once(sweep);
        let path = std::env::temp_dir().join(unique(label));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run's sweep.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// `tunmon-t<pid>-<n>-<label>`: unique on this machine while this process lives.
pub fn unique(label: &str) -> String {
    format!("{PREFIX}{}-{}-{label}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether `name` was made by [`unique`] in a process that has ended.
///
/// A name with this process's own pid is a leftover too: callers sweep before they make their first name.
pub fn is_leftover(name: &str) -> bool {
    let Some(pid) = owner(name) else { return false };
    pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists()
}

fn owner(name: &str) -> Option<u32> {
    let (pid, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let (n, _label) = rest.split_once('-')?;
    n.parse::<u32>().ok()?;
    pid.parse().ok()
}

fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(is_leftover) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_name_tells_its_owner() {
        assert_eq!(owner(&unique("node1")), Some(std::process::id()));
    }

    #[test]
    fn foreign_names_are_never_leftovers() {
        for name in ["tunmon-t", "tunmon-tx-1-a", "tunmon-t4194999", "tunmon-t4194999-x-a", "node1", ""] {
            assert!(!is_leftover(name), "{name}");
        }
    }

    #[test]
    fn a_dead_owner_leaves_leftovers_and_a_living_one_does_not() {
        // Linux never gives out a pid above 2^22.
        assert!(is_leftover("tunmon-t4194999-0-node1"));
        assert!(!is_leftover("tunmon-t1-0-node1"));
    }

    #[test]
    fn a_scratch_directory_goes_with_its_guard() {
        let scratch = Scratch::create("gone").unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
