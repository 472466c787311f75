//! Logging to standard error, of user space and, in builds with diagnostics, of the kernel programs.

use tracing_subscriber::EnvFilter;

/// Begins logging what `filter` lets through.
pub fn init(filter: &str) {
    // It logs what a server has sent, whatever that is; we tell its errors ourselves. Whoever names it, has asked for it.
    let quiet = if filter.contains("kube") { "" } else { ",kube_client=off,kube_runtime=off" };
    let filter = EnvFilter::new(format!("{filter}{quiet}"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}

/// Checks a filter, such as `warn` or `monitor=debug`.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
