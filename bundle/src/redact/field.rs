//! What the name of a field says about its value: `admin_pw` holds a password, `Sense Key` does not.
//!
//! One judgement for `key=value` in logs, command lines, configuration files and JSON, so that they all agree.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// A secret of this kind: the value goes altogether.
    Secret(&'static str),
    /// A header whose value begins with the name of a scheme: `Authorization: Bearer …`.
    Header(&'static str),
    /// A user's name.
    User,
    /// A machine's name.
    Host,
    /// A shared folder's name.
    Share,
    /// A wireless network's name.
    Network,
    /// A MAC address that may be written without separators.
    Mac,
}

/// Wherever they stand in a name (separators removed), they make it a secret.
const STRONG: &[(&str, &str)] = &[
    ("password", "password"),
    ("passwd", "password"),
    ("passwort", "password"),
    ("passphrase", "passphrase"),
    ("passcode", "password"),
    ("requirepass", "password"),
    ("secret", "secret"),
    ("presharedkey", "psk"),
    ("sharedkey", "psk"),
    ("apikey", "api-key"),
    ("privatekey", "private-key"),
    ("privkey", "private-key"),
    ("accesskey", "api-key"),
    ("encryptionkey", "key"),
    ("enckey", "key"),
    ("masterkey", "key"),
    ("volumekey", "key"),
    ("lukskey", "key"),
    ("wepkey", "psk"),
    ("wpakey", "psk"),
    ("sshkey", "key"),
    ("licensekey", "key"),
    ("licencekey", "key"),
    ("activationkey", "key"),
    ("productkey", "key"),
    ("recoverykey", "key"),
    ("recoverycode", "key"),
    ("sessionkey", "session"),
    ("sessionid", "session"),
    ("signingkey", "key"),
    ("authkey", "key"),
    ("authsid", "session"),
    ("nassid", "session"),
    ("phpsessid", "session"),
    ("credential", "credential"),
    ("community", "community"),
    ("cookie", "cookie"),
    ("token", "token"),
];

/// One whole component of a name.
const COMPONENTS: &[(&str, &str)] = &[
    ("pass", "password"),
    ("passw", "password"),
    ("pwd", "password"),
    ("pw", "password"),
    ("psk", "psk"),
    ("auth", "auth"),
    ("sid", "session"),
    ("otp", "token"),
    ("totp", "token"),
    ("psid", "key"),
    ("pincode", "password"),
    ("jwt", "token"),
];

/// Ends of a component: `dbpass`, `rootpw`.
const ENDS: &[(&str, &str)] =
    &[("pass", "password"), ("pwd", "password"), ("pw", "password"), ("psk", "psk")];

/// Words that end in `pass` or `pw` and are no secret.
const INNOCENT: &[&str] =
    &["bypass", "compass", "encompass", "surpass", "trespass", "multipass", "singlepass"];

/// A last component that makes the field a property of a secret and not the secret: `password_length = 8`.
const ABOUT: &[&str] = &[
    "enabled",
    "disabled",
    "enable",
    "required",
    "length",
    "len",
    "minlen",
    "policy",
    "expiry",
    "expires",
    "expired",
    "expire",
    "age",
    "method",
    "type",
    "id",
    "file",
    "path",
    "count",
    "size",
    "retries",
    "attempts",
    "timeout",
    "changed",
    "set",
    "strength",
    "ttl",
    "hint",
    "mgmt",
    "through",
    "thru",
    "state",
    "supported",
    "protected",
    "protection",
    "revision",
    "mode",
];

/// What the field `name` holds, when it holds something that must not leave.
pub(crate) fn of(name: &str) -> Option<Field> {
    let parts = components(name);
    let joined = parts.concat();
    match joined.as_str() {
        "authorization" | "proxyauthorization" => return Some(Field::Header("auth")),
        "cookie" | "setcookie" | "cookies" => return Some(Field::Header("cookie")),
        "user" | "username" | "usernamein" | "login" | "loginname" | "logname" | "account"
        | "accountname" | "users" | "remoteuser" | "ruser" | "binduser" | "smbuser" | "adminuser"
        | "nasuser" => return Some(Field::User),
        "hostname" | "nodename" | "computername" | "netbiosname" | "servername" | "nasname" | "host"
        | "workgroup" | "localhostname" | "machinename" => return Some(Field::Host),
        "sharename" | "sharedfolder" | "sharefolder" | "foldername" | "sharedfoldername" | "share" => {
            return Some(Field::Share);
        }
        "ssid" | "essid" => return Some(Field::Network),
        "mac" | "macaddr" | "macaddress" | "hwaddr" | "hwaddress" | "physicaladdress" => {
            return Some(Field::Mac);
        }
        _ => {}
    }
    // A dotted path such as `node.session.auth.username` is judged by its end; so is `remote_user`.
    let last = parts.last().map(String::as_str).unwrap_or_default();
    if parts.len() > 1 {
        match last {
            "username" => return Some(Field::User),
            "hostname" => return Some(Field::Host),
            _ => {}
        }
    }
    secret(&parts, &joined, last).map(Field::Secret)
}

fn secret(parts: &[String], joined: &str, last: &str) -> Option<&'static str> {
    let strong = STRONG.iter().rev().find(|(word, _)| joined.contains(word)).map(|(_, kind)| *kind);
    if ABOUT.contains(&last) && strong != Some("session") {
        return None;
    }
    if strong.is_some() {
        return strong;
    }
    // Weak words count only in the last component, a trailing number aside: `pw1`, `auth_pass`.
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let last = if last.is_empty() {
        parts.iter().rev().nth(1).map(String::as_str).unwrap_or_default()
    } else {
        last
    };
    if let Some((_, kind)) = COMPONENTS.iter().find(|(word, _)| last == *word) {
        return Some(kind);
    }
    if INNOCENT.contains(&last) {
        return None;
    }
    ENDS.iter().find(|(end, _)| last.len() > end.len() && last.ends_with(end)).map(|(_, kind)| *kind)
}

