//! What is in the kernel of any tunmon, for those who want to be sure that nothing is.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use super::clsact;
use crate::netlink::{Parent, Route};

/// How the names of all programs begin.
const PREFIX: &str = "tunmon_";

/// Ids and names of all programs of any tunmon, in any namespace; only root sees them.
pub(crate) fn programs() -> Vec<(u32, String)> {
    let name = |program: &aya::programs::ProgramInfo| program.name_as_str().unwrap_or_default().to_owned();
    let all = aya::programs::loaded_programs().flatten().map(|program| (program.id(), name(&program)));
    all.filter(|(_, name)| name.starts_with(PREFIX)).collect()
}

/// Processes that have programs, and the ids of these.
pub(crate) fn holders() -> Vec<(u32, BTreeSet<u32>)> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.map(|pid| (pid, held(pid))).filter(|(_, held)| !held.is_empty()).collect()
}

fn held(pid: u32) -> BTreeSet<u32> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
    let id = |file: fs::DirEntry| {
        let text = fs::read_to_string(file.path()).ok()?;
        text.lines().find_map(|line| line.strip_prefix("prog_id:"))?.trim().parse().ok()
    };
    files.filter_map(id).collect()
}

/// Removes filters of ours from clsact of every device of this namespace, those of pins and those that no living run
/// claims; and the qdiscs of the devices in `qdiscs`, if nothing else hangs there.
pub(crate) fn sweep(qdiscs: &[u32]) -> Result<Vec<String>> {
    let mut route = Route::open().context("netlink")?;
    let mut removed = Vec::new();
    for link in route.links().context("the list of devices")? {
        for parent in [Parent::Ingress, Parent::Egress] {
            for filter in clsact::left(&mut route, link.index, parent).context("filters")? {
                route.delete_filter(link.index, parent, &filter).with_context(|| link.name.clone())?;
                removed.push(format!("{} {} {}", link.name, filter.name, filter.priority));
            }
        }
        if qdiscs.contains(&link.index) {
            clsact::remove_qdisc(&mut route, link.index).with_context(|| link.name.clone())?;
        }
    }
    Ok(removed)
}
