//! What a page's form sent, read before its handler runs, because the CSRF token is among its fields.
//!
//! A handler can only get a form that the gate has read and checked: there is no other way to one.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Multipart, Request},
    http::{StatusCode, header, request::Parts},
};

/// The largest form without a file, in bytes.
const FORM: usize = 256 * 1024;
/// The largest form with a file: a plugin with an interpreter inside has some ten megabytes.
const UPLOAD: usize = 64 << 20;

/// The fields of a form, in the order the browser sent them, and the file if there is one.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    file: Option<Bytes>,
}

/// A form could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadForm {
    /// More bytes than a form may have.
    #[error("the form is too large; nothing was changed; send less")]
    TooLarge,
    /// Broken off or not a form.
    #[error("the form did not arrive whole; nothing was changed; send it again")]
    Broken,
    /// Neither kind of form.
    #[error("this is not a form; nothing was changed; programs use the API under /api/v1")]
    NotAForm,
}

impl Form {
    /// Reads the body of a form. Only `may_upload` may send a file.
    pub async fn read(request: Request, may_upload: bool) -> Result<(Parts, Self), ReadForm> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if kind.starts_with("application/x-www-form-urlencoded") {
            let bytes = to_bytes(body, FORM).await.map_err(|_| ReadForm::TooLarge)?;
            let fields = url::form_urlencoded::parse(&bytes).into_owned().collect();
            return Ok((parts, Self { fields, file: None }));
        }
        if kind.starts_with("multipart/form-data") && may_upload {
            let bytes = to_bytes(body, UPLOAD).await.map_err(|_| ReadForm::TooLarge)?;
            let form = Self::multipart(Request::from_parts(parts.clone(), Body::from(bytes))).await?;
            return Ok((parts, form));
        }
        Err(ReadForm::NotAForm)
    }

    async fn multipart(mut request: Request) -> Result<Self, ReadForm> {
        DefaultBodyLimit::disable().apply(&mut request);
        let mut parts = Multipart::from_request(request, &()).await.map_err(|_| ReadForm::Broken)?;
        let mut form = Self::default();
        while let Some(field) = parts.next_field().await.map_err(|_| ReadForm::Broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                let bytes = field.bytes().await.map_err(|_| ReadForm::Broken)?;
                form.file = Some(bytes).filter(|bytes| !bytes.is_empty());
            } else {
                form.fields.push((name, field.text().await.map_err(|_| ReadForm::Broken)?));
            }
        }
        Ok(form)
    }

    /// A form made of its fields.
    pub fn of(fields: Vec<(String, String)>) -> Self {
        Self { fields, file: None }
    }

    /// A field without the space around it; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field as it was sent: passwords keep their spaces.
    pub fn raw(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
    }

    /// All values of a field that may come several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim())
    }

    /// Whether a box was ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// The file.
    pub fn file(&self) -> Option<&Bytes> {
        self.file.as_ref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.remove::<Self>().ok_or(StatusCode::BAD_REQUEST)
    }
}
