//! The texts that a program is made of: itself and the modules that it imports.

use super::access::{Access, NO_FILES};
use super::engine::World;
use super::parse::{Expr, Function, Import, Names, Parser, SyntaxError, constant_value};
use super::term::Word;
use crate::document::lenient;
use crate::value::{Failure, Map, Value};
use std::path::{Path, PathBuf};

/// One text, parsed.
pub struct Unit<'s> {
    /// its name in messages
    pub name: &'s str,
    pub text: &'s str,
    /// the directory that its `search` paths start from
    folder: PathBuf,
    path: Option<PathBuf>,
    functions: Vec<Slot<'s>>,
    main: Option<Expr<'s>>,
    links: Vec<Link<'s>>,
}

/// A function of a module: taken out when it is linked.
struct Slot<'s> {
    name: &'s str,
    arity: usize,
    function: Option<Function<'s>>,
    /// what it is called once it is linked
    word: Option<Word<'s>>,
}

enum Link<'s> {
    Include(usize),
    Import(&'s str, usize),
    /// the variable's name, its unique name and value
    Data(&'s str, &'s str, Value),
}

pub struct Units<'s> {
    names: &'s Names,
    libraries: Vec<PathBuf>,
    pub access: &'s Access,
    pub all: Vec<Unit<'s>>,
    /// modules that are being read: they must not import each other
    open: Vec<PathBuf>,
}

/// What is wrong in which text.
pub struct UnitError {
    /// the index of the unit; `None` for what has no place
    pub unit: Option<usize>,
    pub error: SyntaxError,
}

fn unplaced(what: String) -> UnitError {
    UnitError { unit: None, error: SyntaxError { what, start: 0, end: 0 } }
}

/// Where modules are looked for if no `-L` says so.
pub const SEARCH: [&str; 3] = ["~/.jq", "$ORIGIN/../lib/jq", "$ORIGIN/../lib"];

impl<'s> Units<'s> {
    pub fn new(names: &'s Names, libraries: Vec<PathBuf>, access: &'s Access) -> Self {
        Self { names, libraries, access, all: Vec::new(), open: Vec::new() }
    }

    /// Parses a text and everything that it imports; gives its index.
    pub fn add(
        &mut self,
        name: &'s str,
        text: &'s str,
        folder: PathBuf,
        path: Option<PathBuf>,
    ) -> Result<usize, UnitError> {
        let index = self.all.len();
        let main = path.is_none();
        let blank = Unit { name, text, folder, path, functions: Vec::new(), main: None, links: Vec::new() };
        self.all.push(blank);
        let located = |error| UnitError { unit: Some(index), error };
        let module = Parser::new(text, name, self.names).module().map_err(located)?;
        if !main && module.main.is_some() {
            let what = "library should only have function definitions, not a main expression";
            return Err(unplaced(what.into()));
        }
        if main && module.main.is_none() {
            return Err(unplaced("Top-level program not given (try \".\")".into()));
        }
        for import in &module.imports {
            let link = self.import(index, import)?;
            self.all[index].links.extend(link);
        }
        let slot = |f: Function<'s>| Slot { name: f.name, arity: f.args.len(), function: Some(f), word: None };
        self.all[index].functions = module.functions.into_iter().map(slot).collect();
        self.all[index].main = module.main;
        Ok(index)
    }

