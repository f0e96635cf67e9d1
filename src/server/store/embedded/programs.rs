//! PostgreSQL's own programs: where a machine keeps them, and how they are run. They refuse to work as root;
//! they run as another user then, who must still reach a cluster below folders that only root may enter.

use std::{
    env, fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, lchown},
    },
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::fs::{Mode, OFlags};
use tokio::process::{Child, Command};

use super::EmbeddedError;

/// Where packages put the programs when they keep them off PATH. A `*` stands for a version; newest first.
const USUAL_FOLDERS: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib64/postgresql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
];

/// Who runs PostgreSQL in root's stead, best first.
const USERS_INSTEAD_OF_ROOT: [&str; 3] = ["postgres", "_postgres", "nobody"];

const USERS_FILE: &str = "/etc/passwd";

/// The user who runs PostgreSQL and owns its cluster, where that is not the user of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// `None` when this process is an ordinary user's and runs everything as itself. Under root, the owner of
    /// the cluster where there is one, and never root.
    pub(super) fn choose(cluster: &Path) -> Result<Option<Self>, EmbeddedError> {
        let found = match fs::metadata(cluster) {
            Ok(metadata) => Some(Self { uid: metadata.uid(), gid: metadata.gid() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(EmbeddedError::files(cluster, source)),
        };
        let ours = rustix::process::geteuid();
        match found {
            Some(owner) if ours.is_root() && owner.uid != 0 => Ok(Some(owner)),
            _ if ours.is_root() => Self::instead_of_root().map(Some),
            Some(owner) if owner.uid != ours.as_raw() => {
                Err(EmbeddedError::OtherOwner { folder: cluster.to_owned(), uid: owner.uid })
            }
            _ => Ok(None),
        }
    }

    fn instead_of_root() -> Result<Self, EmbeddedError> {
        let users = fs::read_to_string(USERS_FILE).unwrap_or_default();
        USERS_INSTEAD_OF_ROOT
            .iter()
            .find_map(|name| users.lines().find_map(|line| Self::from_line(line, name)))
            .ok_or(EmbeddedError::NoUser)
    }

    /// From a line such as `postgres:x:101:104:…`.
    fn from_line(line: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [found, _, uid, gid, ..] if found == name => {
                Some(Self { uid: parse_id(uid)?, gid: parse_id(gid)? })
            }
            _ => None,
        }
    }

    /// Hands over a file, or a folder with all that is in it. Links are handed over themselves, not followed.
    pub(super) fn adopt(self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.uid), Some(self.gid))?;
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                self.adopt(&entry?.path())?;
            }
        }
        Ok(())
    }
}

/// Ids run to 2³² - 1, and macOS writes those at the end as negative numbers (`nobody` is -2).
fn parse_id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| text.parse().ok().map(i32::cast_unsigned))
}

/// One installation of PostgreSQL.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
    owner: Option<Owner>,
}

impl Programs {
    /// The first installation in `folders` that `owner` can run, of the major version `wanted` where one is.
    pub(super) async fn find(
        folders: &[PathBuf],
        wanted: Option<u32>,
        owner: Option<Owner>,
    ) -> Result<Self, EmbeddedError> {
        let mut others = Vec::new();
        for folder in folders.iter().filter_map(|folder| resolve(folder)) {
            let Some(major) = major_of(&folder.join("postgres"), owner).await else { continue };
            if wanted.is_none_or(|wanted| wanted == major) {
                return Ok(Self { folder, major, owner });
            }
            if !others.contains(&major) {
                others.push(major);
            }
        }
        match wanted {
            Some(cluster) if !others.is_empty() => Err(EmbeddedError::OtherVersion {
                cluster,
                installed: others.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
            }),
            _ => Err(EmbeddedError::NotInstalled),
        }
    }

    /// Starts `program` on the cluster in `folder`. The child keeps `lock` open as its standard input, so
    /// that the lock stands for as long as the child or one of its own children lives.
    ///
    /// Another user can't follow the path to a folder below one of root's. But a process may enter a folder
    /// that it was given open, and Linux names such a folder by path: PostgreSQL is told that its cluster is
    /// `/proc/self/fd/N`, a name that every process which it forks understands alike.
    pub(super) fn run(
        &self,
        program: &str,
        arguments: &[&str],
        folder: &Path,
        lock: OwnedFd,
        log: &fs::File,
    ) -> Result<Child, EmbeddedError> {
        let program = self.folder.join(program);
        let spawn = || {
            let mut command = command(&program, self.owner);
            command.args(arguments).arg("-D").stdin(lock).stdout(log.try_clone()?).stderr(log.try_clone()?);
            if self.owner.is_none() || !cfg!(target_os = "linux") {
                return command.arg(folder).spawn();
            }
            // Without CLOEXEC, so that the child inherits it. A child that another thread starts just now may
            // inherit it too: an open folder that it doesn't use.
            let open = rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
            command.arg(format!("/proc/self/fd/{}", open.as_raw_fd())).spawn()
        };
        spawn().map_err(|source| EmbeddedError::Program { program: program.clone(), source })
    }
}