/// Lower-case components at separators and at the humps of camel case.
fn components(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before_lower = false;
    for c in name.chars() {
        let part_ended = !c.is_alphanumeric() || (c.is_uppercase() && before_lower);
        if part_ended && parts.last().is_some_and(|p| !p.is_empty()) {
            parts.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase() || c.is_numeric();
    }
    parts.retain(|p| !p.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<Field>) {
        assert_eq!(of(name), expected, "{name}");
    }

    #[test]
    fn names_of_secrets() {
        for (name, kind) in [
            ("password", "password"),
            ("node.session.auth.password_in", "password"),
            ("admin_pw", "password"),
            ("dbPass", "password"),
            ("rootpw", "password"),
            ("PWD1", "password"),
            ("wpa_psk", "psk"),
            ("Pre-shared key", "psk"),
            ("api_key", "api-key"),
            ("aws-secret-access-key", "api-key"),
            ("X-Auth-Token", "token"),
            ("refresh_token", "token"),
            ("rocommunity", "community"),
            ("PrivateKey", "private-key"),
            ("authSid", "session"),
            ("session id", "session"),
            ("sid", "session"),
            ("credentials", "credential"),
            ("auth", "auth"),
        ] {
            check(name, Some(Field::Secret(kind)));
        }
    }

    #[test]
    fn names_that_are_no_secret() {
        for name in [
            "Sense Key",
            "key",
            "pass_through",
            "bypass",
            "passed",
            "pwm1",
            "pwr_index",
            "password_length",
            "master_password_id",
            "authmethod",
            "token_count",
            "serial",
            "author",
            "authority",
            "wpa_key_mgmt",
            "User Capacity",
            "user_lba",
            "scsi_host",
            "value",
            "from",
            "shares",
            "compass",
            "spw_state",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn names_of_people_and_machines() {
        check("username", Some(Field::User));
        check("node.session.auth.username", Some(Field::User));
        check("hostname", Some(Field::Host));
        check("Share Name", Some(Field::Share));
        check("HWaddr", Some(Field::Mac));
        check("Authorization", Some(Field::Header("auth")));
        check("Set-Cookie", Some(Field::Header("cookie")));
        check("ssid", Some(Field::Network));
    }
}
