//! The numbers of the drawn pages, read back out of them, are the crates' own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use camelid_atlas::{Side, site};
use camelid_families::{Backend, Library};
use camelid_mlp::Activation;
use camelid_rope::{Rope, Scaling, Settings};
use camelid_yarn::Yarn;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::built_in().expect("the built-in families"));
static SITE: LazyLock<BTreeMap<String, String>> = LazyLock::new(made);

fn made() -> BTreeMap<String, String> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    site(&LIBRARY, &cases).expect("the site")
}

fn page(name: &str) -> &'static str {
    &SITE[name]
}

/// What stands between two texts, the first after `from`.
fn between<'t>(text: &'t str, from: &str, begin: &str, end: &str) -> &'t str {
    let at = text.find(from).unwrap_or_else(|| panic!("the page has no {from}"));
    let rest = &text[at..];
    let start = rest.find(begin).unwrap_or_else(|| panic!("no {begin} after {from}")) + begin.len();
    &rest[start..start + rest[start..].find(end).unwrap_or_else(|| panic!("no {end} after {begin}"))]
}

/// The cells of a table's body, row by row, without tags.
fn cells(page: &str, mark: &str) -> Vec<Vec<String>> {
    let body = between(page, &format!("<table {mark}"), "<tbody>", "</tbody>");
    let row =
        |row: &str| row.split("<t").skip(1).map(|cell| plain(&format!("<t{cell}"))).collect::<Vec<String>>();
    body.split("<tr>").skip(1).map(row).collect()
}

/// A text without its tags.
fn plain(html: &str) -> String {
    let after = html.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    after.collect::<String>().trim().to_owned()
}

/// A column of a chart's table.
fn column(page: &str, chart: &str, at: usize) -> Vec<f64> {
    let rows = cells(page, &format!("data-chart=\"{chart}\""));
    assert!(rows.len() > 4, "{chart} has {} rows", rows.len());
    rows.iter().map(|row| row[at].parse().unwrap_or_else(|_| panic!("{row:?}"))).collect()
}

/// The points of a chart's line, from pixels back to numbers.
fn drawn(page: &str, chart: &str, line: &str) -> Vec<[f64; 2]> {
    let mark = format!("data-chart=\"{chart}\" data-x");
    let axis = |name: &str| {
        let words = between(page, &mark, &format!("data-{name}=\""), "\"");
        let [scale, min, max] = words.split(' ').collect::<Vec<_>>()[..] else { panic!("{words}") };
        let (min, max): (f64, f64) = (min.parse().expect("a number"), max.parse().expect("a number"));
        let is_log = scale == "log";
        move |share: f64| if is_log { min * (max / min).powf(share) } else { min + share * (max - min) }
    };
    let (x, y) = (axis("x"), axis("y"));
    let rest = &page[page.find(&mark).expect("the chart")..];
    let path = between(rest, &format!("data-line=\"{line}\""), "d=\"", "\"");
    let points = path.split(['M', 'L']).skip(1).map(|point| {
        let (px, py) = point.split_once(' ').expect("two numbers");
        let (px, py): (f64, f64) = (px.parse().expect("a number"), py.parse().expect("a number"));
        [x((px - 46.0) / (350.0 - 46.0)), y((200.0 - py) / (200.0 - 10.0))]
    });
    points.collect()
}

/// The section of a page that has a title, and the number of its chart.
fn section<'p>(page: &'p str, title: &str, prefix: &str) -> (&'p str, String) {
    let at = page.find(&format!(">{title}</h2>")).unwrap_or_else(|| panic!("no section {title}"));
    let rest = &page[at..];
    let number = between(rest, "<figure", &format!("id=\"{prefix}-"), "-title\"");
    (rest, format!("{prefix}-{number}"))
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let apart = (found - expected).abs() / expected.abs().max(1e-12);
        assert!(apart < relative, "at {at}: drawn is {found}, the crate says {expected}");
    }
}

