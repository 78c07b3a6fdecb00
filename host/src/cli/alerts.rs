//! `holdfast alerts`: what a person should know until it is over.

use super::{
    context::Context,
    failure::Failure,
    show::{Column, Table, one_line},
};
use crate::model::{
    alert::{Alert, Severity},
    name::AlertId,
};
use hyper::Method;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Also those that are over
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say that you have seen it and take care of it; it stays open
    Acknowledge {
        /// The alert's number
        id: AlertId,
    },
    /// Say that it is over; it comes back if its cause does
    Resolve {
        /// The alert's number
        id: AlertId,
    },
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match arguments.command {
        None => {
            let query = if arguments.all { "" } else { "?open=true" };
            let alerts: Vec<Alert> = client.get(&format!("/alerts{query}")).await?;
            context.print(&alerts, |alerts| text(context, alerts))
        }
        Some(Command::Acknowledge { id }) => {
            client.act(Method::POST, &format!("/alerts/{id}/acknowledge")).await?;
            context.done(&format!("Alert {id} is yours. It stays open until its cause is gone."))
        }
        Some(Command::Resolve { id }) => {
            client.act(Method::POST, &format!("/alerts/{id}/resolve")).await?;
            context.done(&format!("Alert {id} is over."))
        }
    }
}

fn text(context: &Context, alerts: &[Alert]) -> String {
    let mut table = Table::new(&[
        Column::Right("ALERT"),
        Column::Left("SEVERITY"),
        Column::Left("LAST SEEN"),
        Column::Right("TIMES"),
        Column::Left("STATE"),
        Column::Left("WHAT"),
    ]);
    for alert in alerts {
        let state = match (&alert.resolved, &alert.acknowledged) {
            (Some(at), _) => format!("over {}", context.view.age(*at)),
            (None, Some(who)) => format!("taken by {who}"),
            (None, None) => "open".to_owned(),
        };
        table.row([
            alert.id.to_string(),
            severity(alert.severity).to_owned(),
            context.view.with_age(alert.seen),
            alert.count.to_string(),
            state,
            alert.title.clone(),
        ]);
    }
    let mut text = table.text("Nothing is wrong.");
    for alert in alerts.iter().filter(|alert| alert.resolved.is_none()) {
        text.push_str(&format!("\n{}: {}\n", alert.id, one_line(&alert.detail)));
    }
    text
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::show::time::Viewpoint;

    #[test]
    fn open_alerts_are_shown_with_what_to_do() {
        let mut context = Context::new(Default::default(), false);
        let utc = chrono::FixedOffset::east_opt(0).unwrap();
        context.view = Viewpoint::fixed("2026-03-10T12:00:00Z".parse().unwrap(), utc);
        let alert = |id: u64, resolved: Option<&str>| -> Alert {
            serde_json::from_value(serde_json::json!({
                "id": id, "key": "backup-failed/db1", "source": "holdfast.backup", "severity": "critical",
                "title": "db1 could not be backed up", "detail": "its disk /srv/db1.raw is missing; older points are intact: bring the disk back",
                "server": "db1", "raised": "2026-03-10T10:00:00Z", "seen": "2026-03-10T11:58:00Z", "count": 3,
                "acknowledged": null, "resolved": resolved
            }))
            .unwrap()
        };
        let shown = text(&context, &[alert(9, None), alert(7, Some("2026-03-10T11:00:00Z"))]);
        insta::assert_snapshot!(shown);
        assert_eq!(text(&context, &[]), "Nothing is wrong.\n");
    }
}
