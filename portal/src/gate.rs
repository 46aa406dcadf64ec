//! The one place that decides who may make a call: by the line of the call in the list of [`crate::handlers`].
//!
//! Refused are: a call without a line, a device that is not enrolled or did not sign, a person who is not logged in and
//! one whose roles do not include the call. What was found out about the caller goes on with the call, and handlers know
//! it from nowhere else: one that asks for a person under a line for devices gets nobody.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::{App, Shared};
use crate::device_call;
use crate::handlers::{Route, Who, speaks_tus};
use crate::page::{self, PageError};
use crate::session;

/// The list, to be looked up.
pub struct Gate {
    app: Shared,
    rules: HashMap<(&'static str, Method), Rule>,
}

#[derive(Clone, Copy)]
struct Rule {
    who: Who,
    is_tus: bool,
}

impl Gate {
    /// Holds calls against these lines.
    pub fn new(app: Shared, routes: &[Route]) -> Arc<Self> {
        let rule = |route: &Route| {
            ((route.path, route.method.clone()), Rule { who: route.who, is_tus: route.is_tus })
        };
        Arc::new(Self { app, rules: routes.iter().map(rule).collect() })
    }

    fn rule(&self, parts: &Parts) -> Option<Rule> {
        let path = parts.extensions.get::<MatchedPath>()?.as_str();
        let of = |method: &Method| {
            let line = self.rules.iter().find(|((at, by), _)| *at == path && by == method);
            line.map(|(_, rule)| *rule)
        };
        let found = of(&parts.method);
        // HEAD is answered by GET where it has no line.
        found.or_else(|| (parts.method == Method::HEAD).then(|| of(&Method::GET)).flatten())
    }
}

/// Lets a call through or answers it.
pub async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(rule) = gate.rule(&parts) else { return page::not_found(parts.uri).await };
    let answer = match admit(&gate.app, rule.who, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal,
    };
    if rule.is_tus { speaks_tus(answer).await } else { answer }
}

async fn admit(app: &App, who: Who, parts: &mut Parts) -> Result<(), Response> {
    match who {
        Who::Anyone | Who::Key => {}
        Who::Device | Who::DeviceOfBefore => {
            let caller = device_call::caller(app, parts).await.map_err(IntoResponse::into_response)?;
            if who == Who::Device && caller.device.revoked_at.is_some() {
                return Err(device_call::revoked(app, &caller.device, &caller.nonce).into_response());
            }
            parts.extensions.insert(caller);
        }
        Who::Roles(asked) => {
            let viewer = session::viewer(app, parts).await.map_err(IntoResponse::into_response)?;
            if !viewer.roles.any_of(asked) {
                tracing::warn!(user = %viewer.user, "asked for what the person's roles do not include");
                return Err(PageError::NotOfYourRoles(viewer.roles).into_response());
            }
            parts.extensions.insert(viewer);
        }
    }
    Ok(())
}
