//! The way to a peer, in few characters.

use crate::snapshot::{Path, Sizes};

/// The path MTU, the one before if that was more, and where it comes from: `1400<1500 cache`.
pub(super) fn path(path: &Path) -> String {
    let (Some(mtu), Some(source)) = (path.path_mtu_bytes, path.path_mtu_source) else { return "-".to_owned() };
    match path.path_mtu_before_bytes.filter(|before| *before > mtu) {
        Some(before) => format!("{mtu}<{before} {source}"),
        None => format!("{mtu} {source}"),
    }
}

/// The same, with the time that what was learned is kept: `1400 cache 598s`.
pub(super) fn path_with_end(it: &Path) -> String {
    let expires = it.route.as_ref().and_then(|route| route.expires_seconds);
    match expires.filter(|_| it.path_mtu_source == Some("cache")) {
        Some(left) => format!("{} {left:.0}s", path(it)),
        None => path(it),
    }
}

/// Least and most overhead.
pub(super) fn overhead(sizes: &Sizes) -> String {
    match (sizes.overhead_min_bytes, sizes.overhead_max_bytes) {
        (Some(least), Some(most)) if least != most => format!("{least}-{most}"),
        (_, Some(most)) => most.to_string(),
        _ => "-".to_owned(),
    }
}

/// A size, or that there is none.
pub(super) fn size(bytes: Option<u32>) -> String {
    bytes.map_or("-".to_owned(), |bytes| bytes.to_string())
}
