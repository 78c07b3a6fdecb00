//! The OpenAPI document says what the table says, and the copy in `docs/` is what is served.

use super::Site;
use crate::admin::api::{document, guard, openapi, routes::ROUTES};
use std::{collections::BTreeSet, path::Path};

#[test]
fn each_route_is_in_the_document_and_each_operation_is_a_route() {
    let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let least = operation["x-least-role"].as_str().unwrap().to_owned();
            assert!(operation["responses"]["default"].is_object(), "{method} {path} documents no problem");
            documented.insert((method.to_uppercase(), path.clone(), id, least));
        }
    }
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| {
            let least = match route.access {
                guard::Access::Public => "none",
                guard::Access::Least(role) => guard::name(role),
            };
            (route.method.to_string(), route.path.to_owned(), route.operation.to_owned(), least.to_owned())
        })
        .collect();
    assert_eq!(documented, routes);
    assert_eq!(routes.len(), ROUTES.len(), "two routes are the same");
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let text = document();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for part in text.split("\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not there");
    }
}

#[test]
fn every_operation_takes_the_parameters_in_its_path() {
    for (path, item) in openapi::document().paths.paths {
        let item = serde_json::to_value(item).unwrap();
        for (method, operation) in item.as_object().unwrap() {
            for name in path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
                let parameters = operation["parameters"].as_array().unwrap();
                let there = parameters.iter().any(|p| p["name"] == name && p["in"] == "path");
                assert!(there, "{method} {path} does not document {name}");
            }
        }
    }
}

#[tokio::test]
async fn the_document_in_docs_is_what_is_served() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let made = document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&kept, &made).unwrap();
    }
    let text = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        text == made,
        "docs/openapi.json is out of date: run this test with UPDATE_GOLDEN=1 and look at what changed"
    );
    let site = Site::new().await;
    assert_eq!(site.owner("GET", "/openapi.json", "").await.text, made);
}
