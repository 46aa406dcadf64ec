//! `assay-portal user`: who may look.

use std::io::BufRead;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Settings;
use crate::password::{self, LONGEST, SHORTEST};
use crate::roles::{Role, Roles};
use crate::store::users::{KeptUser, UserRow};

/// Longest name.
const LONGEST_NAME: usize = 64;

/// Adds a person or gives one a new password.
///
/// # Errors
/// When name or password are not acceptable, or the database fails.
pub async fn add(
    settings: &Settings,
    name: &str,
    roles: &[Role],
    password_stdin: bool,
) -> anyhow::Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
        bail!("{name:?} is not a name: use at most {LONGEST_NAME} letters, digits and . - _ @");
    }
    let password = if password_stdin {
        let mut line = Zeroizing::new(String::new());
        std::io::stdin().lock().read_line(&mut line).context("cannot read the password from stdin")?;
        Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())
    } else {
        Zeroizing::new(password::random_text::<15>().context("the system gave no randomness: try again")?)
    };
    if password.chars().count() < SHORTEST {
        bail!("the password is too short: use at least {SHORTEST} characters");
    }
    if password.len() > LONGEST {
        bail!("the password is too long: use at most {LONGEST} bytes");
    }
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let before = store.person(name).await?;
    let roles = match (roles, before) {
        ([], Some(_)) => None,
        // Who is added without a word may work, and not give others the right to.
        ([], None) => Some(Roles::of(&[Role::Engineer])),
        (named, _) => Some(Roles::of(named)),
    };
    let kept = store.set_user(name, &password::hash(&password)?, roles, clock::now_unix_s()).await?;
    let listed = store.people().await?.into_iter().find(|one| one.name.eq_ignore_ascii_case(name));
    opened.close().await;
    let what = match kept {
        KeptUser::New => "added",
        KeptUser::Changed => "given a new password; open sessions are ended",
        KeptUser::Elsewhere => bail!("somebody of another tenant is called {name:?}: choose another name"),
    };
    let shown = if password_stdin { String::new() } else { format!("password     {}\n", &**password) };
    let listed = listed.with_context(|| format!("{name} was taken away at the same time: look again"))?;
    let roles = listed.roles;
    let disabled = match listed.disabled_at {
        Some(_) => format!("disabled     yes; next: assay-portal user enable {name}\n"),
        None => String::new(),
    };
    super::print(&format!("user         {name} ({what})\nroles        {roles}\n{shown}{disabled}"))?;
    Ok(())
}

/// Gives a person these roles and no others.
///
/// # Errors
/// When there is no such person, or the database fails.
pub async fn role(settings: &Settings, name: &str, roles: &[Role]) -> anyhow::Result<()> {
    let opened = super::Opened::of(settings).await?;
    let roles = Roles::of(roles);
    let found = opened.tenant().set_roles(name, roles).await?;
    opened.close().await;
    is_there(found, name)?;
    super::print(&format!("user         {name} (open sessions are ended)\nroles        {roles}\n"))?;
    Ok(())
}

/// Keeps a person from logging in, or lets the person again.
///
/// # Errors
/// When there is no such person, or the database fails.
pub async fn disable(settings: &Settings, name: &str, disabled: bool) -> anyhow::Result<()> {
    let opened = super::Opened::of(settings).await?;
    let since = disabled.then(clock::now_unix_s);
    let found = opened.tenant().disable_user(name, since).await?;
    opened.close().await;
    is_there(found, name)?;
    let what = if disabled { "disabled; open sessions are ended" } else { "can log in" };
    super::print(&format!("user         {name} ({what})\n"))?;
    Ok(())
}

/// Lists the people of the tenant.
///
/// # Errors
/// When the database fails.
pub async fn list(settings: &Settings) -> anyhow::Result<()> {
    let opened = super::Opened::of(settings).await?;
    let people = opened.tenant().people().await?;
    opened.close().await;
    let line = |one: &UserRow| {
        let disabled = if one.disabled_at.is_some() { "  (disabled)" } else { "" };
        format!("{:<24}  {}{disabled}\n", one.name, one.roles)
    };
    super::print(&people.iter().map(line).collect::<String>())?;
    Ok(())
}

fn is_there(found: bool, name: &str) -> anyhow::Result<()> {
    match found {
        true => Ok(()),
        false => bail!("nobody of this tenant is called {name:?}: see assay-portal user list"),
    }
}
