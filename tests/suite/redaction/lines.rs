//! Lines with secrets in every form that a NAS writes them, and how a secret is planted in one.
//!
//! It knows nothing but the standard library, because the benchmark (`cargo xtask bench`) is built from this same file.

/// Format, line. More than one `{}` is more than one secret.
pub(crate) const SECRETS: &[(&str, &str)] = &[
    ("iSCSI", "node.session.auth.password = {}"),
    ("iSCSI", "node.session.auth.password_in={}"),
    ("iSCSI", "discovery.sendtargets.auth.password = {}"),
    ("SNMP", "snmp community {}"),
    ("SNMP", "rocommunity {} 10.0.0.0/8"),
    ("SNMP", "rwcommunity {}"),
    ("SNMP", "snmpd: community: {}"),
    ("SNMP", "snmpwalk -v2c -c {} 10.1.2.3 system"),
    ("INI", "admin_pw=\"{}\""),
    ("INI", "password={} {}"),
    ("INI", "Passwd = {}"),
    ("INI", "smtp_password: '{} {}'"),
    ("INI", "bindpw {}"),
    ("INI", "DB_PASS={}"),
    ("INI", "client_secret = {}"),
    ("INI", "api-key: {}"),
    ("INI", "requirepass {}"),
    ("INI", "PrivateKey = {}="),
    ("INI", "PresharedKey={}"),
    ("mount", "mount -t cifs //10.1.2.3/x /mnt -o username=bob,password={},uid=0"),
    ("mount", "mount.cifs options: pass={},vers=3.0,rw"),
    ("mount", "cifs: password={}\tdomain=WG"),
    ("header", "Authorization: Bearer {}"),
    ("header", "Authorization: Basic {}"),
    ("header", "Proxy-Authorization: Digest username=\"x\", response=\"{}\""),
    ("header", "Cookie: NAS_USER=admin; NAS_SID={}; x={}"),
    ("header", "Set-Cookie: qtoken={}; path=/; secure"),
    ("header", "X-Auth-Token: {}"),
    ("header", "curl -H 'Authorization: Bearer {}' https://example.com"),
    ("header", "sent bearer {}"),
    ("URL", "https://admin:{}@portal.example.com/x"),
    ("URL", "rtsp://cam:{}@10.1.2.3:554/stream"),
    ("URL", "smb://bob:{}/{}@nas/share"),
    ("URL", "postgres://app:{}@db:5432/x"),
    ("URL", "https://{}@github.com/x.git"),
    ("URL", "GET /cgi-bin/filemanager.cgi?func=x&sid={}&y=1"),
    ("URL", "GET /api?access_token={}&page=2"),
    ("Wi-Fi", "PSK: {}"),
    ("Wi-Fi", "wpa_passphrase={}"),
    ("Wi-Fi", "wpa_psk=\"{}\""),
    ("Wi-Fi", "wep_key0={}"),
    ("JSON in a log", "request {\"user\":\"x\",\"password\":\"{}\"}"),
    ("JSON in a log", "body={\\\"password\\\":\\\"{}\\\",\\\"n\\\":1}"),
    ("JSON in a log", "{'refresh_token': '{}', 'expires': 3600}"),
    ("XML", "<password>{}</password><n>1</n>"),
    ("XML", "<authPassw><![CDATA[{}]]></authPassw>"),
    ("XML", "<add key=\"password\" value=\"{}\"/>"),
    ("command", "sshpass -p {} ssh root@10.1.2.3"),
    ("command", "curl -u admin:{} http://10.1.2.3/"),
    ("command", "smbclient -U bob%{} //nas/x"),
    ("command", "rsync --password {} x"),
    ("command", "openssl enc -pass pass:{} -in x"),
    ("command", "mysqldump -uroot -p{} db"),
    ("command", "ipmitool -H 10.1.2.3 -U x -P {} chassis status"),
    ("netrc", "machine example.com login bob password {}"),
    ("prose", "Enter passphrase for key 'x': {}"),
    ("prose", "the new password is {}"),
    ("prose", "password for bob: {}"),
    ("hash", "admin:$6$saltsalt${}{}:19000:0:99999:7:::"),
    ("hash", "$2b$12${}{}"),
    ("hash", "userPassword: {SSHA}{}"),
    ("hash", "$argon2id$v=19$m=65536,t=3,p=4${}${}"),
    ("token", "key AGE-SECRET-KEY-1{}"),
    ("token", "using ghp_{}AAAA1111"),
    ("token", "glpat-{}1234"),
    ("token", "eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}"),
    ("token", "xoxb-{}-{}"),
    ("token", "sk_live_{}1234"),
    ("key", "-----BEGIN RSA PRIVATE KEY-----\\n{}\\n-----END RSA PRIVATE KEY-----"),
    ("key", "-----BEGIN OPENSSH PRIVATE KEY----- {}"),
    ("volume", "encryption_key={}"),
    ("volume", "luks_key: {}"),
    ("volume", "recovery key = {}"),
    ("command line", "ro quiet net.ifnames=0 rd.password={} root=/dev/sda1"),
];

/// A random secret that no rule knows by its shape, with a letter first and no word in it.
fn secret(random: &mut dyn FnMut(u64) -> u64) -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
    let mut text = String::from("Zq");
    for _ in 0..14 {
        let at = random(LETTERS.len() as u64) as usize;
        text.push(LETTERS.get(at).copied().map_or('x', char::from));
    }
    text
}

/// Fills each `{}` with a secret of its own.
pub(crate) fn plant(line: &str, random: &mut dyn FnMut(u64) -> u64) -> (String, Vec<String>) {
    let mut parts = line.split("{}");
    let mut planted = parts.next().unwrap_or_default().to_owned();
    let mut secrets = Vec::new();
    for part in parts {
        let secret = secret(random);
        planted.push_str(&secret);
        planted.push_str(part);
        secrets.push(secret);
    }
    (planted, secrets)
}
