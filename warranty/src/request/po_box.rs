//! Recognises a P.O. box in a line of an address (service terms A8: no P.O. box as the delivery address).
//!
//! A courier hands a NAS to a person at a door. Post offices name their boxes in many languages and people write them
//! in many ways, so a line is folded first (accents, full-width and Cyrillic look-alikes, zero for O), cut into words at
//! every change between letters and digits, and words are joined again: `P. 0.B o x12` reads as `pobox 12`.
//! Refuses to guess from a street's name: `Box Hill Road`, `Postbridge` and `1 Pobox Lane` are streets, because the word
//! that follows says so. A private mailbox (PMB) stands at a street address and is none; a rural-route box
//! (`RR 2 Box 45`) stands at the house.

/// How sure a spelling is by itself.
#[derive(Clone, Copy)]
enum Needs {
    /// It is a box unless a street word follows.
    Nothing,
    /// It is a box only before a number: the letters also mean other things.
    Number,
    /// As `Number`, with at most four digits: five are a postal code (`C.P. 06600`).
    ShortNumber,
    /// As `Number`, and only where the line begins: `RR 2 Box 45` is a house.
    NumberAtStart,
}

/// Spellings without blanks, folded. Languages: English, German, French, Spanish, Portuguese, Italian, Dutch, Nordic,
/// Polish, Czech, Hungarian, Turkish, Romanian, Croatian, Russian. Source: judgement, from postal usage.
const SPELLINGS: &[(&str, Needs)] = &[
    ("pobox", Needs::Nothing),
    ("pobx", Needs::Nothing),
    ("pbox", Needs::Number),
    ("pob", Needs::Number),
    ("postofficebox", Needs::Nothing),
    ("postoffbox", Needs::Nothing),
    ("postbox", Needs::Number),
    ("postalbox", Needs::Number),
    ("mailbox", Needs::NumberAtStart),
    ("podrawer", Needs::Nothing),
    ("lockbox", Needs::Number),
    ("callerbox", Needs::Number),
    ("box", Needs::NumberAtStart),
    ("generaldelivery", Needs::Nothing),
    ("posterestante", Needs::Nothing),
    ("postlagernd", Needs::Nothing),
    ("postfach", Needs::Nothing),
    ("pf", Needs::Number),
    ("boitepostale", Needs::Nothing),
    ("casepostale", Needs::Nothing),
    ("bp", Needs::Number),
    ("cp", Needs::ShortNumber),
    ("apartado", Needs::Number),
    ("apartadopostal", Needs::Nothing),
    ("apartadodecorreos", Needs::Nothing),
    ("apdo", Needs::Number),
    ("apdopostal", Needs::Nothing),
    ("casilladecorreo", Needs::Nothing),
    ("casillapostal", Needs::Nothing),
    ("caixapostal", Needs::Nothing),
    ("casellapostale", Needs::Nothing),
    ("postbus", Needs::Number),
    ("postboks", Needs::Nothing),
    ("postilokero", Needs::Nothing),
    ("skrytkapocztowa", Needs::Nothing),
    ("postovniprihradka", Needs::Nothing),
    ("postafiok", Needs::Nothing),
    ("postakutusu", Needs::Nothing),
    ("casutapostala", Needs::Nothing),
    ("postanskipretinac", Needs::Nothing),
    // The Cyrillic letters of "а/я", of which the first folds to Latin.
    ("aя", Needs::Number),
];

/// Chinese, Japanese and Korean write without blanks: these stand anywhere in a line.
const ANYWHERE: &[&str] = &["邮政信箱", "郵政信箱", "邮箱", "信箱", "私書箱", "사서함"];

/// Words that make a street of what stands before them.
const STREET_WORDS: &[&str] = &[
    "alley",
    "ave",
    "avenue",
    "blvd",
    "boulevard",
    "circle",
    "close",
    "court",
    "cove",
    "creek",
    "crescent",
    "ct",
    "dr",
    "drive",
    "hill",
    "hwy",
    "highway",
    "lane",
    "ln",
    "loop",
    "park",
    "parkway",
    "pkwy",
    "pl",
    "place",
    "plaza",
    "rd",
    "road",
    "row",
    "square",
    "st",
    "street",
    "ter",
    "terrace",
    "trail",
    "way",
    "weg",
    "strasse",
    "str",
    "platz",
];