    /// What an import gives; nothing if its file is missing and it is `{optional: true}`.
    fn import(&mut self, importer: usize, import: &Import<'s>) -> Result<Option<Link<'s>>, UnitError> {
        let refused = |what| UnitError {
            unit: Some(importer),
            error: SyntaxError { what, start: import.at, end: import.at + 6 },
        };
        if !self.access.files {
            return Err(refused(NO_FILES.to_owned()));
        }
        let meta = import.meta.as_ref().map(constant_value);
        let is = |name: &str| {
            let meta = meta.as_ref().and_then(Value::as_object);
            matches!(meta.and_then(|m| m.get(name)), Some(Value::Bool(true)))
        };
        let data = import.name.filter(|n| n.starts_with('$'));
        let extension = if data.is_some() { "json" } else { "jq" };
        let own = meta.as_ref().and_then(|m| m.as_object().and_then(|o| o.get("search").cloned()));
        let places = match own {
            Some(list) => self.places_of(&list, &self.all[importer].folder),
            None => std::iter::once(PathBuf::from(".")).chain(self.places()).collect(),
        };
        let found = search(&places, &import.path, extension);
        if found.is_err() && is("optional") {
            return Ok(None);
        }
        let path = found.map_err(refused)?;
        if let Some(name) = data {
            let text = std::fs::read_to_string(&path).map_err(|e| unplaced(format!("{}: {e}", path.display())))?;
            let value = match is("raw") {
                true => Value::from(text),
                false => {
                    let values = lenient::parse_many(&text);
                    Value::array(values.map_err(|e| unplaced(format!("{}: {e}", path.display())))?)
                }
            };
            let unique = self.names.keep(format!("$!data{importer}{name}"));
            return Ok(Some(Link::Data(name, unique, value)));
        }
        let module = self.module(path)?;
        Ok(Some(match import.name {
            Some(name) => Link::Import(name, module),
            None => Link::Include(module),
        }))
    }

    /// Reads a module's file, once.
    fn module(&mut self, path: PathBuf) -> Result<usize, UnitError> {
        let path = path.canonicalize().unwrap_or(path);
        if self.open.contains(&path) {
            return Err(unplaced(format!("module {} imports itself", path.display())));
        }
        if let Some(known) = self.all.iter().position(|u| u.path.as_ref() == Some(&path)) {
            return Ok(known);
        }
        let text = std::fs::read_to_string(&path).map_err(|e| unplaced(format!("{}: {e}", path.display())))?;
        let name = self.names.keep(path.display().to_string());
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        self.open.push(path.clone());
        let added = self.add(name, self.names.keep(text), folder, Some(path));
        self.open.pop();
        added
    }

    /// Makes `~/.jq`, if that is a file, a part of the main program.
    pub fn include_home(&mut self, main: usize) -> Result<(), UnitError> {
        let Some(home) = self.access.home.as_ref().filter(|_| self.access.files) else {
            return Ok(());
        };
        let path = home.join(".jq");
        if path.is_file() {
            let module = self.module(path)?;
            self.all[main].links.insert(0, Link::Include(module));
        }
        Ok(())
    }

    /// The directories of libraries.
    fn places(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.libraries.iter().map(|path| self.access.expand(path))
    }

    /// The directories of an import's own `search`, which are instead of all others: `.` is the working directory, as in jq,
    /// and others start at the importing file's directory.
    fn places_of(&self, list: &Value, folder: &Path) -> Vec<PathBuf> {
        let list = list.clone().into_items().unwrap_or_else(|one| vec![one]);
        let place = |place| match place {
            "." => PathBuf::from("."),
            place => folder.join(self.access.expand(Path::new(place))),
        };
        list.iter().filter_map(Value::as_str).map(place).collect()
    }

    // What the linker asks

    pub fn take_functions(&mut self, unit: usize) -> Vec<Function<'s>> {
        let slots = std::mem::take(&mut self.all[unit].functions);
        slots.into_iter().filter_map(|s| s.function).collect()
    }

