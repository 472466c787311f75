//! Authorities and certificates of one test, made by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process;

/// Makes `ca` and what it vouches for: `server` (at 127.0.0.1), `client` (`prometheus.example`) and `guest`; and `other`, an
/// authority that nobody knows, with its client `stranger` and its server `impostor` (at 127.0.0.1). Each is `NAME.pem` and
/// `NAME.key` in the folder.
pub fn make(folder: &Path) -> Result<()> {
    let run = |line: &str| process::run(Command::new("openssl").args(line.split(' ')).current_dir(folder));
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for authority in ["ca", "other"] {
        run(&format!("req -x509 {key} -keyout {authority}.key -out {authority}.pem -subj /CN={authority} -days 2"))?;
    }
    for (name, authority, san) in [
        ("server", "ca", "IP:127.0.0.1"),
        ("client", "ca", "DNS:prometheus.example"),
        ("guest", "ca", "DNS:guest.example"),
        ("stranger", "other", "DNS:prometheus.example"),
        ("impostor", "other", "IP:127.0.0.1"),
    ] {
        fs::write(folder.join("ext"), format!("subjectAltName={san}\nbasicConstraints=CA:FALSE\n"))?;
        run(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"))?;
        let by = format!("-CA {authority}.pem -CAkey {authority}.key -CAcreateserial");
        run(&format!("x509 -req -in {name}.csr {by} -extfile ext -out {name}.pem -days 2"))?;
    }
    Ok(())
}
