//! Style, script and icon of the pages: built into the binary, named by their content, kept by browsers for ever.

use super::Admin;
use axum::{
    Router,
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::LazyLock;

struct Asset {
    address: String,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, text: &'static str) -> Self {
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let short: String = digest.chars().take(12).collect();
        Self { address: format!("/assets/{stem}-{short}.{ending}"), kind, text }
    }
}

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css")));
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("assets/live.js"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// Where the style is.
pub fn style() -> &'static str {
    &STYLE.address
}

/// Where the script is.
pub fn script() -> &'static str {
    &SCRIPT.address
}

/// Where the browser tab's icon is.
pub fn icon() -> &'static str {
    &ICON.address
}

/// The routes of the assets; anybody may read them.
pub fn router() -> Router<Admin> {
    Router::new().route("/assets/{name}", get(show))
}

async fn show(Path(name): Path<String>) -> Response {
    let address = format!("/assets/{name}");
    match [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.address == address) {
        Some(asset) => answer(asset),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn answer(asset: &'static Asset) -> Response {
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.text).into_response()
}
