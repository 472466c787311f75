//! Where the API server is, and how to show it who asks: the pod's service account, or a kubeconfig that runs nothing.

use std::path::Path;
use std::{env, fs};

use anyhow::Result;
use hyper::{Request, Response};
use kube::Config;
use kube::client::{Body, ClientBuilder, DynBody};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tower::BoxError;
use tower::util::BoxService;

use crate::failure::Failure;

const ADVICE: &str =
    "--kubernetes takes a kubeconfig with a token or a client certificate; off = no names from Kubernetes";
const ADVICE_EXEC: &str = "tunmon runs as root and starts no programs: use a kubeconfig of a service account, with a token or a client certificate";
/// Bytes that a kubeconfig may have.
const MOST_BYTES: u64 = 1 << 20;

/// An API server.
pub(super) struct Server {
    pub(super) url: String,
    /// What asks it, or why nothing can.
    pub(super) client: Result<Builder, String>,
}

type Builder = ClientBuilder<BoxService<Request<Body>, Response<Box<DynBody>>, BoxError>>;

/// The server that the option names, if there is one.
///
/// # Errors
///
/// A kubeconfig that cannot be used.
pub(super) fn open(option: &str) -> Result<Option<Server>> {
    match option {
        "off" => Ok(None),
        "auto" => Ok(env::var_os("KUBERNETES_SERVICE_HOST").map(|_| of_pod())),
        path => of_file(Path::new(path)).map(Some),
    }
}

/// A pod need not have a token: then there are no names, and that is no reason not to start.
fn of_pod() -> Server {
    let in_short = |error: &dyn std::error::Error| format!("the pod's service account: {}", line(error));
    match Config::incluster() {
        Ok(config) => {
            Server { url: config.cluster_url.to_string(), client: builder(config).map_err(|error| in_short(&error)) }
        }
        Err(error) => Server { url: "the pod's cluster".to_owned(), client: Err(in_short(&error)) },
    }
}

fn of_file(path: &Path) -> Result<Server> {
    let wrong = |cause: String| Failure::usage(format!("{}: {cause}", path.display()), ADVICE);
    let file = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if !file.is_file() || file.len() > MOST_BYTES {
        return Err(wrong(format!("no regular file of at most {} MiB", MOST_BYTES >> 20)).into());
    }
    let file = Kubeconfig::read_from(path).map_err(|error| wrong(line(&error)))?;
    if file.clusters.iter().filter_map(|named| named.cluster.as_ref()).any(|cluster| cluster.proxy_url.is_some()) {
        return Err(wrong("proxy-url: tunmon asks the server itself".to_owned()).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let config = runtime.block_on(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()));
    let mut config = config.map_err(|error| wrong(line(&error)))?;
    for (method, is_there) in
        [("exec", config.auth_info.exec.is_some()), ("auth-provider", config.auth_info.auth_provider.is_some())]
    {
        if is_there {
            let cause = format!("{}: its user has {method}, which runs a program", path.display());
            return Err(Failure::usage(cause, ADVICE_EXEC).into());
        }
    }
    // Of HTTPS_PROXY, which is not meant for this.
    config.proxy_url = None;
    let url = config.cluster_url.to_string();
    let client = builder(config).map_err(|error| wrong(line(&error)))?;
    Ok(Server { url, client: Ok(client) })
}

fn builder(mut config: Config) -> Result<Builder, kube::Error> {
    // The watcher has its own pace.
    config.default_retry = false;
    ClientBuilder::try_from(config)
}

/// An error in one line.
fn line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    crate::inventory::Name::new(text.lines().next().unwrap_or_default()).to_string()
}