    pub fn take_main(&mut self, unit: usize) -> Option<Expr<'s>> {
        self.all[unit].main.take()
    }

    /// The position of a slice within the text of its unit.
    pub fn place(&self, unit: usize, part: &str) -> (usize, usize) {
        let text = self.all[unit].text;
        let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        if start <= text.len() { (start, (start + part.len()).min(text.len())) } else { (0, 0) }
    }

    pub fn name_of(&self, unit: usize, index: usize) -> &'s str {
        self.all[unit].functions[index].name
    }

    /// The function that a name means in a unit, of those before an index, or imported.
    pub fn find(&self, unit: usize, before: usize, name: &str, arity: usize) -> Option<(usize, usize)> {
        let in_unit = |unit: usize, before: usize, name: &str| {
            let functions = &self.all[unit].functions;
            let upto = before.min(functions.len());
            let found = functions[..upto].iter().rposition(|s| s.name == name && s.arity == arity);
            found.map(|index| (unit, index))
        };
        let links = self.all[unit].links.iter().rev();
        if let Some((alias, rest)) = name.split_once("::") {
            let mut imports = links.filter_map(|l| match l {
                Link::Import(name, module) if *name == alias => Some(*module),
                _ => None,
            });
            return imports.find_map(|module| in_unit(module, usize::MAX, rest));
        }
        in_unit(unit, before, name).or_else(|| {
            let mut includes = links.filter_map(|l| match l {
                Link::Include(module) => Some(*module),
                _ => None,
            });
            // What a module includes is its own, and no part of what it offers.
            includes.find_map(|module| in_unit(module, usize::MAX, name))
        })
    }

    /// A function to link (none if that is done) and what it is called then, of which `word` is given a unique name.
    pub fn function(
        &mut self,
        unit: usize,
        index: usize,
        word: impl FnOnce(&'s str) -> Word<'s>,
    ) -> (Option<Function<'s>>, Word<'s>) {
        let slot = &mut self.all[unit].functions[index];
        let name = slot.name;
        let unique = *slot.word.get_or_insert_with(|| word(self.names.keep(format!("{unit}.{index}.{name}"))));
        (slot.function.take(), unique)
    }

    /// An imported data file.
    pub fn data(&self, unit: usize, name: &str) -> Option<(&'s str, Value)> {
        let short = name.rsplit("::").next().map(|last| format!("${}", last.trim_start_matches('$')));
        let wanted = match name.split_once("::") {
            // `$name::name` is the long form of `$name`.
            Some((first, last)) if first[1..] == *last => short?,
            Some(_) => return None,
            None => name.to_owned(),
        };
        self.all[unit].links.iter().rev().find_map(|l| match l {
            Link::Data(n, unique, value) if *n == wanted => Some((*unique, value.clone())),
            _ => None,
        })
    }
}

/// The file of a module in the first of the directories that has it.
fn search(places: &[PathBuf], name: &str, extension: &str) -> Result<PathBuf, String> {
    let relative = Path::new(name);
    if relative.is_absolute() || name.contains("..") {
        return Err(format!("Relative paths to modules may not traverse to parent directories ({name})"));
    }
    let last = relative.file_name().unwrap_or_default().to_string_lossy();
    for place in places {
        let base = place.join(relative);
        let file = PathBuf::from(format!("{}.{extension}", base.display()));
        let main = base.join(format!("jq/main.{extension}"));
        let nested = base.join(format!("{last}.{extension}"));
        if let Some(found) = [file, main, nested].into_iter().find(|p| p.is_file()) {
            return Ok(found);
        }
    }
    Err(format!("module not found: {name}"))
}

/// `modulemeta`: a module's metadata with what it imports and defines.
pub fn describe(name: &Value, world: &World) -> Result<Value, Failure> {
    if !world.access.files {
        return Err(NO_FILES.into());
    }
    let Some(name) = name.as_str() else {
        return Err("modulemeta input module name must be a string".into());
    };
    let libraries = world.search_list.as_array().into_iter().flat_map(|a| a.iter()).filter_map(Value::as_str);
    let libraries: Vec<_> = libraries.map(|path| world.access.expand(Path::new(path))).collect();
    let names = Names::new();
    // jq looks in the libraries only.
    let path = search(&libraries, name, "jq").map_err(Value::from)?;
    let text = std::fs::read_to_string(&path).map_err(|e| Value::from(format!("{}: {e}", path.display())))?;
    let file = path.display().to_string();
    let module = Parser::new(&text, &file, &names).module().map_err(|e| Value::from(e.what))?;
    let mut map = match module.meta.as_ref().map(constant_value) {
        Some(Value::Object(map)) => (*map).clone(),
        _ => Map::default(),
    };
    let deps = module.imports.iter().map(|import| {
        let mut dep = match import.meta.as_ref().map(constant_value) {
            Some(Value::Object(map)) => (*map).clone(),
            _ => Map::default(),
        };
        if let Some(name) = import.name {
            dep.insert("as".into(), name.trim_start_matches('$').into());
        }
        let data = import.name.is_some_and(|n| n.starts_with('$'));
        dep.insert("is_data".into(), Value::Bool(data));
        dep.insert("relpath".into(), Value::from(import.path.as_str()));
        Value::object(dep)
    });
    map.insert("deps".into(), deps.collect());
    let defs = module.functions.iter().map(|f| Value::from(format!("{}/{}", f.name, f.args.len())));
    map.insert("defs".into(), defs.collect());
    Ok(Value::object(map))
}
