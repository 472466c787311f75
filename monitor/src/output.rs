//! Standard output in the form that was asked for. The clock of records is read here.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::Output;
use crate::export::json::{self, Record, Summary};
use crate::findings::Finding;
use crate::snapshot::Snapshot;
use crate::ui::{self, report};

/// Where reports go.
pub(crate) struct Printer {
    form: Output,
    /// The line that is being made; kept, so that lines cost no allocation.
    line: BytesMut,
}

impl Printer {
    /// A printer of this form; `auto` is decided by what standard output is.
    pub(crate) fn new(form: Output) -> Self {
        let form = match form {
            Output::Auto if io::stdout().is_terminal() => Output::Text,
            Output::Auto => Output::Json,
            form @ (Output::Text | Output::Json | Output::Quiet) => form,
        };
        Self { form, line: BytesMut::new() }
    }

    /// Text that has no record, such as the first lines for people.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        if self.form == Output::Text { write(text.as_bytes()) } else { Ok(()) }
    }

    /// A JSON line that was asked for by itself, whatever the form of the reports.
    pub(crate) fn line<T: Serialize>(&mut self, body: &T) -> Result<()> {
        if self.form == Output::Quiet {
            return Ok(());
        }
        self.line.clear();
        serde_json::to_writer((&mut self.line).writer(), body).context("a record")?;
        self.line.put_u8(b'\n');
        write(&self.line)
    }

    /// A record of this schema, as of now.
    pub(crate) fn record<T: Serialize>(&mut self, schema: &str, body: T) -> Result<()> {
        if self.form == Output::Json { self.record_at(schema, Timestamp::now(), body) } else { Ok(()) }
    }

    /// A record of this schema and time, whatever the form of the reports.
    pub(crate) fn record_at<T: Serialize>(&mut self, schema: &str, at: Timestamp, body: T) -> Result<()> {
        self.line(&Record { schema, ts: format!("{at:.9}"), body })
    }

    /// A report.
    pub(crate) fn interval(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.record(json::INTERVAL, snapshot)?;
        self.text(&report::interval(snapshot, &clock()))
    }

    /// What has become of a finding.
    pub(crate) fn finding(&mut self, finding: &Finding) -> Result<()> {
        self.record(json::FINDING, finding)?;
        self.text(&ui::finding::text(finding, &clock()))
    }

    /// The summary, with all findings of the run.
    pub(crate) fn summary(&mut self, snapshot: &Snapshot, findings: &[Finding]) -> Result<()> {
        self.record(json::SUMMARY, Summary { snapshot, findings })?;
        self.text(&report::summary(snapshot))?;
        findings.iter().try_for_each(|finding| self.text(&ui::finding::text(finding, "")))
    }
}

/// The time of day.
fn clock() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context("standard output")
}
