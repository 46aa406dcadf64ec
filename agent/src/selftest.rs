//! SMART self-tests: queued, started one at a time, watched, and decided by what the drive's own log says.
//!
//! [`queue`] decides and knows no file, clock or drive; [`drives`] finds a drive and says what speaks against testing it;
//! [`work`] carries it out; [`store`] keeps it. Nobody but the owner starts one, or an approved support request. A drive
//! that sleeps is neither woken nor asked again before half an hour has gone; one that tests is looked at when by its own
//! estimate it could be done. What runs goes on in the drive whatever happens to this program or the NAS.

pub(crate) mod drives;
pub(crate) mod queue;
pub(crate) mod store;
pub(crate) mod work;
