//! Stands in for the crate `i18n-embed-fl`: `fl!(LOADER, "name", key = value)` becomes `format!` over the English text
//! of that name, read from `i18n/en-US/<crate>.ftl` of the crate that is being compiled (that crate is age).
//!
//! Of Fluent it reads what age writes: messages and terms (`-name`), lines that go on with blanks, `{$key}`,
//! `{-term}`, `{message}` and `{"text"}`. Anything else, and a name that is not there, fails the build.

mod ftl;

use proc_macro::{Delimiter, Group, Literal, Punct, Spacing, TokenStream, TokenTree};

/// The text of a message as a `String`.
#[proc_macro]
pub fn fl(input: TokenStream) -> TokenStream {
    expand(input).unwrap_or_else(|why| called("::core::compile_error!", Literal::string(&why), Vec::new()))
}

fn expand(input: TokenStream) -> Result<TokenStream, String> {
    let mut parts = split(input).into_iter().skip(1);
    let name = parts.next().ok_or("no name of a message")?.to_string();
    let name = name.trim_matches('"').to_owned();
    let mut given = Vec::new();
    for part in parts {
        given.push(assigned(part)?);
    }
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let (folder, krate) = (variable("CARGO_MANIFEST_DIR")?, variable("CARGO_PKG_NAME")?);
    let path = format!("{folder}/i18n/en-US/{krate}.ftl");
    let file = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let (pattern, keys) = ftl::pattern(&file, &name)?;
    let value = |key: &String| {
        let found = given.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
        found.ok_or_else(|| format!("{name}: nothing is given for {key}"))
    };
    let values = keys.iter().map(value).collect::<Result<_, _>>()?;
    Ok(called("::std::format!", Literal::string(&pattern), values))
}

/// A call of a macro with a text and values; the values keep the place that they came from.
fn called(name: &str, text: Literal, values: Vec<TokenStream>) -> TokenStream {
    let mut inside = TokenStream::from(TokenTree::Literal(text));
    for value in values {
        inside.extend([TokenTree::Punct(Punct::new(',', Spacing::Alone))]);
        inside.extend(value);
    }
    let mut made: TokenStream = name.parse().unwrap_or_default();
    made.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, inside))]);
    made
}

/// The arguments between the commas; one that another macro passed on is in a group without delimiters.
fn split(input: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in input {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == ',' => parts.push(TokenStream::new()),
            token => parts.last_mut().into_iter().for_each(|last| last.extend([token.clone()])),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.into_iter().map(open).collect()
}

/// What is in a group without delimiters, when that is all there is.
fn open(part: TokenStream) -> TokenStream {
    let mut tokens = part.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => open(group.stream()),
        _ => part,
    }
}

/// `key = value`.
fn assigned(part: TokenStream) -> Result<(String, TokenStream), String> {
    let mut tokens = part.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(key)), Some(TokenTree::Punct(mark))) if mark.as_char() == '=' => {
            Ok((key.to_string(), tokens.collect()))
        }
        (key, _) => Err(format!("{key:?} is not `key = value`")),
    }
}
