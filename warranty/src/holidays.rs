//! Public holidays of the United States and Canada, observed days included, as tables over a range of years.
//!
//! United States: the eleven of 5 U.S.C. 6103; one on a Saturday is kept on the Friday before, one on a Sunday on the
//! Monday after. Inauguration Day is local and not here. Canada: the ten general holidays of the Canada Labour Code
//! (section 166); one on a fixed date that falls on a weekend is kept on the next working day that is free (section
//! 193(2) leaves the side to the employer; "next" is ours, as the federal public service does it). The days of provinces
//! and Easter Monday are not here. A holiday stands both on its date and on its observed day, in the year that the day
//! lies in: New Year 2028 is a Saturday, so 31 December 2027 is in the table. A year outside is no weekday: it is
//! unknown.

/// Holidays of one year, each as month x 100 + day.
type Year = (i16, &'static [u16]);

/// First year of both tables.
pub(crate) const FIRST_YEAR: i16 = 2024;
/// Last year of both tables.
pub(crate) const LAST_YEAR: i16 = 2035;

/// Federal holidays of the United States.
pub(crate) static UNITED_STATES: &[Year] = &[
    (2024, &[101, 115, 219, 527, 619, 704, 902, 1014, 1111, 1128, 1225]),
    (2025, &[101, 120, 217, 526, 619, 704, 901, 1013, 1111, 1127, 1225]),
    (2026, &[101, 119, 216, 525, 619, 703, 704, 907, 1012, 1111, 1126, 1225]),
    (2027, &[101, 118, 215, 531, 618, 619, 704, 705, 906, 1011, 1111, 1125, 1224, 1225, 1231]),
    (2028, &[101, 117, 221, 529, 619, 704, 904, 1009, 1110, 1111, 1123, 1225]),
    (2029, &[101, 115, 219, 528, 619, 704, 903, 1008, 1111, 1112, 1122, 1225]),
    (2030, &[101, 121, 218, 527, 619, 704, 902, 1014, 1111, 1128, 1225]),
    (2031, &[101, 120, 217, 526, 619, 704, 901, 1013, 1111, 1127, 1225]),
    (2032, &[101, 119, 216, 531, 618, 619, 704, 705, 906, 1011, 1111, 1125, 1224, 1225, 1231]),
    (2033, &[101, 117, 221, 530, 619, 620, 704, 905, 1010, 1111, 1124, 1225, 1226]),
    (2034, &[101, 102, 116, 220, 529, 619, 704, 904, 1009, 1110, 1111, 1123, 1225]),
    (2035, &[101, 115, 219, 528, 619, 704, 903, 1008, 1111, 1112, 1122, 1225]),
];

/// General holidays of Canada.
pub(crate) static CANADA: &[Year] = &[
    (2024, &[101, 329, 520, 701, 902, 930, 1014, 1111, 1225, 1226]),
    (2025, &[101, 418, 519, 701, 901, 930, 1013, 1111, 1225, 1226]),
    (2026, &[101, 403, 518, 701, 907, 930, 1012, 1111, 1225, 1226, 1228]),
    (2027, &[101, 326, 524, 701, 906, 930, 1011, 1111, 1225, 1226, 1227, 1228]),
    (2028, &[101, 103, 414, 522, 701, 703, 904, 930, 1002, 1009, 1111, 1113, 1225, 1226]),
    (2029, &[101, 330, 521, 701, 702, 903, 930, 1001, 1008, 1111, 1112, 1225, 1226]),
    (2030, &[101, 419, 520, 701, 902, 930, 1014, 1111, 1225, 1226]),
    (2031, &[101, 411, 519, 701, 901, 930, 1013, 1111, 1225, 1226]),
    (2032, &[101, 326, 524, 701, 906, 930, 1011, 1111, 1225, 1226, 1227, 1228]),
    (2033, &[101, 103, 415, 523, 701, 905, 930, 1010, 1111, 1225, 1226, 1227]),
    (2034, &[101, 102, 407, 522, 701, 703, 904, 930, 1002, 1009, 1111, 1113, 1225, 1226]),
    (2035, &[101, 323, 521, 701, 702, 903, 930, 1001, 1008, 1111, 1112, 1225, 1226]),
];
