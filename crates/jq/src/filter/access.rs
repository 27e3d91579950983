//! What a program may see of the machine that it runs on, besides its input and its variables.

use crate::value::{Map, Value};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// What a program may see of the machine: by default what jq's may, with [`Access::none`] nothing.
///
/// It is the language's part of confining a program of unknown origin, such as one that an AI client has sent. Time and
/// memory are the caller's to limit; `debug` and `stderr` still write to standard error, and dates still know the time zone.
#[derive(Clone, Debug)]
pub struct Access {
    pub environment: Environment,
    /// what `~` means in the search path of modules, and where a file `.jq` is that every program includes
    pub home: Option<PathBuf>,
    /// whether files may be read: `import`, `include` and `modulemeta` fail otherwise, and `get_search_list` and the like
    /// tell of no directory
    pub files: bool,
}

/// What `$ENV` and `env` give.
#[derive(Clone, Debug)]
pub enum Environment {
    /// the environment of this process, read when a program asks for it
    OfProcess,
    /// these names and values
    Of(Vec<(String, String)>),
}

/// Why a program that may not read files does not compile, or fails.
pub(super) const NO_FILES: &str = "modules are not allowed here: this program may not read files";

impl Default for Access {
    fn default() -> Self {
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        Self { environment: Environment::OfProcess, home, files: true }
    }
}

impl Access {
    /// Neither the environment nor any file.
    pub fn none() -> Self {
        Self { environment: Environment::Of(Vec::new()), home: None, files: false }
    }

    /// The environment as an object.
    pub(super) fn environment(&self) -> Value {
        let mut map = Map::default();
        match &self.environment {
            Environment::OfProcess => {
                let text = |s: OsString| s.to_string_lossy().into_owned();
                for (name, value) in std::env::vars_os() {
                    map.insert(text(name).into(), Value::from(text(value)));
                }
            }
            Environment::Of(variables) => {
                for (name, value) in variables {
                    map.insert(name.as_str().into(), Value::from(value.as_str()));
                }
            }
        }
        Value::object(map)
    }

    /// A path with `~` and `$ORIGIN` at its start replaced.
    pub(super) fn expand(&self, path: &Path) -> PathBuf {
        if let (Ok(rest), Some(home)) = (path.strip_prefix("~"), &self.home) {
            return home.join(rest);
        }
        if let (Ok(rest), Some(origin)) = (path.strip_prefix("$ORIGIN"), self.executable_directory()) {
            return origin.join(rest);
        }
        path.to_path_buf()
    }

    /// Where the running program's file is.
    pub(super) fn executable_directory(&self) -> Option<PathBuf> {
        let executable = self.files.then(std::env::current_exe)?.ok()?;
        executable.parent().map(Path::to_path_buf)
    }
}
