//! TLS for the server, and what is asked of clients' certificates.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

use super::config::Tls;
use crate::file;

/// What is wrong.
#[derive(Debug)]
pub(super) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// TLS as the file asks for, and the files that it was made of; paths are relative to `folder`.
pub(super) fn acceptor(tls: &Tls, folder: &Path) -> Result<(TlsAcceptor, Vec<PathBuf>), Wrong> {
    let [cert, key] = [&tls.cert_file, &tls.key_file].map(|path| folder.join(path));
    let chain = file::certificates(&cert).map_err(|error| wrong(&cert, &error))?;
    let secret = file::private_key(&key).map_err(|error| wrong(&key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut files = vec![cert.clone(), key];
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(tls)?)
        .map_err(|error| Wrong(error.to_string()))?;
    let ca = tls.client_ca_file.as_ref().map(|path| folder.join(path));
    let builder = match verifier(tls, ca.as_deref(), provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    files.extend(ca);
    let config = builder.with_single_cert(chain, secret);
    let mut config = config.map_err(|error| wrong(&cert, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), files))
}

fn versions(tls: &Tls) -> Result<Vec<&'static SupportedProtocolVersion>, Wrong> {
    let all = [("TLS12", &TLS12), ("TLS13", &TLS13)];
    let place = |text: &str, default: usize| match text {
        "" => Ok(default),
        text => all
            .iter()
            .position(|(name, _)| *name == text)
            .ok_or_else(|| Wrong(format!("{text:?} is no version of TLS that is spoken here: TLS12 and TLS13 are"))),
    };
    let (least, most) = (place(&tls.min_version, 0)?, place(&tls.max_version, 1)?);
    let versions: Vec<_> = all.iter().take(most + 1).skip(least).map(|(_, version)| *version).collect();
    if versions.is_empty() { Err(Wrong("min_version is above max_version".to_owned())) } else { Ok(versions) }
}

fn verifier(
    tls: &Tls,
    ca: Option<&Path>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Wrong> {
    let is_required = match tls.client_auth_type.as_str() {
        "" | "NoClientCert" => None,
        "VerifyClientCertIfGiven" => Some(false),
        "RequireAndVerifyClientCert" => Some(true),
        other => {
            let those = "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";
            return Err(Wrong(format!("client_auth_type {other:?} is none of {those}")));
        }
    };
    let Some(is_required) = is_required else {
        let is_asked = ca.is_some() || !tls.client_allowed_sans.is_empty();
        let cause = "client_ca_file and client_allowed_sans need client_auth_type RequireAndVerifyClientCert";
        return if is_asked { Err(Wrong(cause.to_owned())) } else { Ok(None) };
    };
    let ca = ca.ok_or_else(|| Wrong("client_auth_type needs a client_ca_file".to_owned()))?;
    let roots = file::authorities(ca).map_err(|error| wrong(ca, &error))?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if is_required { builder } else { builder.allow_unauthenticated() };
    builder.build().map(Some).map_err(|error| wrong(ca, &error))
}

fn wrong(path: &Path, error: &dyn fmt::Display) -> Wrong {
    Wrong(format!("{}: {error}", path.display()))
}
