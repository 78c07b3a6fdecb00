//! `holdfast token`: what programs sign in with.

use super::{
    context::Context,
    failure::Failure,
    show::{Column, Table, time::parse_span},
    users::{parse_role, role_name},
};
use crate::{
    admin::api::people::{NewToken, TokenMade, TokenView},
    model::{account::Role, name::TokenName},
};
use hyper::Method;
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// All tokens
    List,
    /// Make a token; it is printed this once
    Create {
        /// What to call it
        name: TokenName,
        /// viewer sees, operator runs and restores, owner changes
        #[arg(long, value_parser = parse_role, value_name = "viewer|operator|owner")]
        role: Role,
        /// For how long it is good [default: until it is revoked]
        #[arg(long, value_parser = parse_span, value_name = "24h|90d")]
        expires: Option<Duration>,
    },
    /// Void a token at once
    Revoke {
        /// The token's name
        name: TokenName,
    },
}

pub(super) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        Command::List => {
            let tokens: Vec<TokenView> = client.get("/tokens").await?;
            context.print(&tokens, |tokens| table(context, tokens))
        }
        Command::Create { name, role, expires } => {
            let expires = expires.map(|span| context.view.now() + span);
            let made: TokenMade = client.post("/tokens", &NewToken { name, role, expires }).await?;
            // The token alone, so that it can be sent straight into a file.
            context.print(&made, |made| format!("{}\n", made.token))
        }
        Command::Revoke { name } => {
            client.act(Method::DELETE, &format!("/tokens/{name}")).await?;
            context.done(&format!("The token {name} is void."))
        }
    }
}

fn table(context: &Context, tokens: &[TokenView]) -> String {
    let mut table = Table::new(&[
        Column::Left("TOKEN"),
        Column::Left("ROLE"),
        Column::Left("MADE"),
        Column::Left("VOID FROM"),
    ]);
    for token in tokens {
        table.row([
            token.name.to_string(),
            role_name(token.role),
            context.view.with_age(token.created),
            token.expires.map_or("-".to_owned(), |at| context.view.with_age(at)),
        ]);
    }
    table.text("There is no token.")
}
