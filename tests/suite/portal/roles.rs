//! Who may: every line of the portal's own list of calls, by every method and every kind of caller, against the portal
//! as it runs. What is expected comes out of the list; what the list itself should say is held below by hand.

use assay_bundle::digest::sha256_hex;
use assay_portal::handlers::{Route, Who, list};
use assay_portal::roles::{Role, Roles};
use reqwest::Method;

use super::bundles::{Recipe, sealed};
use super::server::{Answer, Call, Device, Server, now_unix_s};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Who calls.
enum Caller {
    Nobody,
    Device(Box<Device>),
    /// Name, roles and cookie; whether the things asked for are of the person's tenant.
    Person {
        name: &'static str,
        roles: Vec<Role>,
        is_own: bool,
    },
    /// Was logged in when somebody disabled the account, or changed the roles.
    Former(&'static str),
}

impl Caller {
    async fn ask(&self, server: &Server, method: &Method, path: &str) -> Answer {
        if let Self::Device(device) = self {
            return device
                .call(server, Call { method: method.clone(), path: path.to_owned(), ..Call::default() })
                .await;
        }
        let mut request = server.http.request(method.clone(), format!("{}{path}", server.url));
        if let Self::Person { name, .. } | Self::Former(name) = self {
            request = request.header("cookie", format!("__Host-assay={name}-token"));
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    fn words(&self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::Device(_) => "a device".to_owned(),
            Self::Person { name, .. } | Self::Former(name) => (*name).to_owned(),
        }
    }
}

/// How a call ended, as far as it tells who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The handler answered.
    Answered,
    /// Nothing is there, or nothing for this caller.
    Nothing,
    LogInFirst,
    OtherRoles,
    Unsigned,
}

fn end_of(answer: &Answer, method: &Method) -> End {
    let text = answer.text();
    // An answer to HEAD has no words.
    let says = |words: &str| *method == Method::HEAD || text.contains(words);
    match answer.status {
        303 if answer.header("location") == "/login" => End::LogInFirst,
        401 if says("\"signature\"") => End::Unsigned,
        403 if says("Not for your roles") => End::OtherRoles,
        404 if says("nothing at this address") || says("unknown-call") => End::Nothing,
        _ => End::Answered,
    }
}

/// What the list says. A `HEAD` without a line is answered by the line of `GET`.
fn expected(routes: &[Route], method: &Method, path: &str, caller: &Caller) -> End {
    let line = |method: &Method| routes.iter().find(|route| route.path == path && route.method == *method);
    let head = || if *method == Method::HEAD { line(&Method::GET) } else { None };
    let Some(route) = line(method).or_else(head) else { return End::Nothing };
    match (route.who, caller) {
        (Who::Anyone | Who::Key, _) | (Who::Device | Who::DeviceOfBefore, Caller::Device(_)) => End::Answered,
        (Who::Device | Who::DeviceOfBefore, _) => End::Unsigned,
        (Who::Roles(asked), Caller::Person { roles, is_own, .. }) => {
            match roles.iter().any(|role| asked.contains(role)) {
                true if path.contains('{') && !is_own => End::Nothing,
                true => End::Answered,
                false => End::OtherRoles,
            }
        }
        (Who::Roles(_), _) => End::LogInFirst,
    }
}

/// The paths of the list, each once.
fn paths(routes: &[Route]) -> Vec<&'static str> {
    let mut paths: Vec<&'static str> = routes.iter().map(|route| route.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

async fn person(server: &Server, name: &'static str, tenant: &str, roles: &[Role]) -> Caller {
    let held = server.store().await;
    let (store, now) = (&held.store, now_unix_s());
    let of = store.tenant_named(tenant).await.expect("asked").expect("is there");
    store.of(&of).set_user(name, "no password", Some(Roles::of(roles)), now).await.expect("kept");
    let digest = sha256_hex(format!("{name}-token").as_bytes());
    store.open_session(&digest, name, "csrf", now, now + 3_600).await.expect("opened");
    store.close().await;
    Caller::Person { name, roles: roles.to_vec(), is_own: tenant == "default" }
}

#[tokio::test]
async fn every_call_is_for_whom_the_list_says() {
    let server = Server::start();
    let device = server.enrolled().await;
    let recipe = Recipe::new(&server.card().await.recipient);
    let bundle = device.send_accepted(&server, &sealed(&device, &recipe)).await;
    let held = server.store().await;
    let device_id = held.own().devices_named("Q123").await.expect("asked").remove(0).id;
    held.store.close().await;
    server.says(&["tenant", "add", "other"]);
    let mut callers = vec![
        Caller::Nobody,
        person(&server, "ada", "default", &[Role::Administrator]).await,
        person(&server, "eve", "default", &[Role::Engineer]).await,
        person(&server, "abe", "default", &[Role::Approver]).await,
        person(&server, "vic", "default", &[Role::Viewer]).await,
        person(&server, "nil", "default", &[]).await,
        person(&server, "oda", "other", &Role::ALL).await,
    ];
    for (name, command) in
        [("dan", ["disable", "dan"].as_slice()), ("rob", &["role", "rob", "--role", "viewer"])]
    {
        let caller = person(&server, name, "default", &[Role::Engineer]).await;
        let before = caller.ask(&server, &Method::GET, "/").await;
        assert_eq!(before.status, 200, "{}", before.text());
        server.says(&[&["user"], command].concat());
        callers.push(Caller::Former(name));
    }
    callers.push(Caller::Device(Box::new(device)));

    let routes = list();
    let mut wrong = Vec::new();
    for path in paths(&routes) {
        let id = if path.starts_with("/devices/") { &device_id } else { &bundle.bundle_id };
        let asked = path.replace("{id}", id).replace("{index}", "0");
        for method in &METHODS {
            // What has no line is there for nobody: one caller of each kind is enough to ask.
            let has_line = routes.iter().any(|route| route.path == path && route.method == *method);
            let asking = callers
                .iter()
                .enumerate()
                .filter(|(at, caller)| has_line || *at < 2 || matches!(caller, Caller::Device(_)));
            for (_, caller) in asking {
                let expected = expected(&routes, method, path, caller);
                let answer = caller.ask(&server, method, &asked).await;
                let end = end_of(&answer, method);
                // What a device asks about is not there, and HEAD has no words to tell that by.
                let is_wordless = matches!(caller, Caller::Device(_)) && *method == Method::HEAD;
                if end != expected && !(is_wordless && expected == End::Answered && end == End::Nothing) {
                    let who = caller.words();
                    wrong.push(format!(
                        "{method} {path} by {who}: {end:?} ({}), not {expected:?}",
                        answer.status
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), server.log().lines().count());
}

#[test]
fn what_the_list_leaves_open_is_named_here() {
    let routes = list();
    let open = |who: Who| -> Vec<String> {
        let lines = routes.iter().filter(|route| route.who == who);
        lines.map(|route| format!("{} {}", route.method, route.path)).collect()
    };
    assert_eq!(
        open(Who::Anyone),
        [
            "OPTIONS /api/v1/uploads",
            "OPTIONS /api/v1/uploads/{id}",
            "GET /api/v1/card",
            "GET /static/portal.css",
            "GET /login",
            "POST /login"
        ]
    );
    assert_eq!(open(Who::Key), ["POST /api/v1/enrol", "POST /api/v1/device-key", "POST /api/v1/farewell"]);
    assert_eq!(open(Who::DeviceOfBefore), ["GET /api/v1/poll"]);
    let may = |path: &str, role: Role| {
        let line = routes.iter().find(|route| route.path == path);
        matches!(line.expect(path).who, Who::Roles(roles) if roles.contains(&role))
    };
    // Raw files and whole bundles: not for who only reads verdicts, nor for who only keeps accounts.
    for path in ["/bundles/{id}/raw/{index}", "/bundles/{id}/download"] {
        assert_eq!(Role::ALL.map(|role| may(path, role)), [false, true, true, false], "{path}");
    }
}
