//! Roles: what a person may do here. Several may be one person's; which of them a page asks for stands in the one list
//! of [`crate::handlers`]. A word that is none of ours allows nothing.

use std::fmt;

use clap::ValueEnum;

/// One role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Keeps people, their roles and the settings. Alone it opens no customer's data.
    Administrator,
    /// Works on devices and bundles.
    Engineer,
    /// Says yes as the second person.
    Approver,
    /// Sees verdicts, but no raw file, and changes nothing.
    Viewer,
}

impl Role {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Engineer, Self::Approver, Self::Viewer];

    /// Its word in the database, in commands and on pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Engineer => "engineer",
            Self::Approver => "approver",
            Self::Viewer => "viewer",
        }
    }
}

/// The roles of one person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles([bool; Role::ALL.len()]);

impl Roles {
    /// These, in any order.
    pub fn of(roles: &[Role]) -> Self {
        Self(Role::ALL.map(|role| roles.contains(&role)))
    }

    /// Those it has, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().zip(self.0).filter_map(|(role, has)| has.then_some(role))
    }

    /// Whether one of them is among `asked`.
    pub fn any_of(self, asked: &[Role]) -> bool {
        self.iter().any(|role| asked.contains(&role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, role) in self.iter().enumerate() {
            write!(f, "{}{}", if place == 0 { "" } else { " " }, role.word())?;
        }
        Ok(())
    }
}

impl From<String> for Roles {
    fn from(words: String) -> Self {
        let has = |role: &Role| words.split_ascii_whitespace().any(|word| word == role.word());
        Self(Role::ALL.map(|role| has(&role)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: &str) {
        assert_eq!(Roles::from(words.to_owned()).to_string(), expected, "{words:?}");
    }

    #[test]
    fn words_are_read_back_and_strange_ones_allow_nothing() {
        check("", "");
        check("viewer", "viewer");
        check("engineer  administrator engineer", "administrator engineer");
        check("Engineer root administrators", "");
        check(&Roles::of(&Role::ALL).to_string(), "administrator engineer approver viewer");
        assert!(!Roles::default().any_of(&Role::ALL));
        assert!(Roles::of(&[Role::Viewer]).any_of(&[Role::Engineer, Role::Viewer]));
        assert!(!Roles::of(&[Role::Viewer]).any_of(&[Role::Engineer]));
    }
}
