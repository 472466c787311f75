//! Debian's archive: which suite has a kernel series, and apt with lists of its own to get its packages.
//!
//! apt runs on a configuration of its own in the cache, so the machine's lists, sources and packages stay as they are. Its
//! mirrors are those of the machine's own sources, and the archive's signatures are checked as always.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::command::{capture, command};

/// The series that the tests know, oldest first: the floor, Debian 12's, Debian 13's, and the newest that Debian has.
pub(crate) const SERIES: [&str; 4] = ["5.10", "6.1", "6.12", NEWEST];
const NEWEST: &str = "newest";

/// Debian's own keys, which know every suite below.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Lists of packages that are younger are not asked for again.
const FRESH: Duration = Duration::from_secs(3600);

/// A suite: the last part of its mirror's address, and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suite {
    archive: &'static str,
    name: &'static str,
}

/// Where a series is. What is not named here comes, if at all, with the backports.
fn suite(series: &str) -> Suite {
    let (archive, name) = match series {
        "5.10" => ("debian-security", "bullseye-security"),
        "6.1" => ("debian-security", "bookworm-security"),
        "6.12" => ("debian-security", "trixie-security"),
        _ => ("debian", "trixie-backports"),
    };
    Suite { archive, name }
}

/// An apt that knows one suite and nothing of the machine's packages.
pub(super) struct Archive {
    suite: Suite,
    folder: PathBuf,
}

impl Archive {
    /// Reads the lists of the suite that has `series`.
    pub(super) fn open(cache: &Path, series: &str) -> Result<Self> {
        let suite = suite(series);
        let archive = Self { suite, folder: cache.join("apt").join(suite.name) };
        archive.configure()?;
        archive.update()?;
        Ok(archive)
    }

    /// The newest release of `series` for common machines, such as `6.1.0-41-amd64`.
    pub(super) fn release(&self, series: &str) -> Result<String> {
        let names = self.names()?;
        newest(&names, series)
            .with_context(|| format!("the suite {} has no kernel {series}; try {}", self.suite.name, SERIES.join(", ")))
    }

    /// Downloads the packages of a release into `folder`.
    pub(super) fn download(&self, release: &str, folder: &Path) -> Result<()> {
        let names = self.names()?;
        // The image's package has all, or is empty, and three others have it.
        let wanted = ["image", "base", "binary", "modules"].map(|part| format!("linux-{part}-{release}"));
        let wanted = wanted.iter().filter(|name| names.contains(name));
        let mut download = self.apt("apt-get", ["-q", "download"]);
        download.args(wanted).current_dir(folder);
        capture(download).map(drop)
    }

    fn names(&self) -> Result<Vec<String>> {
        let names = capture(self.apt("apt-cache", ["pkgnames", "linux-"]))?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    fn apt<const N: usize>(&self, program: &str, arguments: [&str; N]) -> Command {
        let mut apt = command(program, arguments);
        apt.env("APT_CONFIG", self.folder.join("apt.conf")).env("LC_ALL", "C");
        apt
    }

    fn configure(&self) -> Result<()> {
        let folder = self.folder.display();
        for part in ["lists/partial", "archives/partial", "parts"] {
            fs::create_dir_all(self.folder.join(part)).with_context(|| format!("cannot create {folder}/{part}"))?;
        }
        let Suite { name, .. } = self.suite;
        let source = format!("deb [arch=amd64 signed-by={KEYS}] {} {name} main\n", mirror(self.suite.archive)?);
        let settings = format!(
            "Dir::Etc \"{folder}\"; Dir::Etc::sourcelist \"{folder}/sources.list\"; Dir::Etc::sourceparts \"parts\";\n\
             Dir::Etc::main \"none\"; Dir::Etc::parts \"parts\"; Dir::Etc::preferencesparts \"parts\";\n\
             Dir::State \"{folder}\"; Dir::State::lists \"lists\"; Dir::State::status \"{folder}/status\";\n\
             Dir::Cache \"{folder}\"; Dir::Cache::archives \"archives\"; Acquire::Languages \"none\";\n\
             APT::Architecture \"amd64\"; APT::Architectures {{ \"amd64\"; }}; APT::Sandbox::User \"root\";\n"
        );
        let files = [("sources.list", source), ("apt.conf", settings), ("status", String::new())];
        for (file, text) in files {
            fs::write(self.folder.join(file), text).with_context(|| format!("cannot write {folder}/{file}"))?;
        }
        Ok(())
    }

    fn update(&self) -> Result<()> {
        let mark = self.folder.join("updated");
        let age = mark.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age < FRESH) {
            return Ok(());
        }
        let update = self.apt("apt-get", ["-q", "--error-on=any", "update"]);
        capture(update).map_err(|error| {
            let said = format!("{error:#}");
            let first = said.lines().next().unwrap_or_default();
            anyhow!("cannot read the suite {} (no network, or the mirror has it no more): {first}", self.suite.name)
        })?;
        fs::write(&mark, "").with_context(|| format!("cannot write {}", mark.display()))
    }
}

/// The mirror of an archive in this machine's sources.
fn mirror(archive: &str) -> Result<String> {
    let mut targets = command("apt-get", ["indextargets", "--format", "$(SITE)"]);
    targets.arg("Created-By: Packages").env("LC_ALL", "C");
    let sites = capture(targets).context("cannot tell this machine's mirrors")?;
    match sites.lines().map(|site| site.trim_end_matches('/')).find(|site| site.ends_with(&format!("/{archive}"))) {
        Some(site) => Ok(site.to_owned()),
        None => bail!("no mirror of {archive} is in this machine's apt sources"),
    }
}

/// The newest release of a series among names of packages.
fn newest(names: &[String], series: &str) -> Option<String> {
    let start = if series == NEWEST { String::new() } else { format!("{series}.") };
    let releases = names.iter().filter_map(|name| name.strip_prefix("linux-image-"));
    let plain = |release: &&str| {
        let own = release.starts_with(|c: char| c.is_ascii_digit()) && release.ends_with("-amd64");
        own && release.starts_with(&start) && !release.contains("-cloud-") && !release.contains("-rt-")
    };
    releases.filter(plain).max_by_key(|release| numbers(release)).map(str::to_owned)
}

/// The numbers in a release, by which releases are ordered.
fn numbers(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 7] = [
        "linux-image-6.1.0-9-amd64",
        "linux-image-6.1.0-41-amd64",
        "linux-image-6.1.0-42-cloud-amd64",
        "linux-image-6.1.0-43-amd64-unsigned",
        "linux-image-6.12.57+deb13-amd64",
        "linux-image-6.12.57+deb13-rt-amd64",
        "linux-image-amd64",
    ];

    fn newest_of(series: &str) -> Option<String> {
        newest(&NAMES.map(str::to_owned), series)
    }

    #[test]
    fn the_newest_release_is_by_number_and_for_common_machines() {
        assert_eq!(newest_of("6.1").as_deref(), Some("6.1.0-41-amd64"));
        assert_eq!(newest_of("newest").as_deref(), Some("6.12.57+deb13-amd64"));
    }

    #[test]
    fn a_series_that_is_not_there_is_none() {
        assert_eq!(newest_of("6"), Some("6.12.57+deb13-amd64".to_owned()));
        assert_eq!(newest_of("6.11"), None);
        assert_eq!(newest_of("5.10"), None);
    }

    #[test]
    fn every_series_of_the_tests_has_a_suite() {
        let suites = SERIES.map(|series| suite(series).name);
        assert_eq!(suites, ["bullseye-security", "bookworm-security", "trixie-security", "trixie-backports"]);
    }
}
