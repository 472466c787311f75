//! What a process uses, asked from the kernel: processor time, memory, and the memory of its maps.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io, mem, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};

/// Nanoseconds that the threads of a process have had a processor for.
pub fn processor_ns(pid: u32) -> Result<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("the threads of a process")? {
        let path = thread?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let first = text.split_whitespace().next().context("an empty schedstat")?;
        sum += first.parse::<u64>().context("schedstat")?;
    }
    Ok(sum)
}

/// Bytes of memory that are a process's own now.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the status of a process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    let kibibytes = line.split_whitespace().next().context("an empty RssAnon")?;
    Ok(kibibytes.parse::<u64>().context("RssAnon")? * 1024)
}

/// Bytes that the kernel says it holds for each map that a process has, by the map's number.
pub fn map_bytes(pid: u32) -> Result<BTreeMap<u32, u64>> {
    let mut maps = BTreeMap::new();
    for descriptor in fs::read_dir(format!("/proc/{pid}/fdinfo")).context("the descriptors of a process")? {
        // One that was closed meanwhile is none.
        if let Some((id, bytes)) = map(&descriptor?.path()) {
            maps.insert(id, bytes);
        }
    }
    ensure!(!maps.is_empty(), "process {pid} has no maps");
    Ok(maps)
}

fn map(descriptor: &Path) -> Option<(u32, u64)> {
    parse_map(&fs::read_to_string(descriptor).ok()?)
}

fn parse_map(text: &str) -> Option<(u32, u64)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse::<u64>().ok();
    Some((u32::try_from(field("map_id:")?).ok()?, field("memlock:")?))
}

/// The first and the last processor that the calling thread may use.
pub fn two_processors() -> Result<[usize; 2]> {
    // SAFETY: a set of zero bits is a valid value; the calls write and read it in its full size.
    let allowed: Vec<usize> = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        let result = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        ensure!(result == 0, io::Error::last_os_error());
        (0..8 * size_of::<libc::cpu_set_t>()).filter(|processor| libc::CPU_ISSET(*processor, &set)).collect()
    };
    let (Some(first), Some(last)) = (allowed.first(), allowed.last()) else { bail!("there is no processor") };
    ensure!(first != last, "there is one processor, and the load needs one of its own");
    Ok([*first, *last])
}

/// Lets a process, or the calling thread if `pid` is 0, run on this processor only.
pub fn pin(pid: u32, processor: usize) -> Result<()> {
    // SAFETY: a set of zero bits is a valid value; the call reads it in its full size.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(pid.cast_signed(), size_of::<libc::cpu_set_t>(), &set)
    };
    ensure!(result == 0, "processor {processor}: {}", io::Error::last_os_error());
    Ok(())
}

/// Lets a process run before all others that want its processor, so that other work on the machine does not delay it.
pub fn prefer(pid: u32) -> Result<()> {
    // SAFETY: takes no pointers.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, -20) };
    ensure!(result == 0, "process {pid}: {}", io::Error::last_os_error());
    Ok(())
}

/// Does `work` in a thread of its own, on this processor. Whoever sends has to stay on one, since the receiving end runs
/// there too: a sender that moves away leaves it behind, and outruns it.
pub fn on_processor<T: Send>(processor: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            pin(0, processor)?;
            work()
        });
        worker.join().unwrap_or_else(|_| Err(anyhow!("the generator's thread ended by a panic")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_told_from_other_descriptors() {
        let map = "pos:\t0\nflags:\t02000002\nmap_type:\t2\nmemlock:\t4096\nmap_id:\t7\n";
        assert_eq!(parse_map(map), Some((7, 4096)));
        assert_eq!(parse_map("pos:\t0\nprog_id:\t7\nmemlock:\t4096\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let own = std::process::id();
        assert!(processor_ns(own).unwrap() > 0);
        assert!(resident_bytes(own).unwrap() > 1 << 16);
    }
}