#[test]
fn rotary_frequencies_are_those_of_the_crates() {
    let rope = page("rope.html");
    let check = |title: &str, expected: &[f64]| {
        let (section, chart) = section(rope, title, "speeds");
        near(&column(section, &chart, 1), expected, 1e-4);
        let line: Vec<f64> = drawn(section, &chart, "as declared").iter().map(|point| point[1]).collect();
        near(&line, expected, 5e-3);
    };
    let settings = |theta: f64, head_dim: usize, context: usize| Settings {
        theta,
        head_dim,
        rotary_dim: head_dim,
        context: Some(context),
    };
    let plain = |settings: Settings, scaling: Scaling, length: usize| {
        Rope::new(settings, scaling).expect("settings").frequencies(length).inverse
    };
    check("Plain", &plain(settings(1e4, 128, 4096), Scaling::Default {}, 4096));
    check("Linear", &plain(settings(1e4, 128, 4096), Scaling::Linear { factor: 4.0 }, 4096));
    let dynamic = Scaling::Dynamic { factor: 4.0, original_max_position_embeddings: None };
    check("Dynamic NTK", &plain(settings(1e4, 128, 4096), dynamic, 16_384));
    let llama3 = Scaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    check("llama3 scaling", &plain(settings(5e5, 128, 131_072), llama3, 131_072));
    check("Dynamic NTK in steps", &plain(settings(1e4, 128, 2048), Scaling::Stepped {}, 8192));
    let yarn = Yarn { original_max_position_embeddings: Some(32_768), ..Yarn::new(4.0) };
    let yarn = yarn.frequencies(&settings(1e6, 128, 32_768)).expect("settings");
    check("YaRN", &yarn.inverse);
    // Of LongRoPE's two lists the one up to the trained length, then the one beyond it; the chart comes after a list of bands.
    let (found, short) = section(rope, "LongRoPE", "speeds");
    let long = format!("speeds-{}", short["speeds-".len()..].parse::<usize>().expect("a number") + 1);
    let slowed = |chart: &str, pair: usize| column(found, chart, 2)[pair] / column(found, chart, 1)[pair];
    for (chart, first, last) in [(&short, 1.1, 3.05), (&long, 1.07, 64.760_002)] {
        near(&[slowed(chart, 0), slowed(chart, 47)], &[first, last], 1e-3);
    }
    let (section, chart) = section(rope, "YaRN", "distances");
    let first = column(section, &chart, 1)[0];
    let expected = yarn.inverse.iter().map(|f| f.cos()).sum::<f64>() / 64.0 * yarn.factor * yarn.factor;
    near(&[first], &[expected], 1e-4);
}

#[test]
fn slopes_and_what_they_leave_are_those_of_the_crate() {
    let alibi = page("alibi.html");
    let slopes: Vec<f64> = camelid_alibi::slopes(40).into_iter().map(f64::from).collect();
    near(&column(alibi, "slopes-0", 1), &slopes, 1e-4);
    let line: Vec<f64> = drawn(alibi, "slopes-0", "slope").iter().map(|point| point[1]).collect();
    near(&line, &slopes, 2e-2);
    let steepest = slopes.iter().copied().fold(0.0, f64::max);
    let (places, left) = (column(alibi, "left-0", 0), column(alibi, "left-0", 1));
    let expected: Vec<f64> = places.iter().map(|place| (-steepest * place).exp()).collect();
    let kept = left.iter().zip(&expected).filter(|(_, expected)| **expected > 1e-30).map(|(l, e)| (*l, *e));
    let (left, expected): (Vec<f64>, Vec<f64>) = kept.unzip();
    near(&left, &expected, 1e-3);
}

#[test]
fn activations_and_caps_are_those_of_the_crates() {
    let text = page("activations.html");
    let head = between(text, "<table data-chart=\"activations\"", "<thead>", "</thead>");
    let at = |name: &str| {
        let heads: Vec<_> = head.split("<th scope=\"col\">").skip(1).collect();
        heads
            .iter()
            .position(|head| head.starts_with(&format!("{name}<")))
            .unwrap_or_else(|| panic!("{head}"))
    };
    let x = column(text, "activations", 0);
    for (name, activation) in [("silu", Activation::Silu), ("gelu_pytorch_tanh", Activation::GeluTanh)] {
        let mut values: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        activation.apply(&mut values, &Backend::serial());
        for (found, expected) in column(text, "activations", at(name)).iter().zip(values) {
            assert!((found - f64::from(expected)).abs() < 6e-4, "{name}: {found} and {expected}");
        }
    }
    let (x, capped) = (column(text, "caps", 0), column(text, "caps", 1));
    let cap = capped.iter().copied().fold(0.0, f64::max).round();
    for (x, found) in x.iter().zip(capped) {
        assert!((found - cap * (x / cap).tanh()).abs() < 1e-2, "cap {cap} at {x}: {found}");
    }
}