/// Words that make a street of what stands after them.
const STREET_WORDS_BEFORE: &[&str] = &[
    "calle", "avenida", "camino", "rue", "chemin", "avenue", "route", "via", "viale", "strada", "rua",
    "travessa",
];

/// Articles between such a word and the name.
const ARTICLES: &[&str] = &["de", "del", "della", "di", "da", "do", "du", "la", "le", "el", "los", "las"];

/// The words of the line that name a P.O. box, as typed; `None` when it names none.
pub(super) fn find(line: &str) -> Option<String> {
    if let Some(found) = ANYWHERE.iter().find(|word| line.contains(**word)) {
        return Some((*found).to_owned());
    }
    let words = words(line);
    (0..words.len()).find_map(|start| {
        let (from, _, _) = words.get(start)?;
        let rest = words.get(start..)?;
        SPELLINGS.iter().find_map(|(spelling, needs)| {
            let used = spells(rest, spelling)?;
            let next = rest.get(used).map(|(_, _, word)| word.as_str());
            if !holds(*needs, start == 0, next) || named_after_a_street(words.get(..start)?) {
                return None;
            }
            let to = rest.get(used.checked_sub(1)?).map(|(_, to, _)| *to)?;
            line.get(*from..to).map(str::to_owned)
        })
    })
}

/// How many words, joined, are exactly the spelling; `None` when they are not.
fn spells(words: &[(usize, usize, String)], spelling: &str) -> Option<usize> {
    let mut left = spelling;
    for (index, (_, _, word)) in words.iter().enumerate() {
        let letters = if word == "0" { "o" } else { word };
        left = left.strip_prefix(letters)?;
        if left.is_empty() {
            return index.checked_add(1);
        }
    }
    None
}

fn holds(needs: Needs, at_start: bool, next: Option<&str>) -> bool {
    let number = || {
        let word = next.filter(|word| !matches!(*word, "no" | "nr" | "number" | "num" | "n")).or(next);
        word.is_some_and(|word| {
            word.starts_with(|c: char| c.is_ascii_digit())
                || matches!(word, "no" | "nr" | "number" | "num" | "n")
        })
    };
    match needs {
        Needs::Nothing => !next.is_some_and(|word| STREET_WORDS.contains(&word)),
        Needs::Number => number(),
        Needs::ShortNumber => number() && next.is_some_and(|word| word.len() <= 4),
        Needs::NumberAtStart => at_start && number(),
    }
}

fn named_after_a_street(before: &[(usize, usize, String)]) -> bool {
    let name = |back: usize| {
        before.len().checked_sub(back).and_then(|at| before.get(at)).map(|(_, _, word)| word.as_str())
    };
    let is_street = |word: Option<&str>| word.is_some_and(|word| STREET_WORDS_BEFORE.contains(&word));
    is_street(name(1)) || (name(1).is_some_and(|word| ARTICLES.contains(&word)) && is_street(name(2)))
}

/// The words of a line: where each begins and ends (bytes), and its folded letters or digits.
fn words(line: &str) -> Vec<(usize, usize, String)> {
    let mut words: Vec<(usize, usize, String)> = Vec::new();
    let mut digits = None;
    for (at, c) in line.char_indices() {
        // A combining accent belongs to the letter before it.
        if matches!(c, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{ad}') {
            continue;
        }
        let c_folded = fold(c);
        if !c_folded.is_alphanumeric() {
            digits = None;
            continue;
        }
        let is_digit = c_folded.is_ascii_digit();
        let end = at.saturating_add(c.len_utf8());
        match words.last_mut() {
            Some((_, to, word)) if digits == Some(is_digit) => {
                word.push(c_folded);
                *to = end;
            }
            _ => words.push((at, end, c_folded.to_string())),
        }
        digits = Some(is_digit);
    }
    words
}

