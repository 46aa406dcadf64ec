//! The address of a portal: `https://host[:port]`, nothing more.

use reqwest::Url;
use rustls_pki_types::ServerName;

use super::PortalError;

/// A checked address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    base: String,
    authority: String,
    host: String,
}

impl Address {
    /// Checks an address as a person typed it.
    ///
    /// # Errors
    /// [`PortalError::Address`] with what is wrong and how it should look.
    pub fn parse(text: &str) -> Result<Self, PortalError> {
        let refused = |why: &str| PortalError::Address { address: text.to_owned(), why: why.to_owned() };
        let text_trimmed = text.trim();
        if !text_trimmed.contains("://") {
            return Err(refused(&format!("it has no scheme (did you mean https://{text_trimmed}?)")));
        }
        let url = Url::parse(text_trimmed).map_err(|why| refused(&why.to_string()))?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it has no host"))?;
        if url.scheme() == "http" {
            return Err(refused("plain HTTP is refused, also on this machine"));
        }
        if url.scheme() != "https" {
            return Err(refused("its scheme is not https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it holds a user name or a password, and a portal needs neither"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it goes on after the host and port"));
        }
        Ok(Self::of("https", host, url.port()))
    }

    fn of(scheme: &str, host: &str, port: Option<u16>) -> Self {
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self {
            base: format!("{scheme}://{authority}"),
            authority,
            host: host.trim_matches(['[', ']']).to_owned(),
        }
    }

    #[cfg(test)]
    pub(crate) fn plain_for_tests(address: std::net::SocketAddr) -> Self {
        Self::of("http", &address.ip().to_string(), Some(address.port()))
    }

    /// `https://host[:port]`, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Host, and port when it is not 443, lower case: what signatures cover as `@authority`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What the certificate must be for.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, PortalError> {
        ServerName::try_from(self.host.clone()).map_err(|_| PortalError::Address {
            address: self.base.clone(),
            why: "its host can be in no certificate".to_owned(),
        })
    }

    /// The path of a `Location`, when it is on this portal: a path, or an address with the same base. Never another
    /// host, because calls to it will be signed.
    pub(crate) fn own_path(&self, location: &str) -> Option<String> {
        let path = match location.strip_prefix(&self.base) {
            Some(rest) => rest,
            None => location,
        };
        let plain = path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b))
            && !path.split('/').any(|segment| segment == ".." || segment == ".");
        plain.then(|| path.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    /// `Ok` is base and authority, `Err` a piece of the message.
    fn check(text: &str, expected: Result<(&str, &str), &str>) {
        match (Address::parse(text), expected) {
            (Ok(address), Ok(wanted)) => assert_eq!((address.base(), address.authority()), wanted, "{text}"),
            (Err(error), Err(piece)) => {
                let message = error.to_string();
                assert!(message.contains(piece) && message.contains("https://host"), "{text}: {message}");
            }
            (found, _) => assert!(expected.is_err() && found.is_err(), "{text}: {found:?}"),
        }
    }

    #[test]
    fn addresses() {
        check("https://portal.example.org", Ok(("https://portal.example.org", "portal.example.org")));
        check(" https://Portal.Example.org:443/ ", Ok(("https://portal.example.org", "portal.example.org")));
        check("https://portal:8443", Ok(("https://portal:8443", "portal:8443")));
        check("https://127.0.0.1:9", Ok(("https://127.0.0.1:9", "127.0.0.1:9")));
        check("https://[::1]:8443", Ok(("https://[::1]:8443", "[::1]:8443")));
        check("portal.example.org", Err("did you mean https://portal.example.org?"));
        check("http://portal.example.org", Err("plain HTTP is refused"));
        check("http://127.0.0.1", Err("plain HTTP is refused"));
        check("http://localhost:8080", Err("plain HTTP is refused"));
        check("http://[::1]", Err("plain HTTP is refused"));
        check("ftp://portal", Err("not https"));
        check("https://user:pw@portal", Err("user name or a password"));
        check("https://portal/assay", Err("after the host"));
        check("https://portal/?x", Err("after the host"));
        check("https://portal/#x", Err("after the host"));
        check("https://", Err("empty host"));
        check("https://portal:99999", Err("invalid port"));
    }

    #[test]
    fn the_certificate_name_has_no_brackets() {
        let name = |text: &str| Address::parse(text).expect("an address").server_name().expect("a name");
        assert_eq!(name("https://[::1]:8443").to_str(), "::1");
        assert_eq!(name("https://portal:1").to_str(), "portal");
    }

    #[test]
    fn locations() {
        let portal = Address::parse("https://portal:8443").expect("an address");
        for (location, expected) in [
            ("/api/v1/uploads/0-a_b~c.d", Some("/api/v1/uploads/0-a_b~c.d")),
            ("https://portal:8443/api/v1/uploads/1", Some("/api/v1/uploads/1")),
            ("https://portal:8443.evil.example/x", None),
            ("https://elsewhere/api/v1/uploads/1", None),
            ("//elsewhere/x", None),
            ("api/v1/uploads/1", None),
            ("/api/v1/../v1/enrol", None),
            ("/x?y=1", None),
            ("/x y", None),
            ("", None),
        ] {
            assert_eq!(portal.own_path(location).as_deref(), expected, "{location}");
        }
    }
}