/// A program that stays out of our way: in a process group of its own, because Ctrl-C on the terminal goes to
/// the whole group and PostgreSQL must outlive us; and deaf to the settings that people keep for `psql`.
fn command(program: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    // Another user may not be able to return to our own working directory, which PostgreSQL 15 tries.
    command.current_dir("/").process_group(0).env("LC_ALL", "C");
    for (variable, _) in env::vars_os().filter(|(variable, _)| variable.as_encoded_bytes().starts_with(b"PG"))
    {
        command.env_remove(variable);
    }
    if let Some(owner) = owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    command
}

/// Everywhere that PostgreSQL's programs may be, in the order in which they are preferred.
pub(super) async fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().await {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    places.extend(USUAL_FOLDERS.iter().flat_map(|pattern| expand(Path::new(pattern))));
    places
}

/// The folders that a pattern with a `*` in one of its names stands for, the highest number first.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![(0, PathBuf::new())];
    for part in pattern {
        let Some((before, after)) = part.to_str().and_then(|part| part.split_once('*')) else {
            for (_, path) in &mut found {
                path.push(part);
            }
            continue;
        };
        found = found
            .iter()
            .filter_map(|(_, path)| fs::read_dir(path).ok())
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name();
                let version = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?;
                Some((leading_number(version).unwrap_or(0), entry.path()))
            })
            .collect();
        found.sort_by(|one, other| other.cmp(one));
    }
    found.into_iter().map(|(_, path)| path).collect()
}

/// The folder that really holds the programs: PATH often has no more than a link to one of them.
///
/// A relative folder is passed over: it would mean another one wherever we are started.
fn resolve(folder: &Path) -> Option<PathBuf> {
    if folder.is_relative() {
        return None;
    }
    let server = fs::canonicalize(folder.join("postgres")).ok()?;
    let folder = server.parent()?;
    folder.join("initdb").is_file().then(|| folder.to_owned())
}

/// 17 of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`.
async fn major_of(server: &Path, owner: Option<Owner>) -> Option<u32> {
    let output = command(server, owner).arg("--version").stdin(Stdio::null()).output().await.ok()?;
    let version = String::from_utf8_lossy(&output.stdout);
    leading_number(version.split_whitespace().nth(2)?)
}

/// 17 of `17.2`, of `17beta1` and of `17`.
pub(super) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_before_anything_else_is_the_major_version() {
        assert_eq!(leading_number("17.2"), Some(17));
        assert_eq!(leading_number("18beta1"), Some(18));
        assert_eq!(leading_number("9.6\n"), Some(9));
        assert_eq!(leading_number("latest"), None);
    }

    #[test]
    fn users_are_read_by_their_whole_name() {
        let owner = |line| Owner::from_line(line, "nobody");
        assert_eq!(owner("nobody:x:65534:65533:nobody:/:/bin/false"), Some(Owner { uid: 65534, gid: 65533 }));
        assert_eq!(
            owner("nobody:*:-2:-2:macOS:/:/bin/false"),
            Some(Owner { uid: u32::MAX - 1, gid: u32::MAX - 1 })
        );
        assert_eq!(owner("nobody2:x:1:1::/:"), None);
        assert_eq!(owner("nobody:x:one:1::/:"), None);
        assert_eq!(owner(""), None);
    }

    #[test]
    fn a_pattern_stands_for_its_folders_newest_first() {
        let root = env::temp_dir().join(format!("scrip-programs-{}", std::process::id()));
        for version in ["9.6", "15", "17", "other"] {
            fs::create_dir_all(root.join(format!("pgsql-{version}/bin"))).unwrap();
        }
        let found = expand(&root.join("pgsql-*/bin"));
        fs::remove_dir_all(&root).unwrap();
        let expected = ["17", "15", "9.6", "other"].map(|version| root.join(format!("pgsql-{version}/bin")));
        assert_eq!(found, expected);
        assert_eq!(expand(&root.join("*/bin")), Vec::<PathBuf>::new());
    }
}
