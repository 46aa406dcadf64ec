//! The one list of calls and pages: a file each, a line each, with who may ask. The router is made of this list, and
//! [`crate::gate`] holds every call against it: what stands in no line of it is not there.

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::app::Shared;
use crate::roles::Role;

mod bundle;
mod card;
mod device;
mod device_key;
mod download;
mod enrol;
mod export;
mod farewell;
mod judge;
mod login;
mod logout;
mod poll;
mod queue;
mod raw;
mod receipt;
mod replacement;
mod report;
mod request_consent;
mod request_deny;
mod session_record;
mod slip;
mod style;
mod upload_create;
mod upload_drop;
mod upload_offset;
mod upload_options;
mod upload_part;

pub use enrol::code_digest;
pub(crate) use upload_options::speaks_tus;

/// Largest form and largest enrolment request, in bytes. Parts of uploads have limits of their own.
pub(crate) const MOST_BODY_BYTES: usize = 64 << 10;

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anybody: it tells nothing of anybody.
    Anyone,
    /// Who signs with a key that the body names or proves: the call itself decides what becomes of that key.
    Key,
    /// An enrolled device.
    Device,
    /// A device that is or was enrolled: one whose key was revoked is told so.
    DeviceOfBefore,
    /// A person with one of these roles, in the person's own tenant.
    Roles(&'static [Role]),
}

/// People of every role.
const PEOPLE: Who = Who::Roles(&Role::ALL);
/// People who look at devices and verdicts.
const READERS: Who = Who::Roles(&[Role::Engineer, Role::Approver, Role::Viewer]);
/// People who open what a device sent.
const OPENERS: Who = Who::Roles(&[Role::Engineer, Role::Approver]);

/// A line of the list.
pub struct Route {
    /// Method. A `GET` answers `HEAD` too, unless that has a line of its own.
    pub method: Method,
    /// Path.
    pub path: &'static str,
    /// Who may.
    pub who: Who,
    /// Whether it speaks tus: then every answer names the version, refusals too.
    pub is_tus: bool,
    /// What answers.
    pub handler: MethodRouter<Shared>,
}

impl Route {
    fn tus(self) -> Self {
        Self { is_tus: true, ..self }
    }

    /// Takes forms up to this size. The router's own limit is outside of it, and the inner one counts.
    fn most(self, bytes: usize) -> Self {
        Self { handler: self.handler.layer(DefaultBodyLimit::max(bytes)), ..self }
    }
}

fn route<H, T>((method, filter): (Method, MethodFilter), path: &'static str, who: Who, handler: H) -> Route
where
    H: Handler<T, Shared>,
    T: 'static,
{
    Route { method, path, who, is_tus: false, handler: on(filter, handler) }
}

/// Everything that is answered.
pub fn list() -> Vec<Route> {
    const GET: (Method, MethodFilter) = (Method::GET, MethodFilter::GET);
    const HEAD: (Method, MethodFilter) = (Method::HEAD, MethodFilter::HEAD);
    const POST: (Method, MethodFilter) = (Method::POST, MethodFilter::POST);
    const PATCH: (Method, MethodFilter) = (Method::PATCH, MethodFilter::PATCH);
    const DELETE: (Method, MethodFilter) = (Method::DELETE, MethodFilter::DELETE);
    const OPTIONS: (Method, MethodFilter) = (Method::OPTIONS, MethodFilter::OPTIONS);
    vec![
        // What devices call.
        route(OPTIONS, "/api/v1/uploads", Who::Anyone, upload_options::handle).tus(),
        route(POST, "/api/v1/uploads", Who::Device, upload_create::handle).tus(),
        route(OPTIONS, "/api/v1/uploads/{id}", Who::Anyone, upload_options::handle).tus(),
        route(GET, "/api/v1/uploads/{id}", Who::Device, upload_offset::handle).tus(),
        route(HEAD, "/api/v1/uploads/{id}", Who::Device, upload_offset::handle).tus(),
        route(PATCH, "/api/v1/uploads/{id}", Who::Device, upload_part::handle).tus(),
        route(DELETE, "/api/v1/uploads/{id}", Who::Device, upload_drop::handle).tus(),
        route(GET, "/api/v1/uploads/{id}/receipt", Who::Device, receipt::handle),
        route(GET, "/api/v1/card", Who::Anyone, card::handle),
        route(POST, "/api/v1/enrol", Who::Key, enrol::handle),
        route(POST, "/api/v1/device-key", Who::Key, device_key::handle),
        route(POST, "/api/v1/farewell", Who::Key, farewell::handle),
        route(GET, "/api/v1/export", Who::Device, export::handle),
        route(POST, "/api/v1/reports", Who::Device, report::handle),
        route(GET, "/api/v1/poll", Who::DeviceOfBefore, poll::handle),
        route(GET, "/api/v1/replacement", Who::Device, replacement::handle),
        route(POST, "/api/v1/requests/{id}/consent", Who::Device, request_consent::handle),
        route(POST, "/api/v1/requests/{id}/deny", Who::Device, request_deny::handle),
        route(POST, "/api/v1/sessions/{id}/start", Who::Device, session_record::start),
        route(POST, "/api/v1/sessions/{id}/stop", Who::Device, session_record::stop),
        // What people see.
        route(GET, "/static/portal.css", Who::Anyone, style::handle),
        route(GET, "/login", Who::Anyone, login::form),
        route(POST, "/login", Who::Anyone, login::handle),
        route(POST, "/logout", PEOPLE, logout::handle),
        route(GET, "/", PEOPLE, queue::handle),
        route(GET, "/devices/{id}", READERS, device::handle),
        route(GET, "/bundles/{id}", READERS, bundle::handle),
        route(GET, "/bundles/{id}/raw/{index}", OPENERS, raw::handle),
        route(GET, "/bundles/{id}/download", OPENERS, download::handle),
        route(GET, "/judge", PEOPLE, judge::form),
        route(POST, "/judge", PEOPLE, judge::handle).most(judge::MOST_BODY_BYTES),
        route(GET, "/slip", PEOPLE, slip::form),
        route(POST, "/slip", PEOPLE, slip::handle),
    ]
}
