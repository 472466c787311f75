//! `tunmon explain CODE`: the page of a finding.

use anyhow::Result;

use crate::cli::Output;
use crate::failure::Failure;
use crate::findings::RULES;
use crate::output::Printer;

/// Prints the page of `code`, or a list of all.
pub(crate) fn run(code: Option<&str>) -> Result<()> {
    let printer = Printer::new(Output::Text);
    let Some(code) = code else {
        let lines = RULES.map(|rule| format!("{}  {}\n", rule.code, rule.kind));
        return printer.text(&lines.concat());
    };
    match RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code)) {
        Some(rule) => printer.text(rule.page),
        None => {
            let codes = RULES.map(|rule| rule.code).join(", ");
            Err(Failure::usage(format!("no finding has the code {code}"), format!("there are: {codes}")).into())
        }
    }
}
