//! Standard output in the form that was asked for. The clock of records is read here.

use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;

use anyhow::{Context, Result};
use bytes::{BufMut, BytesMut};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::Output;
use crate::export::json::{self, DeviceChange, Record, SourceRecord, Start, Summary};
use crate::export::mtu::Mtu;
use crate::findings::Finding;
use crate::snapshot::{Overhead, Peer, Snapshot};
use crate::ui::{self, report};

/// What is told of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Everything, as it comes.
    All,
    /// At the end, what fits through to all peers, or to this one.
    Mtu(Option<IpAddr>),
}

/// Where reports go.
pub(crate) struct Printer {
    form: Output,
    subject: Subject,
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
        Self { form, subject: Subject::All, line: BytesMut::new() }
    }

    /// A printer of this form that tells only this.
    pub(crate) fn of(subject: Subject, form: Output) -> Self {
        Self { subject, ..Self::new(form) }
    }

    /// Whether people read it.
    pub(crate) fn is_text(&self) -> bool {
        self.form == Output::Text
    }

    /// What it tells.
    pub(crate) fn subject(&self) -> Subject {
        self.subject
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

    /// What is watched from now on, as text and as a record.
    pub(crate) fn start(&mut self, greeting: &str, start: &Start) -> Result<()> {
        if self.subject != Subject::All {
            return Ok(());
        }
        self.text(greeting)?;
        self.record(json::START, start)
    }

    /// What has become of a device; people are told on standard error.
    pub(crate) fn device(&mut self, change: &DeviceChange<'_>) -> Result<()> {
        eprintln!("{}", ui::device::text(change));
        if self.subject == Subject::All { self.record(json::DEVICE, change) } else { Ok(()) }
    }

    /// What has become of a source of names; people are told on standard error.
    pub(crate) fn source(&mut self, change: &SourceRecord<'_>) -> Result<()> {
        if self.form == Output::Text {
            eprintln!("{}", ui::source::text(change));
        }
        if self.subject == Subject::All { self.record(json::SOURCE, change) } else { Ok(()) }
    }

    /// A report.
    pub(crate) fn interval(&mut self, snapshot: &Snapshot) -> Result<()> {
        if self.subject != Subject::All {
            return Ok(());
        }
        self.record(json::INTERVAL, snapshot)?;
        self.text(&report::interval(snapshot, &clock()))
    }

    /// What has become of a finding.
    pub(crate) fn finding(&mut self, finding: &Finding) -> Result<()> {
        if self.subject != Subject::All {
            return Ok(());
        }
        self.record(json::FINDING, finding)?;
        self.text(&ui::finding::text(finding, &clock()))
    }

    /// The summary, with all findings of the run, or that part of it which was asked for.
    pub(crate) fn summary(&mut self, snapshot: &Snapshot, findings: &[Finding]) -> Result<()> {
        if let Subject::Mtu(asked) = self.subject {
            return self.mtu(snapshot, asked);
        }
        self.record(json::SUMMARY, Summary { snapshot, findings })?;
        self.text(&report::summary(snapshot))?;
        findings.iter().try_for_each(|finding| self.text(&ui::finding::text(finding, "")))
    }

    fn mtu(&mut self, snapshot: &Snapshot, asked: Option<IpAddr>) -> Result<()> {
        let rows = Mtu::all(snapshot, asked);
        rows.iter().try_for_each(|row| self.record(json::MTU, row))?;
        // Of one that was asked about and is not here another device may know more.
        if rows.is_empty() && asked.is_some() { Ok(()) } else { self.text(&ui::mtu::text(snapshot, &rows, asked)) }
    }

    /// A peer of which no device has seen anything.
    pub(crate) fn unseen(&mut self, snapshot: &Snapshot, peer: &Peer) -> Result<()> {
        let row = Mtu::unseen(snapshot, peer);
        self.record(json::MTU, &row)?;
        self.text(&ui::mtu::unseen(snapshot, &row))
    }

    /// What watching cost, for people.
    pub(crate) fn overhead(&self, overhead: &Overhead) -> Result<()> {
        if self.subject == Subject::All { self.text(&ui::overhead::text(overhead)) } else { Ok(()) }
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
