//! What has become of the sources of names, told at reports.

use anyhow::Result;
use jiff::Timestamp;

use crate::export::json::SourceChange;
use crate::inventory::{Inventory, Source, State};
use crate::output::Printer;

/// What was told last.
#[derive(Default)]
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Tells of those whose state, place or trouble is another than before.
    pub(super) fn tell(&mut self, names: &Inventory, printer: &mut Printer) -> Result<()> {
        for source in names.sources().filter(|source| source.state != State::Starting) {
            let told = self.0.iter().position(|told| told.kind == source.kind);
            if told.is_some_and(|at| is_same(&self.0[at], source)) {
                continue;
            }
            match told {
                Some(at) => self.0[at] = source.clone(),
                None => self.0.push(source.clone()),
            }
            let age = |synced: Timestamp| Timestamp::now().duration_since(synced).as_secs_f64().max(0.0);
            printer.source(&SourceChange { source, age_seconds: source.synced.map(age) })?;
        }
        Ok(())
    }
}

fn is_same(told: &Source, now: &Source) -> bool {
    (told.state, &told.from, &told.trouble) == (now.state, &now.from, &now.trouble)
}
