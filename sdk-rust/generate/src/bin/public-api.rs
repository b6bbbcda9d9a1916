//! Lists the public API of a crate from its documentation: `public-api target/doc/vexfs_client`.
//!
//! rustdoc knows what is public, macros and re-exports included; its pages mark every item with an id. The list is sorted, one
//! item a line: declarations, their fields, variants and methods with signatures, and the traits they implement.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| io::Error::other("usage: public-api DOC_FOLDER"))?;
    let mut items = BTreeSet::new();
    walk(&folder, &folder, &mut items)?;
    if items.is_empty() {
        return Err(io::Error::other("there is no documentation in that folder"));
    }
    for item in items {
        println!("{item}");
    }
    Ok(())
}

fn walk(root: &Path, folder: &Path, items: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, items)?;
        } else if let Some((kind, name)) = page(&path) {
            let module = path.parent().and_then(|parent| parent.strip_prefix(root).ok()).map(Path::to_string_lossy);
            let place = module.filter(|module| !module.is_empty()).map_or(String::new(), |module| format!("{module}::"));
            list(&fs::read_to_string(&path)?, &format!("{kind} {place}{name}"), items);
        }
    }
    Ok(())
}

/// Kind and name of the item that a page is about, such as `struct.File.html`.
fn page(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".html")?;
    let (kind, name) = name.split_once('.')?;
    Some((kind.to_owned(), name.to_owned()))
}

fn list(html: &str, item: &str, items: &mut BTreeSet<String>) {
    let declaration = html.split_once("<pre class=\"rust item-decl\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    items.insert(item.to_owned());
    if item.starts_with("constant ") {
        // Its value may change.
        return;
    }
    // A struct's or an enum's declaration holds its fields and variants; those hidden in it are not public.
    if let Some((declaration, _)) = declaration {
        for line in text(declaration).lines().map(folded).filter(|line| !["", "{", "}"].contains(line)) {
            items.insert(format!("{item}: {line}"));
        }
    }
    // What every type has by itself says nothing; it stands last.
    let own = html.split("id=\"synthetic-implementations\"").next().unwrap_or(html);
    let own = own.split("id=\"blanket-implementations\"").next().unwrap_or(own);
    for header in own.split("class=\"code-header\">").skip(1) {
        let signature = header.split_once("</h").map_or(header, |(signature, _)| signature);
        let signature = text(signature).split_whitespace().collect::<Vec<_>>().join(" ");
        let trait_of =
            signature.starts_with("impl") && signature.contains(" for ") && !signature.contains("StructuralPartialEq");
        if signature.starts_with("pub ") || trait_of {
            items.insert(format!("{item}: {signature}"));
        }
    }
}

/// A line of a declaration, without the words of a button that folds long ones.
fn folded(line: &str) -> &str {
    let shown = ["fields", "variants"].iter().find_map(|what| line.strip_prefix("Show ")?.split_once(what));
    shown.map_or(line, |(_, line)| line).trim()
}

/// The text of HTML.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (code, plain)| text.replace(code, plain))
}
