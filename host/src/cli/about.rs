//! `holdfast about`.

use super::{
    context::Context,
    failure::Failure,
    show::{one_line, size},
};
use crate::admin::api::about::AboutAnswer;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let about: AboutAnswer = context.client()?.get("/about").await?;
    context.print(&about, |about| text(context, about))
}

fn text(context: &Context, about: &AboutAnswer) -> String {
    let appliance = &about.appliance;
    let free =
        appliance.data_free_bytes.map(|free| format!(", {} free", size::human(free))).unwrap_or_default();
    let mut text = format!(
        "Holdfast {}, running since {}\nData directory {}{free}\nYou are {} with the role {}\n",
        one_line(&appliance.version),
        context.view.with_age(appliance.started),
        one_line(&appliance.data),
        one_line(&about.caller),
        format!("{:?}", about.role).to_lowercase(),
    );
    if about.accepts_unsigned_plugins {
        text.push_str("Plugins without a signature are accepted: only for development\n");
    }
    text
}
