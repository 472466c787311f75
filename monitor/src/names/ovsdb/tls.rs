//! TLS as OVS speaks it: certificates of its PKI have no host name (`sb id:<uuid>`), so a server is whoever shows one that
//! the authority has signed, and shows ours to itself in turn.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::file;

/// Files of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::names) struct Paths {
    /// Authority of the server.
    pub(in crate::names) authority: Option<PathBuf>,
    /// Our certificate, and its key.
    pub(in crate::names) own: Option<(PathBuf, PathBuf)>,
}

impl Paths {
    /// These, and where there is none those of `other`.
    pub(in crate::names) fn or(&self, other: &Self) -> Self {
        Self {
            authority: self.authority.clone().or_else(|| other.authority.clone()),
            own: self.own.clone().or_else(|| other.own.clone()),
        }
    }

    /// Whether those that are named can be read and are what they should be.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub(in crate::names) fn check(&self) -> Result<()> {
        self.authority.as_deref().map(certificates).transpose()?;
        let own = self.own.as_ref().map(|(certificate, key)| (certificates(certificate)).and(private_key(key)));
        own.transpose().map(drop)
    }

    /// Reads them, as they are now.
    ///
    /// # Errors
    ///
    /// A [`Failure`] if one cannot be read, is none, or others may read the key.
    pub(in crate::names) fn read(&self) -> Result<TlsConnector> {
        let Some(authority) = &self.authority else {
            return Err(Failure::usage("TLS needs the database's authority", "name it: --ovn-ca FILE").into());
        };
        let provider = Arc::new(ring::default_provider());
        let roots = file::authorities(authority).map_err(|error| unfit(authority, &error))?;
        let verifier = Arc::new(Chain { roots, provider: provider.clone() });
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::ALL_VERSIONS)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| unfit(certificate, &error.to_string()))?,
        };
        Ok(Arc::new(config).into())
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    file::certificates(path).map_err(|error| unfit(path, &error))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let mode = fs::metadata(path).map_err(|error| unfit(path, &error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let cause =
            format!("{}: others than its owner may use this private key (mode {:03o})", path.display(), mode & 0o777);
        return Err(Failure::usage(cause, format!("keep it to its owner: chmod 600 {}", path.display())).into());
    }
    file::private_key(path).map_err(|error| unfit(path, &error))
}

fn unfit(path: &Path, why: &str) -> anyhow::Error {
    let advice = "name files in PEM form: --ovn-ca FILE --ovn-cert FILE --ovn-key FILE";
    anyhow!(Failure::usage(format!("{}: {why}", path.display()), advice))
}

/// Whom TLS is spoken with; it is not verified.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned()).context("a host name")
}

/// Verifies who has signed the certificate, and not whom it names.
#[derive(Debug)]
struct Chain {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Chain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
