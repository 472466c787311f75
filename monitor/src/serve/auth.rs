//! Basic authentication with bcrypt hashes (RFC 7617), as exporter-toolkit does it.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Semaphore;

use super::config::Rules;

/// What an unknown user's password is compared with, so that it takes as long as a known one's.
const NOBODY: &str = "$2b$10$jL5lI1SQLMoEE3nbcVTO7OSd8LKfyyPHPHyeaeO6d9ReNMXhKJmEC";
/// Passwords that are remembered to be right.
const REMEMBERED: usize = 64;

/// Compares passwords, one at a time: that takes a processor for a tenth of a second, by design.
pub(super) struct Doorkeeper {
    turn: Arc<Semaphore>,
    /// Hashes, with a secret seed, of user, hash and password that were right together.
    known: Mutex<HashSet<[u64; 2]>>,
    seeds: [RandomState; 2],
}

impl Doorkeeper {
    pub(super) fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), known: Mutex::default(), seeds: Default::default() }
    }

    /// Whether a request with this `Authorization` header may pass.
    pub(super) async fn admits(&self, rules: &Rules, authorization: Option<&str>) -> bool {
        if rules.users.is_empty() {
            return true;
        }
        let Some((user, password)) = authorization.and_then(credentials) else { return false };
        let known = rules.users.get(&user).cloned();
        let is_user = known.is_some();
        let hash = known.unwrap_or_else(|| NOBODY.to_owned());
        // A tuple of strings is hashed with their ends: no two triples are alike by where one begins.
        let key = self.seeds.each_ref().map(|seed| seed.hash_one((&user, &hash, &password)));
        if is_user && self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&key) {
            return true;
        }
        let Ok(_turn) = self.turn.clone().acquire_owned().await else { return false };
        let compare = move || bcrypt::verify(password, &hash).unwrap_or_default();
        let is_right = tokio::task::spawn_blocking(compare).await.unwrap_or_default();
        if is_user && is_right {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(key);
        }
        is_user && is_right
    }
}

/// User and password of a header.
fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, token) = header.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(token.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&token).ok()?.split_once(':')?;
    // bcrypt takes 72 bytes of it, and a longer one is no password of anybody here.
    (password.len() <= 72).then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_user_and_a_password_which_may_have_colons() {
        assert_eq!(credentials("Basic dTpwOnc="), Some(("u".to_owned(), "p:w".to_owned())));
        for wrong in ["", "Basic", "Basic !", "Bearer dTpw", "Basic dQ==", "Basic /////w=="] {
            assert_eq!(credentials(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_right_password_passes_and_a_wrong_one_or_a_stranger_does_not() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let users = [("sre".to_owned(), hash)].into();
        let rules = Rules { tls: None, allowed_sans: Vec::new(), users, headers: Vec::new() };
        let doorkeeper = Doorkeeper::new();
        let header = |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        for _ in 0..2 {
            assert!(doorkeeper.admits(&rules, Some(&header("sre", "secret"))).await);
            assert!(!doorkeeper.admits(&rules, Some(&header("sre", "Secret"))).await);
            assert!(!doorkeeper.admits(&rules, Some(&header("other", "secret"))).await);
            assert!(!doorkeeper.admits(&rules, None).await);
        }
        assert!(bcrypt::verify("", NOBODY).is_ok(), "it is a hash that takes as long as others");
    }
}
