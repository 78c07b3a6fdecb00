//! `holdfast state`: everything the appliance remembers, as one file.

use super::{
    context::{Context, keep_secret, write},
    failure::Failure,
    verify,
};
use crate::admin::api::runs::RunQueued;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write the state to a file, or to standard output
    Export {
        /// The file; it must not exist yet
        file: Option<PathBuf>,
        /// Have the appliance write its own daily copy now, the one it heals itself from
        #[arg(long, conflicts_with = "file")]
        now: bool,
    },
    /// Replace the state by an export; the present one is kept aside on the appliance
    Import {
        /// The file
        file: PathBuf,
    },
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::Export { now: true, .. } => {
            let queued: RunQueued = client.post("/state/keep", &serde_json::json!({})).await?;
            verify::wait_unless(false, &client, context, queued).await
        }
        Command::Export { file: None, .. } => write(&client.get_text("/state/export").await?),
        Command::Export { file: Some(file), .. } => {
            let export = client.get_text("/state/export").await?;
            keep_secret(&file, &export)?;
            context
                .done(&format!("The state is in {}. It tells who may sign in: keep it safe.", file.display()))
        }
        Command::Import { file } => {
            let export = std::fs::read(&file).map_err(|error| {
                Failure::failed(format!(
                    "{} cannot be read ({error}); nothing was changed: check the path",
                    file.display()
                ))
            })?;
            client.upload("/state/import", export).await?;
            context.done("The state was replaced. The one before it is kept aside in the data directory.")
        }
    }
}
