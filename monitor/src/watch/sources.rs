//! What has become of the sources of names, told at reports.

use anyhow::Result;

use crate::export::json::SourceRecord;
use crate::inventory::{Inventory, Source, State, Switch};
use crate::output::Printer;

/// What was told last.
#[derive(Default)]
pub(super) struct Sources {
    told: Vec<Source>,
    switch: Option<Switch>,
}

impl Sources {
    /// Tells of those whose state, place or trouble is another than before, and of a switch that says something else of itself.
    pub(super) fn tell(&mut self, names: &Inventory, printer: &mut Printer) -> Result<()> {
        for source in names.sources().filter(|source| source.state != State::Starting) {
            let record = SourceRecord::new(source, names);
            let is_other_switch = record.switch.is_some() && record.switch != self.switch.as_ref();
            let told = self.told.iter().position(|told| told.kind == source.kind);
            if told.is_some_and(|at| is_same(&self.told[at], source)) && !is_other_switch {
                continue;
            }
            match told {
                Some(at) => self.told[at] = source.clone(),
                None => self.told.push(source.clone()),
            }
            if is_other_switch {
                self.switch = record.switch.cloned();
            }
            printer.source(&record)?;
        }
        Ok(())
    }
}

fn is_same(told: &Source, now: &Source) -> bool {
    (told.state, &told.from, &told.trouble) == (now.state, &now.from, &now.trouble)
}
