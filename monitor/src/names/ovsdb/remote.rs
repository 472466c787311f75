//! Remotes as OVS and OVN write them: `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`, in lists with commas.
//!
//! Kube-OVN has brackets around IPv4 addresses too (`tcp:[192.0.2.1]:6642`); around IPv6 ones they are needed.

use std::fmt;
use std::path::PathBuf;

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::names) enum Remote {
    /// A socket.
    Unix(PathBuf),
    /// A host and port, with or without TLS.
    Host {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// Whether TLS is spoken.
        is_tls: bool,
    },
}

impl Remote {
    /// The remotes of a list.
    ///
    /// # Errors
    ///
    /// What is wrong with one, in words.
    pub(in crate::names) fn list(text: &str) -> Result<Vec<Self>, String> {
        let remotes: Result<Vec<_>, _> =
            text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(Self::parse).collect();
        remotes.and_then(|remotes| if remotes.is_empty() { Err("no remote".to_owned()) } else { Ok(remotes) })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no remote");
        let (method, rest) = text.split_once(':').ok_or_else(wrong)?;
        let is_tls = match method {
            "unix" if rest.starts_with('/') => return Ok(Self::Unix(rest.into())),
            "unix" => return Err(format!("{text:?} has no absolute path")),
            "tcp" => false,
            "ssl" => true,
            _ => return Err(wrong()),
        };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match rest.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => {
                    return Err(format!("{text:?} needs [ ] around its IPv6 address"));
                }
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = port.ok_or_else(|| format!("{text:?} has no port"))?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(|| format!("{port:?} is no port"))?;
        if host.is_empty() || host.contains(['[', ']', '/', ' ']) {
            return Err(wrong());
        }
        Ok(Self::Host { host: host.to_owned(), port, is_tls })
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Host { host, port, is_tls } => {
                let method = if *is_tls { "ssl" } else { "tcp" };
                if host.contains(':') {
                    write!(formatter, "{method}:[{host}]:{port}")
                } else {
                    write!(formatter, "{method}:{host}:{port}")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_read_as_ovn_and_kube_ovn_write_them() {
        let list = "tcp:[192.168.1.1]:6642,ssl:[fd00::1]:6642, ssl:sb.ovn:16642,unix:/run/ovn/ovnsb_db.sock,tcp:192.0.2.1:6642";
        let remotes = Remote::list(list).unwrap();
        let host = |host: &str, port, is_tls| Remote::Host { host: host.to_owned(), port, is_tls };
        assert_eq!(remotes[0], host("192.168.1.1", 6642, false));
        assert_eq!(remotes[1], host("fd00::1", 6642, true));
        assert_eq!(remotes[2], host("sb.ovn", 16642, true));
        assert_eq!(remotes[3], Remote::Unix("/run/ovn/ovnsb_db.sock".into()));
        assert_eq!(remotes[4].to_string(), "tcp:192.0.2.1:6642");
        assert_eq!(remotes[1].to_string(), "ssl:[fd00::1]:6642");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("tpc:x", "no remote"),
            ("", "no remote"),
            ("tcp:192.0.2.1", "no port"),
            ("tcp:[192.0.2.1]", "no port"),
            ("ssl:h:0", "no port"),
            ("ssl:h:66420", "no port"),
            ("tcp:fd00::1:6642", "[ ]"),
            ("tcp::6642", "no remote"),
            ("unix:sb.sock", "absolute"),
            ("tcp:192.0.2.1:6642,ptcp:6642", "no remote"),
        ] {
            let error = Remote::list(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
