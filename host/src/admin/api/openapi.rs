//! The OpenAPI 3.1 document: what the handlers say of themselves, and what the table of routes adds for all of them.

use super::{
    PREFIX,
    guard::{self, Access},
    problem::{CONTENT_TYPE, Problem},
    routes::{Documented, ROUTES},
};
use axum::http::Method;
use utoipa::{
    OpenApi as _, PartialSchema, ToSchema,
    openapi::{
        Components, ContentBuilder, Info, OpenApi, RefOr, ResponseBuilder, Server,
        extensions::ExtensionsBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

const TOKEN: &str = "token";
const SESSION: &str = "session";

/// The document.
pub(super) fn document() -> OpenApi {
    let mut document = Documented::openapi();
    document.info = Info::new("Holdfast appliance", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(
        "Keeps the servers of a small business recoverable. Errors are problem details (RFC 9457). Each operation \
         says in `x-least-role` who may call it: a viewer sees, an operator runs and restores, an owner changes. \
         The same API answers without any token on the appliance's own Unix socket, to whoever may open it."
            .to_owned(),
    );
    document.servers = Some(vec![Server::new(PREFIX)]);
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut schemas = Vec::new();
    <Problem as ToSchema>::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(bearer));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("holdfast_session"));
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(cookie));
    for route in ROUTES {
        let operation =
            document.paths.paths.get_mut(route.path).and_then(|item| slot(item, &route.method).as_mut());
        if let Some(operation) = operation {
            complete(operation, route.access);
        }
    }
    document
}

/// The document as it is served and kept in `docs/openapi.json`.
pub(super) fn text() -> String {
    // The document is made of strings and maps by string: it always serialises.
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn complete(operation: &mut Operation, access: Access) {
    let problem = ContentBuilder::new()
        .schema(Some(RefOr::Ref(utoipa::openapi::Ref::from_schema_name(Problem::name()))));
    let failed = ResponseBuilder::new()
        .description("It was not done; the problem says why and what to do")
        .content(CONTENT_TYPE, problem.build());
    operation.responses.responses.insert("default".to_owned(), RefOr::T(failed.build()));
    let (least, security) = match access {
        Access::Public => ("none", vec![]),
        Access::Least(role) => (
            guard::name(role),
            [TOKEN, SESSION].map(|scheme| SecurityRequirement::new(scheme, [""; 0])).to_vec(),
        ),
    };
    operation.security = Some(security);
    operation.extensions = Some(ExtensionsBuilder::new().add("x-least-role", least).build());
}

/// The place of a method's operation in a path's item.
pub(super) fn slot<'a>(item: &'a mut PathItem, method: &Method) -> &'a mut Option<Operation> {
    match method.as_str() {
        "POST" => &mut item.post,
        "PUT" => &mut item.put,
        "DELETE" => &mut item.delete,
        _ => &mut item.get,
    }
}
