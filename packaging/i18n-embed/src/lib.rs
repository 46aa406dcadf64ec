//! Stands in for the crate `i18n-embed`, which age needs by name: no translator, no tables of plural forms, no texts in
//! seven languages (130 kB of a program for a NAS, for three sentences that an owner may see).
//!
//! age's messages are English here, put in place when age is compiled (see `i18n-embed-fl` beside this). Choosing
//! another language is refused by leaving English in force. What age does not use is not here.

use std::fmt;

/// Nothing of this fails; age names the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct I18nEmbedError;

impl fmt::Display for I18nEmbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this program has age's messages in English only")
    }
}

impl std::error::Error for I18nEmbedError {}

/// Names of languages.
pub mod unic_langid {
    use std::str::FromStr;

    /// A language that somebody may ask for; none but English is there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LanguageIdentifier;

    impl FromStr for LanguageIdentifier {
        type Err = super::I18nEmbedError;

        fn from_str(_: &str) -> Result<Self, Self::Err> {
            Ok(Self)
        }
    }
}

use unic_langid::LanguageIdentifier;

/// Files of texts: never opened.
pub trait I18nAssets {}

impl<T> I18nAssets for T {}

/// What would load them.
pub trait LanguageLoader {}

/// What would choose a language.
pub trait Localizer {
    /// The loader.
    fn language_loader(&self) -> &'_ dyn LanguageLoader;

    /// The files.
    fn i18n_assets(&self) -> &'_ dyn I18nAssets;

    /// Chooses; answers what is in force.
    ///
    /// # Errors
    /// None here.
    fn select(&self, requested: &[LanguageIdentifier]) -> Result<Vec<LanguageIdentifier>, I18nEmbedError>;
}

/// English, whatever is asked for.
///
/// # Errors
/// None here.
pub fn select(
    _: &dyn LanguageLoader,
    _: &dyn I18nAssets,
    _: &[LanguageIdentifier],
) -> Result<Vec<LanguageIdentifier>, I18nEmbedError> {
    Ok(vec![LanguageIdentifier])
}

/// Makes the loader.
#[macro_export]
macro_rules! fluent_language_loader {
    () => {
        $crate::fluent::FluentLanguageLoader
    };
}

/// The loader that age names.
pub mod fluent {
    pub use crate::fluent_language_loader;
    use crate::unic_langid::LanguageIdentifier;
    use crate::{I18nAssets, I18nEmbedError, LanguageLoader};

    /// Loads nothing: the texts are in the program.
    #[derive(Clone, Copy, Debug)]
    pub struct FluentLanguageLoader;

    impl LanguageLoader for FluentLanguageLoader {}

    impl FluentLanguageLoader {
        /// Loads nothing.
        ///
        /// # Errors
        /// None here.
        pub fn load_languages(
            &self,
            _: &dyn I18nAssets,
            _: &[LanguageIdentifier],
        ) -> Result<(), I18nEmbedError> {
            Ok(())
        }

        /// No marks of direction are put around what is filled in.
        pub fn set_use_isolating(&self, _: bool) {}
    }
}
