//! Remote sessions: offered only when ready, started and ended by the owner, under the terms that were offered.

use assay_bundle::session::{DifferenceSummary, SessionEnd, SessionRecord};
use assay_bundle::support_request::SessionMethod;

use super::*;

async fn record(device: &Device, server: &Server, record: &SessionRecord, what: &str) -> Answer {
    let signed = Signed::new(record, &device.key).expect("acceptable");
    device.post(server, &format!("/api/v1/sessions/{}/{what}", record.session_id), &signed).await
}

#[tokio::test]
async fn a_session_is_recorded_from_start_to_end() {
    let server = Server::start();
    let device = server.enrolled().await;
    let refused = |arguments: &[&str]| {
        let output = server.command(arguments).output().expect("it starts");
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    };
    let early = issued(&server, &device, &["--session", "helpdesk"]).await;
    refused(&["session", "open", &early.id]);
    server.says(&["request", "cancel", &early.id]);
    let request = made_ready(&server, &device, &["--session", "helpdesk", "--session-hours", "1"]).await;
    let id = field(&server.says(&["session", "open", &request.id]), "session");
    refused(&["session", "open", &request.id]);
    let told = device.poll(&server, "").await;
    let offer = told.sessions.first().expect("it is told");
    assert_eq!((offer.id.as_str(), offer.method, offer.most_hours), (&*id, SessionMethod::Helpdesk, 1));
    let now = now_unix_s();
    let start = SessionRecord {
        format: 1,
        session_id: id.clone(),
        request_id: request.id.clone(),
        nonce: request.nonce.clone(),
        key_id: request.key_id.clone(),
        engineer: offer.engineer.clone(),
        method: offer.method,
        started_unix_s: now,
        hard_expiry_unix_s: now + 3_600,
        stopped_unix_s: None,
        ended_by: None,
        copy_after: None,
        difference: None,
    };
    let stop = SessionRecord {
        stopped_unix_s: Some(now),
        ended_by: Some(SessionEnd::Owner),
        difference: Some(DifferenceSummary { paths_changed: 4, new_accounts: 1, ..Default::default() }),
        ..start.clone()
    };
    record(&device, &server, &stop, "stop").await.refused(409, "session-differs");
    for wrong in [
        SessionRecord { hard_expiry_unix_s: now + 3_601, ..start.clone() },
        SessionRecord { engineer: "Eve".to_owned(), ..start.clone() },
        SessionRecord { method: SessionMethod::OwnersWay, ..start.clone() },
        SessionRecord { nonce: "0".repeat(32), ..start.clone() },
        SessionRecord { started_unix_s: now - 1_000, hard_expiry_unix_s: now, ..start.clone() },
        stop.clone(),
    ] {
        record(&device, &server, &wrong, "start").await.refused(409, "session-differs");
    }
    record(&device, &server, &start, "start").await.ends(204);
    record(&device, &server, &start, "start").await.ends(204);
    let again = SessionRecord { hard_expiry_unix_s: now + 3_000, ..start.clone() };
    record(&device, &server, &again, "start").await.refused(409, "session-over");
    assert!(device.poll(&server, "").await.sessions.is_empty());
    assert!(server.says(&["session", "list"]).contains("running"));
    // Closed by us: the device is told, and its record of the end is taken all the same.
    server.says(&["session", "close", &id]);
    assert_eq!(device.poll(&server, "").await.closed_sessions, std::slice::from_ref(&id));
    record(&device, &server, &stop, "stop").await.ends(204);
    record(&device, &server, &stop, "stop").await.ends(204);
    let list = server.says(&["session", "list"]);
    assert!(list.contains("4 changed; new: 1 accounts"), "{list}");
    assert!(device.poll(&server, "").await.closed_sessions.is_empty());
    let (other, code) = (Device::new("Q999"), server.code(&[]));
    other.enrol(&server, &other.request(&code, &server.card().await)).await.ends(200);
    record(&other, &server, &start, "start").await.refused(404, "unknown-session");
}