/// The plain lower-case letter that a reader takes it for.
fn fold(c: char) -> char {
    let c = match c {
        // Full-width forms stand 0xFEE0 above ASCII.
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        _ => c,
    };
    match c.to_lowercase().next().unwrap_or(c) {
        'à'..='å' | 'ă' | 'ą' | 'а' => 'a',
        'ç' | 'č' | 'ć' | 'с' => 'c',
        'è'..='ë' | 'ě' | 'ę' | 'е' => 'e',
        'ì'..='ï' | 'ı' => 'i',
        'ñ' => 'n',
        'ò'..='ö' | 'ø' | 'ő' | 'о' => 'o',
        'ř' => 'r',
        'š' | 'ş' | 'ș' => 's',
        'ť' | 'ț' | 'ţ' | 'т' => 't',
        'ù'..='ü' | 'ů' | 'ű' => 'u',
        'в' => 'b',
        'р' => 'p',
        'х' => 'x',
        'к' => 'k',
        'ł' => 'l',
        'ž' | 'ż' => 'z',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_a_post_office_box_is_found_in_any_spelling() {
        for (line, spelling) in [
            ("PO Box 12", "PO Box"),
            ("P.O. Box 12", "P.O. Box"),
            ("p.o.box12", "p.o.box"),
            ("P.O.B. 12", "P.O.B"),
            ("POB 12", "POB"),
            ("POBox", "POBox"),
            ("P 0 Box 7", "P 0 Box"),
            ("P0 B0X 7", "P0 B0X"),
            ("P O B o x 7", "P O B o x"),
            ("P-O-B-O-X 7", "P-O-B-O-X"),
            ("P/O Box 7", "P/O Box"),
            ("ＰＯ　ＢＯＸ　12", "ＰＯ　ＢＯＸ"),
            // Cyrillic letters that look Latin.
            ("РО Вох 12", "РО Вох"),
            ("Po\u{200b} Box 3", "Po\u{200b} Box"),
            ("Post Office Box 4", "Post Office Box"),
            ("Post-Office Box #4", "Post-Office Box"),
            ("P.O. Box A", "P.O. Box"),
            ("12 Main Street, PO Box 9", "PO Box"),
            ("PO Drawer 9", "PO Drawer"),
            ("Box 450, Station Main", "Box"),
            ("Box No. 450", "Box"),
            ("Lock Box 3", "Lock Box"),
            ("General Delivery", "General Delivery"),
            ("Poste restante", "Poste restante"),
            ("Postfach 10 12 13", "Postfach"),
            ("Boîte postale 9", "Boîte postale"),
            ("Boi\u{302}te postale 9", "Boi\u{302}te postale"),
            ("BP 123", "BP"),
            ("B.P. 123", "B.P"),
            ("Case postale 5", "Case postale"),
            ("C.P. 512, succ. A", "C.P"),
            ("Apartado 12", "Apartado"),
            ("Apartado de Correos 12", "Apartado de Correos"),
            ("Apdo. 12", "Apdo"),
            ("Calle Mayor 3, Apartado 12", "Apartado"),
            ("Casella Postale 8", "Casella Postale"),
            ("Caixa Postal 8", "Caixa Postal"),
            ("Postbus 90", "Postbus"),
            ("Postboks 90", "Postboks"),
            ("Skrytka pocztowa 1", "Skrytka pocztowa"),
            ("а/я 12", "а/я"),
            ("東京都 私書箱 5", "私書箱"),
        ] {
            assert_eq!(find(line).as_deref(), Some(spelling), "{line}");
        }
    }

    #[test]
    fn a8_a_street_is_no_post_office_box() {
        for line in [
            "Box Hill Road 5",
            "12 Box Hill Road",
            "Postbridge",
            "Postbridge 4",
            "1 Pobox Lane",
            "5 P O Box Street",
            "Post Office Road 12",
            "12 Boxwood Drive",
            "Po Boxer Street 3",
            "Calle Apartado 5",
            "Calle del Apartado 5",
            "100 Main St PMB 12",
            "RR 2 Box 45",
            "Postplatz 1",
            "C.P. 06600 Ciudad de México",
            "BP Tower, Floor 3",
            "Suite 100, 4111 El Camino Real",
            "Depot Boulevard 12",
            "Mailbox Court 2",
            "",
        ] {
            assert_eq!(find(line), None, "{line}");
        }
    }
}
