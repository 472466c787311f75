//! Standard output in the form that was asked for. The clock of records is read here.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::Output;
use crate::export::json::{self, Summary};
use crate::snapshot::Snapshot;
use crate::ui::report;

/// Where reports go.
pub(crate) struct Printer {
    form: Output,
}

impl Printer {
    /// A printer of this form; `auto` is decided by what standard output is.
    pub(crate) fn new(form: Output) -> Self {
        let form = match form {
            Output::Auto if io::stdout().is_terminal() => Output::Text,
            Output::Auto => Output::Json,
            form @ (Output::Text | Output::Json | Output::Quiet) => form,
        };
        Self { form }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == Output::Json
    }

    /// Text that has no record, such as the first lines for people.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        if self.form == Output::Text { write(text) } else { Ok(()) }
    }

    /// A record of this schema, as of now.
    pub(crate) fn record<T: Serialize>(&self, schema: &str, body: T) -> Result<()> {
        self.record_at(schema, Timestamp::now(), body)
    }

    /// A record of this schema and time.
    pub(crate) fn record_at<T: Serialize>(&self, schema: &str, at: Timestamp, body: T) -> Result<()> {
        if self.form == Output::Json { write(&(json::line(schema, &format!("{at:.9}"), body) + "\n")) } else { Ok(()) }
    }

    /// A report.
    pub(crate) fn interval(&self, snapshot: &Snapshot) -> Result<()> {
        self.record(json::INTERVAL, snapshot)?;
        let clock = Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string();
        self.text(&report::interval(snapshot, &clock))
    }

    /// The summary.
    pub(crate) fn summary(&self, snapshot: &Snapshot) -> Result<()> {
        self.record(json::SUMMARY, Summary { snapshot, findings: [] })?;
        self.text(&report::summary(snapshot))
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")
}