#[test]
fn masks_are_the_runs_that_attention_asks_for() {
    let masks = page("masks.html");
    let figures: Vec<&str> = masks.split("<figure class=\"mask\">").skip(1).collect();
    let figure = |title: &str, layers: &str| {
        let found = figures.iter().find(|figure| {
            figure.contains(&format!("<strong>{title}</strong>"))
                && figure.contains(&format!("layers {layers}<"))
        });
        *found.unwrap_or_else(|| panic!("no mask {title}, layers {layers}"))
    };
    let check = |figure: &str, expected: &dyn Fn(usize) -> Vec<(usize, usize)>| {
        let id = between(figure, "<svg", "data-mask=\"", "\"");
        let rows = cells(figure, &format!("data-mask=\"{id}\""));
        let svg = between(figure, "<svg", "</desc>", "</svg>");
        let rects: Vec<&str> = svg.split("<rect class=\"run").skip(1).collect();
        let mut drawn: Vec<(usize, usize, usize)> = rects
            .iter()
            .map(|rect| {
                let number = |name: &str| -> usize {
                    between(rect, "\"", &format!("{name}=\""), "\"").parse().expect("a number")
                };
                (number(" y") / 10, number(" x") / 10, (number(" x") + number(" width")) / 10 - 1)
            })
            .collect();
        drawn.sort_unstable();
        let mut said = Vec::new();
        for (query, row) in rows.iter().enumerate() {
            let runs = row[1].split("; ").map(|run| {
                let words: Vec<&str> = run.split_whitespace().collect();
                (words[0].parse().expect("a key"), words[2].parse().expect("a key"))
            });
            let mut runs: Vec<(usize, usize)> = runs.collect();
            runs.sort_unstable();
            assert_eq!(runs, expected(query), "query {query}");
            said.extend(runs.into_iter().map(|(first, last)| (query, first, last)));
        }
        assert_eq!(drawn, said, "what is drawn and what is said");
        assert!(rows.len() >= 24);
    };
    check(figure("Causal", "0–31"), &|i| vec![(0, i)]);
    check(figure("Windows by turns", "0, 2, … 24"), &|i| vec![((i + 1).saturating_sub(8), i)]);
    check(figure("Windows by turns", "1, 3, … 25"), &|i| vec![(0, i)]);
    check(figure("A prefix both ways", "0–27"), &|i| vec![(0, i.max(9))]);
    let llama4 = figures
        .iter()
        .find(|it| it.contains("<strong>Chunks</strong>") && it.contains("chunks of 8"))
        .expect("chunks");
    check(llama4, &|i| vec![(i / 8 * 8, i)]);
    check(figure("Dual chunks", "0–27"), &|i| {
        let own = i / 6 * 6;
        let runs = [(0, own.saturating_sub(6)), (own.saturating_sub(6), own), (own, i + 1)];
        runs.into_iter().filter(|(a, b)| a < b).map(|(a, b)| (a, b - 1)).collect()
    });
}

#[test]
fn cache_and_parameters_are_those_of_the_architecture() {
    let memory = page("memory.html");
    let of = |family: &str, size: &str| {
        Side::of_size(LIBRARY.get(family).expect("a family"), Some(size), &[])
            .expect("it resolves")
            .architecture
    };
    let lengths = column(memory, "cache", 0);
    for (at, (family, size)) in [(1, ("llama2", "7B")), (2, ("llama3", "8B"))] {
        let architecture = of(family, size);
        let expected: Vec<f64> = lengths
            .iter()
            .map(|tokens| {
                2.0 * 2.0 * 32.0 * 128.0 * architecture.layers[0].attention.kv_heads as f64 * tokens / 1e9
            })
            .collect();
        near(&column(memory, "cache", at), &expected, 1e-4);
    }
    let rows = cells(memory, "class=\"sortable\" id=\"sizes\"");
    let sizes: usize = LIBRARY.families().map(|family| family.sizes.len()).sum();
    assert_eq!(rows.len(), sizes);
    for row in rows {
        let published = LIBRARY.get(&row[0]).expect("a family").sizes.iter().find(|size| size.name == row[1]);
        let parameters: u64 = row[2].replace(',', "").parse().expect("a number");
        assert_eq!(parameters, published.expect("a size").parameters, "{row:?}");
        let cache: u64 = row[3].replace(',', "").parse().expect("a number");
        // A token's own, as long as no window is full.
        assert_eq!(cache, 1_000 * of(&row[0], &row[1]).cache_bytes(256) / 512, "{row:?}");
    }
}

#[test]
fn routes_are_those_of_the_reference() {
    let router = page("router.html");
    let first = cells(router, "data-route=\"route-0\"");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/qwen3-moe/base");
    let case = camelid_verify::Case::open(&folder).expect("the case");
    let tap = camelid_families::Tap { layer: Some(1), stage: camelid_families::Stage::Experts };
    let (chosen, weights) = (
        case.reference.tap(tap).expect("the reference's choice"),
        case.reference
            .tap(camelid_families::Tap { stage: camelid_families::Stage::ExpertWeights, ..tap })
            .expect("its weights"),
    );
    assert_eq!(first.len(), chosen.nrows());
    for (token, row) in first.iter().enumerate() {
        let pairs = row[2].split(", ").map(|pair| pair.split_once(": ").expect("expert: weight"));
        for (place, (expert, weight)) in pairs.enumerate() {
            assert_eq!(expert.parse::<f64>().expect("a number"), chosen[[token, place]], "token {token}");
            let weight: f64 = weight.parse().expect("a number");
            assert!((weight - weights[[token, place]]).abs() < 1e-3, "token {token}: {weight}");
        }
    }
}

#[test]
fn the_site_is_the_same_twice_and_links_to_every_family() {
    assert!(made() == *SITE);
    for family in LIBRARY.families() {
        assert!(page("index.html").contains(&format!("family/{}.html", family.name)));
        assert!(SITE.contains_key(&format!("family/{}.html", family.name)));
    }
}
