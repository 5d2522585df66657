//! Imports between modules have no circles, in the library, `xtask` and the starting points, so that no two
//! modules are needed to understand each other.
//!
//! The imports are parsed from the text: `use`, and paths that begin with `crate`, `super`, `self` or a child
//! module. A `pub use` is a re-export and not an import; so is each `use` in a crate's root.
#![allow(clippy::unwrap_used, reason = "an unreadable file has to fail the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// A path in the code, such as `crate::event::Event`, without `crate`.
type Names = Vec<String>;

/// A crate's modules by their paths; the path of the crate's root is empty.
type Modules = BTreeMap<Names, Module>;

struct Module {
    file: PathBuf,
    /// The paths that it uses, from the crate's root.
    used: BTreeSet<Names>,
    /// The re-exported items, by their names here.
    doors: BTreeMap<String, Names>,
    /// The modules whose items are all re-exported.
    globs: Vec<Names>,
}

#[test]
fn imports_have_no_circles() {
    // These three files have the rules of one type, `Engine`.
    let one_type = ["engine", "files", "look"]
        .map(|file| ["parts", "recursion", file].map(String::from).to_vec());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let starts = fs::read_dir(root.join("template/src")).unwrap();
    let starts = starts.map(|start| start.unwrap().path().join("lib.rs"));
    let crates =
        ["src/lib.rs", "xtask/src/lib.rs"].map(|main| root.join(main)).into_iter().chain(starts);
    let mut circles = String::new();
    for main in crates {
        assert!(main.is_file(), "{}", main.display());
        let modules = modules(&main);
        for circle in self::circles(&modules) {
            if circle.iter().all(|(from, to, _)| one_type.contains(from) && one_type.contains(to)) {
                continue;
            }
            circles += "\n";
            for (from, to, name) in circle {
                let [from, to] =
                    [from, to].map(|it| modules[it].file.strip_prefix(root).unwrap().display());
                _ = write!(circles, "\n{from} takes {name} from {to}");
            }
        }
    }
    assert!(circles.is_empty(), "modules that import each other:{circles}");
}

/// The folders of the library, and those of the suite, in the order of ARCHITECTURE.md: each uses only those
/// before it.
#[test]
fn folders_use_those_before_them() {
    let rows: [(&[&str], &[&str]); 2] = [
        (&[], &["contract", "parts", "consumers", "compliance"]),
        (&["compliance"], &["record", "rules", "scene", "case", "cases", "report", "running"]),
    ];
    let modules = modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let mut upwards = String::new();
    let mut count = 0;
    for (place, row) in rows {
        let rank = |module: &Names| {
            let inside = module.iter().map(String::as_str).collect::<Vec<_>>();
            let folder = *inside.strip_prefix(place)?.first()?;
            row.iter().position(|name| *name == folder)
        };
        for (path, module) in &modules {
            for home in module.used.iter().filter_map(|names| home(names, &modules, 8)) {
                let (Some(from), Some(to)) = (rank(path), rank(&home)) else { continue };
                count += 1;
                if from < to {
                    _ = write!(upwards, "\n{} uses {}", path.join("::"), home.join("::"));
                }
            }
        }
    }
    assert!(count > 500, "only {count} uses were found");
    assert!(upwards.is_empty(), "upwards:{upwards}");
}

fn modules(main: &Path) -> Modules {
    let mut modules = Modules::new();
    read_module(main.to_owned(), main.parent().unwrap(), vec![], &mut modules);
    modules
}

/// Reads a module and its child modules, which are in `folder`.
fn read_module(file: PathBuf, folder: &Path, path: Names, modules: &mut Modules) {
    let text = code(&fs::read_to_string(&file).unwrap());
    let declared = text.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        line.trim_start_matches("pub(super) ").strip_prefix("mod ")?.strip_suffix(';')
    });
    let declared: Vec<_> = declared.map(String::from).collect();
    for name in declared.iter().filter(|name| *name != "tests" && *name != "model") {
        let child = folder.join(format!("{name}.rs"));
        if child.exists() {
            let path = below(&path, name);
            read_module(child, &folder.join(name), path, modules);
        }
    }
    let mut module = Module { file, used: BTreeSet::new(), doors: BTreeMap::new(), globs: vec![] };
    let absolute = |names: &[String]| absolute(names, &path, &declared);
    let mut rest = String::new();
    for statement in text.split_inclusive(';') {
        // A `use` begins a line.
        let start = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "].iter();
        let start = start.filter_map(|start| {
            let found = statement.rfind(&format!("\n{start}"));
            found.or(statement.starts_with(start).then_some(0)).map(|at| (at, start))
        });
        let Some((at, start)) = start.max() else {
            rest += statement;
            continue;
        };
        rest += &statement[..at];
        let tree = statement[at..].trim_start().strip_prefix(start).unwrap();
        let mut leaves = vec![];
        expand(tree.trim_end_matches(';'), &[], &mut leaves);
        for (names, known_as) in leaves {
            let Some(names) = absolute(&names) else { continue };
            match (*start, &*known_as) {
                ("use ", _) if !path.is_empty() => _ = module.used.insert(names),
                (_, "*") => module.globs.push(names),
                _ => _ = module.doors.insert(known_as, names),
            }
        }
    }
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in rest.match_indices("::") {
        let start =
            rest[..at].rfind(|c| !is_name(c) && c != ':' && c != '$').map_or(0, |it| it + 1);
        let end = rest[at..].find(|c| !is_name(c) && c != ':').map_or(rest.len(), |it| at + it);
        let names: Names = rest[start..end].split("::").map(String::from).collect();
        module.used.extend(absolute(&names));
    }
    modules.insert(path, module);
}

