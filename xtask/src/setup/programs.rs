//! Finding programs.

use std::{
    env,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Where root finds programs that the caller's PATH may lack.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// True when the program is in PATH or in a system folder.
pub(crate) fn exists(name: &str) -> bool {
    path(name).is_some()
}

/// The program's file.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name() {
        assert!(exists("sh"));
        assert!(!exists("tunmon-no-such-program"));
    }

    #[test]
    fn folders_and_plain_files_are_no_programs() {
        assert!(!is_executable(Path::new("/usr")));
        assert!(!is_executable(Path::new("/etc/passwd")));
    }
}
