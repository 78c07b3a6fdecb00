//! Which requests come from our own page: the Host they name and the place they come from. Pure.
//!
//! A page elsewhere can make a browser send requests here. It cannot choose the `Host` header beyond a name it controls
//! (DNS rebinding), so unknown names are refused; addresses written as numbers cannot be rebound. And it cannot forge
//! `Origin` and `Sec-Fetch-Site`, so what changes something must carry one of them and they must say "same origin".

use axum::http::{HeaderMap, Uri, header};
use std::net::IpAddr;

/// The names this appliance answers to.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// `localhost`, the host's own name with and without `.local`, and what the site configured.
    pub fn new(host_name: Option<&str>, configured: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned()];
        if let Some(host) = host_name {
            names.push(host.to_lowercase());
            names.push(format!("{}.local", host.to_lowercase()));
        }
        names.extend(configured.iter().map(|name| name.trim_end_matches('.').to_lowercase()));
        Self(names)
    }

    /// All of them, for the certificate.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a request for `authority` (`host` or `host:port`) is meant for us.
    pub fn admit(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority) else { return false };
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if address.parse::<IpAddr>().is_ok() {
            return true;
        }
        let host = host.trim_end_matches('.').to_lowercase();
        self.0.contains(&host)
    }
}

/// `host` of `host:port`; none if it is not well formed.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => authority.split_at(colon),
        _ => (authority, ""),
    };
    let port_is_good = port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    let host_is_good = !host.is_empty() && !host.contains(['/', '@', '\\', ' ']);
    (port_is_good && host_is_good).then_some(host)
}

/// The authority a request is for. An absolute URI and `Host` must not disagree.
pub fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|value| value.to_str().ok());
    if hosts.next().is_some() {
        return None;
    }
    match (uri.authority(), host) {
        (Some(uri), Some(host)) if uri.as_str() != host => None,
        (Some(uri), _) => Some(uri.as_str()),
        (None, host) => host,
    }
}

/// Why a request that changes something is not taken for our own page's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// `Sec-Fetch-Site` says another site.
    Site,
    /// `Origin` names another place.
    Origin,
    /// Neither header is there; every browser of the last years sends one.
    Silent,
}

/// Whether a request that changes something comes from our own page, served as `scheme://authority`.
pub fn own_page(headers: &HeaderMap, scheme: &str, authority: &str) -> Result<(), Foreign> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    if site.is_some_and(|site| site != "same-origin") {
        return Err(Foreign::Site);
    }
    let own = format!("{scheme}://{authority}");
    if origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(&own)) {
        return Err(Foreign::Origin);
    }
    if site.is_none() && origin.is_none() { Err(Foreign::Silent) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn own_names_and_plain_addresses_are_admitted() {
        let names = Names::new(Some("Box7"), &["backup.acme.example".to_owned()]);
        for good in [
            "localhost",
            "LOCALHOST:8443",
            "box7",
            "box7.local:8443",
            "backup.acme.example.",
            "10.0.0.4:8443",
            "[::1]:8443",
            "[fe80::1]",
        ] {
            assert!(names.admit(good), "{good} was refused");
        }
    }

    #[test]
    fn names_somebody_else_controls_are_refused() {
        let names = Names::new(Some("box7"), &[]);
        for bad in [
            "evil.example",
            "box7.evil.example",
            "localhost.evil.example:8443",
            "",
            ":8443",
            "localhost:x",
            "user@localhost",
            "localhost/",
            "10.0.0.4.evil.example",
        ] {
            assert!(!names.admit(bad), "{bad:?} was admitted");
        }
    }

    #[test]
    fn only_our_own_page_may_change_something() {
        let check = |pairs: &[(&'static str, &'static str)]| own_page(&headers(pairs), "https", "box7:8443");
        assert_eq!(check(&[("origin", "https://box7:8443")]), Ok(()));
        assert_eq!(check(&[("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(check(&[("origin", "https://evil.example")]), Err(Foreign::Origin));
        assert_eq!(check(&[("origin", "http://box7:8443")]), Err(Foreign::Origin));
        assert_eq!(check(&[("origin", "https://box7:9999")]), Err(Foreign::Origin));
        assert_eq!(check(&[("origin", "null")]), Err(Foreign::Origin));
        assert_eq!(
            check(&[("sec-fetch-site", "same-site"), ("origin", "https://box7:8443")]),
            Err(Foreign::Site)
        );
        assert_eq!(check(&[]), Err(Foreign::Silent));
    }

    #[test]
    fn two_hosts_are_no_host() {
        let mut two = HeaderMap::new();
        two.append(header::HOST, HeaderValue::from_static("localhost"));
        two.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(authority(&Uri::from_static("/"), &two), None);
        let one = headers(&[("host", "localhost")]);
        assert_eq!(authority(&Uri::from_static("http://evil.example/"), &one), None);
        assert_eq!(authority(&Uri::from_static("/"), &one), Some("localhost"));
    }
}