/// Returns the code without comments, strings, and the imports of an inner module from the one around it.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    let lines =
        lines.filter(|line| !line.trim_start().starts_with("use super") || line.starts_with("use"));
    lines.flat_map(|line| line.split('"').step_by(2).chain(["\n"])).collect()
}

/// Adds the paths of a tree such as `a::{b, c as d}`, each with the name that its end has here.
fn expand(tree: &str, before: &[String], leaves: &mut Vec<(Names, String)>) {
    let tree = tree.trim();
    let (head, branches) = match tree.split_once('{') {
        Some((head, rest)) => (head, rest.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let (head, known_as) = head.split_once(" as ").unwrap_or((head, ""));
    let head = head.split("::").map(str::trim).filter(|name| !name.is_empty() && *name != "*");
    let names: Names = before.iter().cloned().chain(head.map(String::from)).collect();
    let Some(branches) = branches else {
        let names: Names = match names.split_last() {
            Some((last, names)) if last == "self" => names.to_vec(),
            _ => names,
        };
        let last = if tree.ends_with('*') { "*" } else { names.last().map_or("", |name| name) };
        let known_as = if known_as.is_empty() { last.to_owned() } else { known_as.trim().into() };
        leaves.push((names, known_as));
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in branches.char_indices().chain([(branches.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !branches[start..at].trim().is_empty() {
                    expand(&branches[start..at], &names, leaves);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Returns the path of an item in a module.
fn below(module: &[String], name: &str) -> Names {
    module.iter().cloned().chain([name.into()]).collect()
}

/// Returns the path from the crate's root; `None` if it leads to another crate.
fn absolute(names: &[String], module: &[String], declared: &[String]) -> Option<Names> {
    let (first, rest) = names.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let parent = module.split_last()?.1;
            let nested = ["self".to_owned()];
            let rest = [&nested[..], rest].concat();
            match rest.get(1).map(String::as_str) {
                Some("super") => absolute(&rest[1..], parent, &[]),
                _ => Some([parent, &rest[1..]].concat()),
            }
        }
        name if declared.iter().any(|it| it == name) => Some([module, names].concat()),
        _ => None,
    }
}

/// Returns the module that defines the item of a path, behind all re-exports.
fn home(names: &[String], modules: &Modules, doors: usize) -> Option<Names> {
    let mut module: Names = vec![];
    for (place, name) in names.iter().enumerate() {
        let inner = below(&module, name);
        if modules.contains_key(&inner) {
            module = inner;
            continue;
        }
        let rest = &names[place + 1..];
        if let Some(door) = modules[&module].doors.get(name) {
            return if doors == 0 {
                None
            } else {
                home(&[door, rest].concat(), modules, doors - 1)
            };
        }
        for glob in &modules[&module].globs {
            let inside = home(&below(glob, name), modules, doors.checked_sub(1)?)?;
            if fs::read_to_string(&modules[&inside].file).unwrap().contains(&format!(" {name}")) {
                return Some(inside);
            }
        }
        break;
    }
    Some(module)
}

/// Returns the imports that form each circle: the importing module, the other module, and the name.
fn circles(modules: &Modules) -> Vec<Vec<(&Names, &Names, String)>> {
    let mut uses = BTreeMap::<&Names, BTreeMap<&Names, String>>::new();
    for (path, module) in modules {
        for names in &module.used {
            let Some(home) = home(names, modules, 8) else { continue };
            let (home, _) = modules.get_key_value(&home).unwrap();
            if home != path {
                let name = names.last().cloned().unwrap_or_default();
                uses.entry(path).or_default().insert(home, name);
            }
        }
    }
    let reached = |from| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            let new = uses.get(module).into_iter().flat_map(|uses| uses.keys().copied());
            next.extend(new.filter(|module| seen.insert(*module)));
        }
        seen
    };
    let reached: BTreeMap<_, _> = modules.keys().map(|module| (module, reached(module))).collect();
    let mut circles = BTreeMap::<BTreeSet<_>, Vec<_>>::new();
    for (from, uses) in &uses {
        for (to, name) in uses {
            if reached[to].contains(from) {
                let both = reached[to].iter().filter(|other| reached[**other].contains(from));
                circles.entry(both.collect()).or_default().push((*from, *to, name.clone()));
            }
        }
    }
    circles.into_values().collect()
}
