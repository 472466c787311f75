//! What stands in a tree: names, addresses, VNIs.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::inventory::Name;

/// A name.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Text(pub(super) Name);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        super::name(&text).map(Self)
    }
}

/// An address of a node.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) IpAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        super::address(&text).map(Self)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A VNI; keys of JSON are text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Vni(pub(super) u32);

impl fmt::Display for Vni {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Vni {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Vni;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a VNI")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vni, E> {
        super::vni(number).map(Vni).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vni, E> {
        self.visit_u64(u64::try_from(number).map_err(|_| E::custom(format_args!("{number} is no VNI")))?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vni, E> {
        self.visit_u64(text.trim().parse().map_err(|_| E::custom(format_args!("{text:?} is no VNI")))?)
    }
}
