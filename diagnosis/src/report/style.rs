//! How the page looks: two palettes, one sheet, and what changes on paper.
//!
//! System fonts, nothing to fetch. Colour repeats words. Every pair of colours that text stands in is in a list whose
//! contrast is tested (WCAG 2.2, 1.4.3: 4.5 to 1). Refuses anything that loads: no `url`, no `@import`, no font.

/// A colour, as red, green and blue.
pub(super) type Rgb = u32;

/// One palette: name of the variable, value.
pub(super) type Palette = [(&'static str, Rgb); 15];

/// By day, and on paper.
pub(super) const LIGHT: Palette = [
    ("page", 0xf6f7f9),
    ("panel", 0xffffff),
    ("ink", 0x1b2330),
    ("soft", 0x525d6f),
    ("line", 0xd3d9e2),
    ("confirmed", 0xa8161c),
    ("confirmed-bg", 0xfdeaea),
    ("suspected", 0x8f4400),
    ("suspected-bg", 0xfdf0e2),
    ("watch", 0x6b5000),
    ("watch-bg", 0xfaf3d6),
    ("clear", 0x12633a),
    ("clear-bg", 0xe6f5ec),
    ("unknown", 0x475163),
    ("unknown-bg", 0xebeef3),
];

/// By night.
pub(super) const DARK: Palette = [
    ("page", 0x12161c),
    ("panel", 0x1a2029),
    ("ink", 0xe6eaf0),
    ("soft", 0xa7b2c2),
    ("line", 0x38424f),
    ("confirmed", 0xff9d9d),
    ("confirmed-bg", 0x43191c),
    ("suspected", 0xffb877),
    ("suspected-bg", 0x3f2812),
    ("watch", 0xf0d268),
    ("watch-bg", 0x39300d),
    ("clear", 0x83dba8),
    ("clear-bg", 0x12351f),
    ("unknown", 0xc0c8d4),
    ("unknown-bg", 0x2a323d),
];

const SHEET: &str = "\
*{box-sizing:border-box}\
html{-webkit-text-size-adjust:100%}\
body{margin:0;background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"DejaVu Sans\",sans-serif}\
.sheet{max-width:62rem;margin:0 auto;padding:1.25rem 1rem 3rem}\
h1,h2,h3,h4{line-height:1.25;margin:0;overflow-wrap:anywhere}\
h2{font-size:1.2rem;margin:2rem 0 .7rem}\
h3{font-size:1.05rem}\
h4{font-size:.92rem;margin:1rem 0 .3rem;color:var(--soft)}\
p{margin:.4rem 0;overflow-wrap:anywhere}\
ol,ul{margin:.4rem 0;padding-left:1.4rem}\
li{margin:.35rem 0;overflow-wrap:anywhere}\
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;font-size:.86em;overflow-wrap:anywhere}\
td,th,code,dd{unicode-bidi:isolate}\
.soft,.cite{color:var(--soft)}\
.cite{font-size:.88rem}\
.brand{font-size:.85rem;color:var(--soft);margin:0 0 .6rem}\
.card{background:var(--panel);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.15rem;margin:.8rem 0}\
.banner{border-radius:.6rem;border:1px solid;border-left-width:.5rem;padding:1.1rem 1.25rem}\
.banner h1{font-size:1.75rem}\
.banner .headline{font-size:1.08rem;color:var(--ink);margin:.35rem 0 0}\
.banner .counts{color:var(--ink);font-size:.92rem;margin:.35rem 0 0}\
.confirmed{background:var(--confirmed-bg);color:var(--confirmed);border-color:var(--confirmed)}\
.suspected{background:var(--suspected-bg);color:var(--suspected);border-color:var(--suspected)}\
.watch{background:var(--watch-bg);color:var(--watch);border-color:var(--watch)}\
.clear{background:var(--clear-bg);color:var(--clear);border-color:var(--clear)}\
.unknown{background:var(--unknown-bg);color:var(--unknown);border-color:var(--unknown)}\
.origin{border:1px solid var(--unknown);border-radius:.6rem;background:var(--unknown-bg);padding:.45rem 1.25rem;margin:.8rem 0}\
.device{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem 1.5rem;margin:.9rem 0 0}\
.device div{min-width:0}\
dt{font-size:.82rem;color:var(--soft)}\
dd{margin:0;overflow-wrap:anywhere}\
.steps{padding-left:0;list-style:none;counter-reset:s;margin:0}\
.steps>li{position:relative;padding-left:2.6rem;margin:.9rem 0;min-height:1.8rem}\
.steps>li:first-child{margin-top:0}\
.steps>li:last-child{margin-bottom:0}\
.steps .n{position:absolute;left:0;top:-.1rem;width:1.8rem;height:1.8rem;border:1px solid var(--soft);border-radius:50%;text-align:center;line-height:1.7rem;font-weight:600;font-size:.95rem}\
.steps p{margin:0}\
.blocked{margin-top:.3rem!important}\
.badge{display:inline-block;border:1px solid;border-radius:1rem;padding:.05rem .7rem;font-size:.88rem;font-weight:600;white-space:nowrap}\
.finding{border-left-width:.4rem}\
.finding.confirmed,.finding.suspected,.finding.watch{background:var(--panel);color:var(--ink);border-top-color:var(--line);border-right-color:var(--line);border-bottom-color:var(--line)}\
.finding h3{margin-top:.5rem}\
.quiet thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\
.code{font-weight:400;color:var(--soft);white-space:nowrap}\
table{border-collapse:collapse;width:100%;margin:.3rem 0}\
caption{text-align:left;color:var(--soft);font-size:.88rem;padding:.2rem 0}\
th,td{text-align:left;vertical-align:top;padding:.32rem .8rem .32rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}\
.long{overflow-wrap:anywhere}\
tr:last-child>td,tr:last-child>th{border-bottom:0}\
thead th{white-space:nowrap;font-size:.82rem;color:var(--soft);font-weight:600;border-bottom-color:var(--soft)}\
tbody th{font-weight:400}\
.evidence tbody th[scope=row]{width:40%}\
.parts{font-size:.9rem}\
.parts tbody th{min-width:6.5rem}\
th.thing{font-weight:600;padding-top:.6rem}\
.at{display:block;color:var(--soft);font-size:.85rem}\
.narrow{width:1%;white-space:nowrap}\
.whole{white-space:nowrap}\
.answer{border-radius:.5rem;border:1px solid;padding:.5rem .8rem;margin:.9rem 0 0}\
.answer p{margin:0;color:var(--ink)}\
.answer strong{margin-right:.3rem}\
.next{margin:.9rem 0 0}\
.maps{display:grid;grid-template-columns:minmax(0,1fr);gap:.6rem 2rem;align-items:start;margin-top:1rem}\
@media (min-width:52rem){.maps{grid-template-columns:minmax(0,21rem) minmax(0,1fr)}}\
figure{margin:0;min-width:0}\
figcaption{font-weight:600;overflow-wrap:anywhere}\
figcaption .soft{font-weight:400;font-size:.88rem;display:block}\
svg{display:block;width:100%;height:auto;margin:.4rem 0}\
.map svg{max-width:30rem}\
svg text{font-family:inherit;fill:var(--ink)}\
svg .l{font-size:10.5px;font-weight:600}\
svg .w{font-size:10px;font-weight:600}\
svg .s{font-size:9px}\
svg .f{fill:none;stroke:var(--line)}\
svg g.confirmed rect{fill:var(--confirmed-bg);stroke:var(--confirmed);stroke-width:3}\
svg g.suspected rect{fill:var(--suspected-bg);stroke:var(--suspected);stroke-width:2.5}\
svg g.watch rect{fill:var(--watch-bg);stroke:var(--watch);stroke-width:2;stroke-dasharray:7 3}\
svg g.clear rect{fill:var(--clear-bg);stroke:var(--clear)}\
svg g.unknown rect{fill:var(--unknown-bg);stroke:var(--unknown);stroke-width:1.5;stroke-dasharray:2 3}\
svg g.empty rect{fill:none;stroke:var(--soft);stroke-dasharray:5 4}\
svg g.confirmed .w{fill:var(--confirmed)}\
svg g.suspected .w{fill:var(--suspected)}\
svg g.watch .w{fill:var(--watch)}\
svg g.clear .w{fill:var(--clear)}\
svg g.unknown .w{fill:var(--unknown)}\
svg g.empty .w{fill:var(--soft)}\
.charts+h3{margin-top:1.2rem}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,19rem),1fr));gap:.8rem}\
.chart{margin:0}\
.chart figcaption{font-size:.95rem}\
.chart p{font-size:.88rem;color:var(--soft);margin:0}\
.chart svg text{font-size:10px;fill:var(--soft)}\
svg .v{fill:none;stroke:var(--ink);stroke-width:1.8;stroke-linejoin:round}\
svg .d{fill:var(--ink)}\
svg .a{stroke:var(--line);fill:none}\
svg .r{stroke:var(--soft);stroke-dasharray:3 3;fill:none}\
footer{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:.7rem;font-size:.88rem;color:var(--soft)}\
@media (max-width:34rem){.sheet{padding:.7rem .7rem 2rem}.banner{padding:.9rem 1rem}.banner h1{font-size:1.45rem}.card{padding:.8rem .85rem}.parts thead{display:none}.parts tr{display:block;border-bottom:1px solid var(--line);padding:.35rem 0}.parts td,.parts th{display:block;border:0;padding:.05rem 0;width:auto;white-space:normal}.parts tbody th{font-weight:600}}\
@page{size:A4;margin:14mm}\
@media print{html{font-size:9pt}body{line-height:1.4;background:none}.sheet{max-width:none;padding:0}h2{margin:1rem 0 .4rem}h4{margin:.5rem 0 .1rem}p,li{margin:.2rem 0}th,td{padding:.12rem .6rem .12rem 0}.maps{grid-template-columns:6.6cm minmax(0,1fr)}.answer,.next{margin:.4rem 0 0}.card,.banner,.origin,.answer,.badge{background:none!important}.card{padding:.5rem .8rem;margin:.5rem 0}h2,h3,h4,figcaption,caption,.intro{break-after:avoid}li,tr,figure,.answer,.banner,.brief,.finding{break-inside:avoid}.lead{break-inside:avoid;break-after:avoid}.charts{grid-template-columns:1fr 1fr}svg rect{fill:none!important}p,li{orphans:3;widows:3}}";

/// The sheet with both palettes.
pub(super) fn sheet() -> String {
    let variables = |palette: &Palette| -> String {
        palette.iter().map(|(name, colour)| format!("--{name}:#{colour:06x};")).collect()
    };
    // Paper is white whatever the screen was.
    format!(
        ":root{{color-scheme:light dark;{}}}@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}{SHEET}",
        variables(&LIGHT),
        variables(&DARK)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair that text stands in: colour of the text, of what is behind it.
    const PAIRS: [(&str, &str); 23] = [
        ("ink", "page"),
        ("ink", "panel"),
        ("soft", "page"),
        ("soft", "panel"),
        ("ink", "confirmed-bg"),
        ("ink", "suspected-bg"),
        ("ink", "watch-bg"),
        ("ink", "clear-bg"),
        ("ink", "unknown-bg"),
        ("confirmed", "confirmed-bg"),
        ("suspected", "suspected-bg"),
        ("watch", "watch-bg"),
        ("clear", "clear-bg"),
        ("unknown", "unknown-bg"),
        ("confirmed", "panel"),
        ("suspected", "panel"),
        ("watch", "panel"),
        ("clear", "panel"),
        ("unknown", "panel"),
        ("soft", "unknown-bg"),
        ("soft", "clear-bg"),
        ("soft", "watch-bg"),
        ("soft", "confirmed-bg"),
    ];

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: Rgb) -> f64 {
        let [_, red, green, blue] = colour.to_be_bytes();
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_stands_out() {
        assert!((contrast(0x000000, 0xffffff) - 21.0).abs() < 0.001);
        for palette in [&LIGHT, &DARK] {
            let colour =
                |name: &str| palette.iter().find(|(own, _)| *own == name).expect("a colour of the palette").1;
            for (text, behind) in PAIRS {
                let ratio = contrast(colour(text), colour(behind));
                assert!(ratio >= 4.5, "{text} on {behind}: {ratio:.2}");
            }
        }
    }

    #[test]
    fn the_sheet_loads_nothing_and_names_no_colour_of_its_own() {
        let sheet = sheet();
        for word in ["url(", "@import", "@font-face", "http", "expression"] {
            assert!(!sheet.contains(word), "{word}");
        }
        assert!(!SHEET.contains("#"), "colours are in the palettes");
        for used in SHEET.split("var(--").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(LIGHT.iter().any(|(name, _)| *name == used), "--{used} is no colour of the palette");
        }
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
    }
}
