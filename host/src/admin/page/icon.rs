//! Icons, drawn inline: each state has its own shape, so that colour is never the only sign.

use maud::{Markup, PreEscaped, html};

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A tick in a circle: good.
    Good,
    /// A clock: late.
    Late,
    /// An octagon with a cross: bad.
    Bad,
    /// A triangle with a mark: look at it.
    Look,
    /// A circle with an i.
    Note,
    /// A turning arrow: under way.
    Busy,
    /// A dash in a circle: nothing, or stopped.
    None,
    /// An arrow to the right.
    Next,
    /// A lock.
    Lock,
    /// A castle's tower: the brand.
    Keep,
}

/// The drawing. Screen readers skip it: the word beside it says the same.
pub fn icon(icon: Icon) -> Markup {
    let paths = match icon {
        Icon::Good => r#"<circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.7 2.7L16 9.5"/>"#,
        Icon::Late => r#"<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.2 2"/>"#,
        Icon::Bad => {
            r#"<path d="M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z"/><path d="m9 9 6 6m0-6-6 6"/>"#
        }
        Icon::Look => r#"<path d="M12 3.5 2.5 20h19z"/><path d="M12 10v4.5m0 2.6v.1"/>"#,
        Icon::Note => r#"<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5m0-9v.1"/>"#,
        Icon::Busy => r#"<path d="M20 12a8 8 0 1 1-2.4-5.7M20 3v4.5h-4.5"/>"#,
        Icon::None => r#"<circle cx="12" cy="12" r="9"/><path d="M8.5 12h7"/>"#,
        Icon::Next => r#"<path d="M5 12h14m-5-5 5 5-5 5"/>"#,
        Icon::Lock => {
            r#"<rect x="5" y="11" width="14" height="9" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>"#
        }
        Icon::Keep => r#"<path d="M5 20V5h3v3h2.5V5h3v3H16V5h3v15h-5v-4a2 2 0 0 0-4 0v4z"/>"#,
    };
    html! { svg class="icon" viewBox="0 0 24 24" aria-hidden="true" { (PreEscaped(paths)) } }
}
