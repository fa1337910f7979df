//! `cargo xtask docs`: the pages that are made from the data. A test fails when they are stale.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{gguf_page, ports_page, questions, tables};
use crate::commands::explaining::tree::{children, declared_lines};
use crate::commands::output::values::thousands;
use anyhow::{Context, bail};
use camelid_families::{Declaration, Expr, Library, Out, Role, TABLES, out, tensor_attributes, words};
use camelid_generate::memory;

/// Write the pages that are made from the data: docs/families.md, schema.md, gguf.md, which-ports-are-right.md, questions.md, atlas/,
/// and the tables of crates/tokenizers as JSON
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing; fail if a page is not what the data says
    #[arg(long)]
    pub check: bool,
    /// Cut the atlas's sentences anew by the real vocabularies in this folder, and write nothing else
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    pub tokens: Option<PathBuf>,
}

/// Runs `docs`.
///
/// # Errors
/// A page can't be written, or with `--check` is stale.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.tokens {
        return cut(folder);
    }
    let pages = pages()?;
    for stray in strays(&pages) {
        if args.check {
            bail!("{} is made from nothing; run `cargo xtask docs`", stray.display());
        }
        std::fs::remove_file(&stray).with_context(|| stray.display().to_string())?;
    }
    for (path, text) in pages {
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        if args.check && written != text {
            bail!("{} is not what the data says; run `cargo xtask docs`", path.display());
        }
        if !args.check && written != text {
            let folder = path.parent().unwrap_or(Path::new(""));
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
            outln!("{}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Every page that is made from the data, with its text.
///
/// # Errors
/// A built-in family can't be read, a question can't be answered, or a case can't be run.
pub fn pages() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let docs = docs();
    let library = Library::built_in()?;
    let mut pages = vec![
        (docs.join("families.md"), families(&library)),
        (docs.join("schema.md"), schema()),
        (docs.join("gguf.md"), gguf_page::page(&library, MADE)),
        (docs.join("which-ports-are-right.md"), ports_page::page(&docs.join(".."), MADE_OF_RESULTS)?),
        (docs.join("questions.md"), questions::page(MADE)?),
    ];
    pages.extend(tables::pages()?);
    let site = camelid_atlas::site(&library, &docs.join("../tests/cases"))?;
    pages.extend(site.into_iter().map(|(path, text)| (docs.join("atlas").join(path), text)));
    Ok(pages)
}

/// Files of the atlas that no page is any more.
#[must_use]
pub fn strays(pages: &[(PathBuf, String)]) -> Vec<PathBuf> {
    let atlas = docs().join("atlas");
    let files = [atlas.join("family"), atlas].into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    let files = files.flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    files.filter(|file| !pages.iter().any(|(path, _)| path == file)).collect()
}

fn docs() -> PathBuf {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    docs.canonicalize().unwrap_or(docs)
}

/// Writes `tokens.json` of the crate `atlas` anew, as far as there are vocabularies.
fn cut(folder: &Path) -> anyhow::Result<ExitCode> {
    let library = Library::built_in()?;
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../atlas/site/tokens.json");
    let written = std::fs::read_to_string(&place).with_context(|| place.display().to_string())?;
    let mut tokens: camelid_atlas::Tokens = serde_json::from_str(&written)?;
    let names: Vec<(String, Option<String>)> = (tokens.vocabularies.iter())
        .map(|(name, vocabulary)| (name.clone(), vocabulary.families.first().cloned()))
        .collect();
    for (name, family) in names {
        let path = folder.join(&name);
        if !path.is_dir() {
            outln!("{name}: no folder of this name in {}; left as it was", folder.display());
            continue;
        }
        let tokenizer = camelid_generate::vocabulary(&library, &path, family.as_deref())?;
        tokens.encode(&name, tokenizer.as_ref())?;
        outln!("{name}");
    }
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../atlas/site/tokens.json");
    let text =
        serde_json::to_string(&tokens)?.replace("]],[[", "]],\n[[").replace("\"families\"", "\n\"families\"");
    std::fs::write(&place, format!("{text}\n")).with_context(|| place.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

const MADE: &str = "<!-- Made by `cargo xtask docs` from the declarations and the types. Do not edit. -->\n";

const MADE_OF_RESULTS: &str =
    "<!-- Made by `cargo xtask docs` from tests/reference/ports/results. Do not edit. -->\n";

fn families(library: &Library) -> String {
    let mut text = format!("# The families\n{MADE}\n");
    text += "Each family is a file under `crates/families/families/` that says how it differs from the one it extends.\n\n";
    text += "## The tree\n```text\n";
    branch(library, None, "", &mut text);
    text += "```\n\n";
    text += include_str!("docs/families-sizes.md");
    for family in by_age(library) {
        text += &sizes(family);
    }
    text += "\n## What stays out\nThese are refused by name, because the schema has no words for what they do.\n\n";
    for Out { title, models, why } in out() {
        text += &format!("- {title} (`{}`): {why}\n", models.join("`, `"));
    }
    text += "\n## What each says\n";
    text += include_str!("docs/families-each.md");
    for family in by_age(library) {
        text += &says(library, family);
    }
    text
}

fn by_age(library: &Library) -> Vec<&Declaration> {
    let mut families: Vec<&Declaration> = library.families().collect();
    families.sort_by_key(|family| (family.released.clone(), family.chain.len()));
    families
}

fn branch(library: &Library, parent: Option<&str>, indent: &str, text: &mut String) {
    let children = children(library, parent);
    for (index, family) in children.iter().enumerate() {
        let last = index + 1 == children.len();
        let (mark, below) = match (parent, last) {
            (None, _) => ("", ""),
            (Some(_), true) => ("└── ", "    "),
            (Some(_), false) => ("├── ", "│   "),
        };
        *text += &format!("{indent}{mark}{}\n", family.name);
        branch(library, Some(&family.name), &format!("{indent}{below}"), text);
    }
}

fn sizes(family: &Declaration) -> String {
    let row = |size: &camelid_families::Size| {
        let Ok(resolved) = family.resolve(&size.config, &[]) else { return String::new() };
        let Some(layer) = resolved.layers.first() else { return String::new() };
        let number = |count: usize| thousands(count as u64);
        let context = resolved.stack.context.map_or_else(|| "–".into(), number);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {context} | {} | {} | {} |\n",
            family.name,
            size.name,
            number(resolved.embedding.width),
            resolved.stack.layers,
            layer.attention.heads,
            layer.attention.kv_heads,
            layer.attention.head_dim,
            number(layer.mlp.width),
            number(resolved.embedding.vocab),
            if resolved.output.tie { "yes" } else { "no" },
            thousands(resolved.plan().parameters()),
            memory::written(camelid_atlas::cache_of_thousand(&resolved)),
        )
    };
    let mut sizes: Vec<_> = family.sizes.iter().collect();
    sizes.sort_by_key(|size| size.parameters);
    sizes.into_iter().map(row).collect()
}

fn says(library: &Library, family: &Declaration) -> String {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut text = format!("\n### {} (`{}`)\n", family.title, family.name);
    text += &format!(
        "{} {}, {}. Source: {}\n\n",
        of(&family.summary),
        of(&family.by),
        of(&family.released),
        of(&family.source)
    );
    if let Some(rule) = &family.matches {
        text += &format!("Told by `{}`. ", rule.source());
    }
    let lines = Library::source(&family.name).map_or(0, declared_lines);
    text += &format!("{lines} lines beside sizes; {} cases.\n\n", cases(library, family));
    let parent = family.chain.get(1).map_or("nothing", String::as_str);
    text += &format!("Beyond `{parent}`:\n\n");
    let own = |file: &str| file == format!("families/{}.toml", family.name);
    for (word, entry) in family.words.iter().filter(|(_, entry)| own(&entry.origin.file)) {
        text += &format!("- `{word}` = `{}`\n", entry.expr.written());
    }
    for (roles, entry) in family.tensors.iter().filter(|(_, entry)| own(&entry.origin.file)) {
        let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
        text += &format!("- tensor `{}` = `{}`\n", roles.join(" | "), entry.expr.written());
    }
    let mut biased: Vec<(&Expr, Vec<&str>)> = Vec::new();
    for (role, entry) in family.bias.iter().filter(|(_, entry)| own(&entry.origin.file)) {
        match biased.iter_mut().find(|(expr, _)| **expr == entry.expr) {
            Some((_, roles)) => roles.push(role.name()),
            None => biased.push((&entry.expr, vec![role.name()])),
        }
    }
    for (expr, roles) in biased {
        text += &format!("- bias of `{}` = `{}`\n", roles.join(" | "), expr.written());
    }
    for (key, entry) in family
        .default
        .iter()
        .chain(&family.absent)
        .chain(&family.lets)
        .filter(|(_, entry)| own(&entry.origin.file))
    {
        text += &format!("- `{key}` is `{}` where config.json does not say\n", entry.expr.written());
    }
    text
}

fn cases(library: &Library, family: &Declaration) -> usize {
    crate::commands::proving::verify::carried(library, &family.name).map_or(0, |cases| cases.len())
}

fn schema() -> String {
    let mut text = format!("# The schema of a family's file\n{MADE}\n");
    text += include_str!("docs/schema-head.md");
    for table in TABLES {
        text +=
            &format!("\n### `[{table}]`\n| word | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for word in words().iter().filter(|word| word.table == table) {
            let default = word.default.as_deref().map_or_else(|| "must be said".into(), |d| format!("`{d}`"));
            text += &format!("| `{}` | {} | {default} | {} |\n", word.key, word.kind, word.meaning);
        }
    }
    text += include_str!("docs/schema-tensors.md");
    text += "\n| role | where | shape |\n| --- | --- | --- |\n";
    for role in Role::ALL {
        let place = if role.per_layer() { "each layer" } else { "once" };
        text += &format!("| `{role}` | {place} | {} |\n", shape(role));
    }
    text += "\n| attribute | values | meaning |\n| --- | --- | --- |\n";
    for (name, values) in tensor_attributes() {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        text += &format!("| `{name}` | {} | {} |\n", values.join(", "), attribute(name));
    }
    text += include_str!("docs/schema-tail.md");
    text
}

fn shape(role: Role) -> &'static str {
    match role {
        Role::Embedding | Role::Output => "`[vocab, width]`",
        Role::LayerEmbedding => "`[per_layer.vocab, layers · per_layer.width]`",
        Role::LayerProjection => "`[layers · per_layer.width, width]`",
        Role::LayerProjectionNorm => "`[per_layer.width]`",
        Role::LayerGate => "`[per_layer.width, width]`",
        Role::LayerOutput => "`[width, per_layer.width]`",
        Role::LayerScale => "`[1]`",
        Role::QueryDown => "`[latent.query_rank, width]`",
        Role::QueryDownNorm => "`[latent.query_rank]`",
        Role::Query => "`[heads · head_dim, width]`, or `[heads · head_dim, latent.query_rank]`",
        Role::Key | Role::Value => "`[kv_heads · head_dim, width]`",
        Role::LatentDown => "`[latent.rank + latent.turned, width]`",
        Role::LatentNorm => "`[latent.rank]`",
        Role::LatentUp => "`[heads · (latent.unturned + latent.value_dim), latent.rank]`",
        Role::DeltaQuery | Role::DeltaKey => "`[delta.key_heads · delta.key_dim, width]`",
        Role::DeltaValue => "`[delta.value_heads · delta.value_dim, width]`",
        Role::DeltaQueryConv | Role::DeltaKeyConv => {
            "`[delta.key_heads · delta.key_dim, 1, delta.conv_width]`"
        }
        Role::DeltaValueConv => "`[delta.value_heads · delta.value_dim, 1, delta.conv_width]`",
        Role::DeltaRate => "`[delta.value_heads, width]`",
        Role::DeltaDecayDown => "`[delta.decay_rank, width]`",
        Role::DeltaDecay => {
            "`[delta.value_heads, width]`, or by feature `[delta.value_heads · delta.key_dim, width]`; from `delta.decay_rank`"
        }
        Role::DeltaDecayBias => "`[delta.value_heads]`, or by feature `[delta.value_heads · delta.key_dim]`",
        Role::DeltaDecayLog => "`[delta.value_heads]`",
        Role::DeltaNorm => "`[delta.value_dim]`",
        Role::DeltaGateDown => "`[delta.gate_rank, width]`",
        Role::DeltaGate => "`[delta.value_heads · delta.value_dim, width]`; from `delta.gate_rank`",
        Role::DeltaOutput => "`[width, delta.value_heads · delta.value_dim]`",
        Role::Sink => "`[heads]`",
        Role::AttentionGate => "`[heads · head_dim, width]`, or `[heads, width]` with `per = \"each_head\"`",
        Role::AttentionOutput => "`[width, heads · head_dim]`, or `[width, heads · latent.value_dim]`",
        Role::QueryNorm => "`[head_dim]`, `[heads, head_dim]` or `[heads · head_dim]`, as `per` says",
        Role::KeyNorm | Role::ValueNorm => {
            "`[head_dim]`, `[kv_heads, head_dim]` or `[kv_heads · head_dim]`, as `per` says"
        }
        Role::Gate | Role::Up => "`[mlp.width, width]`",
        Role::Down => "`[width, mlp.width]`",
        Role::Router => "`[experts.count, width]`",
        Role::RouterCorrection | Role::RouterFactor => "`[experts.count]`",
        Role::ExpertGate | Role::ExpertUp => "`[experts.width, width]` each, or stacked `[count, …]`",
        Role::ExpertDown => "`[width, experts.width]` each, or stacked `[count, …]`",
        Role::SharedGate | Role::SharedUp => "`[experts.shared, width]`",
        Role::SharedDown => "`[width, experts.shared]`",
        Role::SharedScore => "`[1, width]`",
        Role::EmbeddingNorm
        | Role::AttentionNorm
        | Role::AttentionOutputNorm
        | Role::MlpNorm
        | Role::DenseOutputNorm
        | Role::RouterNorm
        | Role::ExpertsNorm
        | Role::ExpertsOutputNorm
        | Role::MlpOutputNorm
        | Role::LayerOutputNorm
        | Role::FinalNorm => "`[width]`",
    }
}

fn attribute(name: &str) -> &'static str {
    match name {
        "by" => {
            "how the rows of several roles lie: all rows of one, then of the next; for each kv head its queries, its key, its value; for each query head its rows of every role; or, of experts, one row of each by turns"
        }
        "per" => {
            "for `query_norm`, `key_norm`, `value_norm`: one weight for all heads; one for each head; all heads normed together"
        }
        "at" => "for `query_norm`, `key_norm`: before or after the rotary turn",
        "lies" => "for the matrices of experts: as linear layers are stored, or turned over",
        "suffix" => {
            "what follows the name in the checkpoint: `.weight`, or nothing (the bias of experts is then called `name_bias`)"
        }
        "when" => "a formula: the layer has the tensor only where it is true",
        "unit" => "for a norm: true, or a formula: it has no weight, so no tensor",
        "eps" => "for a norm: what it has in place of `norm.eps`",
        "offset" => "for a norm: what it has in place of `norm.offset`",
        "factor" => "for a norm: what its result is multiplied by",
        _ => "",
    }
}
