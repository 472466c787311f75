//! Waiting for a condition, never for a length of time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const POLL: Duration = Duration::from_millis(10);

/// Asks `probe` until it returns a value; `what` completes the sentence "waited … for" when `within` has passed.
pub fn until<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe().with_context(|| format!("while waiting for {what}"))? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {within:?} for {what}");
        }
        thread::sleep(POLL);
    }
}

/// Asks `probe` until its answer has stayed the same for `quiet`, and returns that answer.
pub fn until_stable<T: PartialEq>(
    what: &str,
    quiet: Duration,
    within: Duration,
    mut probe: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut last = probe()?;
    let mut since = Instant::now();
    until(what, within, || {
        let now = probe()?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        Ok((since.elapsed() >= quiet).then_some(()))
    })?;
    Ok(last)
}
