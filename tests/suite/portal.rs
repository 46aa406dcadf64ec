//! The portal as its callers meet it: the real binary, over TLS, with its own certificate authority. Devices are
//! played by hand-signed calls, so that wrong ones can be made; engineers by a browser's requests without a browser.

pub(crate) mod bundles;
mod device_calls;
mod ingest;
mod key_life;
mod ledger;
mod pages;
mod requests;
mod roles;
pub(crate) mod server;
