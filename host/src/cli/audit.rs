//! `holdfast audit`: who asked for what, and whether it was allowed.

use super::{
    context::Context,
    failure::Failure,
    show::{Column, Table},
};
use crate::model::audit::{AuditRecord, Verdict};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// At most so many, the newest ones
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only records before this one
    #[arg(long)]
    before: Option<u64>,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let before = arguments.before.map(|before| format!("&before={before}")).unwrap_or_default();
    let path = format!("/audit?limit={}{before}", arguments.limit);
    let records: Vec<AuditRecord> = context.client()?.get(&path).await?;
    context.print(&records, |records| table(context, records))
}

fn table(context: &Context, records: &[AuditRecord]) -> String {
    let mut table = Table::new(&[
        Column::Right("RECORD"),
        Column::Left("WHEN"),
        Column::Left("WHO"),
        Column::Left("WHAT"),
        Column::Left("ON"),
        Column::Left("VERDICT"),
        Column::Left("WHY"),
    ]);
    for record in records {
        table.row([
            record.sequence.to_string(),
            context.view.time(record.at),
            record.who.clone(),
            record.action.clone(),
            record.subject.clone(),
            match record.verdict {
                Verdict::Allowed => "allowed",
                Verdict::Refused => "REFUSED",
            }
            .to_owned(),
            record.reason.clone().unwrap_or_default(),
        ]);
    }
    table.text("Nothing has been asked for yet.")
}
