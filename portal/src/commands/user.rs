//! `assay-portal user`: who may look.

use std::io::BufRead;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::clock;
use crate::config::Settings;
use crate::password::{self, LONGEST, SHORTEST};
use crate::store::users::KeptUser;

/// Longest name.
const LONGEST_NAME: usize = 64;

/// Adds a person or gives one a new password.
///
/// # Errors
/// When name or password are not acceptable, or the database fails.
pub async fn add(settings: &Settings, name: &str, password_stdin: bool) -> anyhow::Result<()> {
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
    let kept = store.set_user(name, &password::hash(&password)?, clock::now_unix_s()).await?;
    opened.close().await;
    let what = match kept {
        KeptUser::New => "added",
        KeptUser::Changed => "given a new password; open sessions are ended",
        KeptUser::Elsewhere => bail!("somebody of another tenant is called {name:?}: choose another name"),
    };
    let shown = if password_stdin { String::new() } else { format!("password     {}\n", &**password) };
    super::print(&format!("user         {name} ({what})\n{shown}"))?;
    Ok(())
}
