//! Parsers against real outputs of real devices, which lie beside the project and are never copied into it. The
//! expected values were computed independently of us; a difference is a question to answer.

mod accuracy;
mod differences;
#[path = "../../collector/src/hostile.rs"]
mod hostile;
mod judge;
mod linux_sysfs;
mod mdadm;
mod qnap_cgi;
mod smartctl;
