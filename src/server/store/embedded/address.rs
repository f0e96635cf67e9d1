//! How to reach the database of a cluster: through the socket in the cluster's own folder.

use std::{
    fmt::Write as _,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::timeout;

use super::EmbeddedError;

pub(super) const SOCKET: &str = ".s.PGSQL.5432";
pub(super) const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";
const PORT: u16 = 5432;

const DATABASE: &str = "scrip";
const USER: &str = "scrip";
/// The database that every cluster has from the start.
const FIRST_DATABASE: &str = "postgres";

/// The longest path of a unix socket that the kernel takes.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

const CONNECT_MAX: Duration = Duration::from_secs(5);

/// SQLSTATE: PostgreSQL is starting, recovering or stopping.
const CANNOT_CONNECT_NOW: &str = "57P03";

#[derive(Debug)]
pub(super) struct Address {
    /// The cluster's folder, under a name short enough for a socket.
    folder: PathBuf,
    /// What that name may stand for.
    _open: OwnedFd,
}

impl Address {
    /// The address of the cluster `name` in the folder `data`, which exists.
    ///
    /// The path of a socket is short by law of the kernel, that of a folder is not. Linux has a second name
    /// for every open folder, which is always short; it is good while this value lives.
    pub(super) fn new(data: &Path, name: &str) -> Result<Self, EmbeddedError> {
        let open = fs::File::open(data).map_err(|error| EmbeddedError::files(data, error))?.into();
        let folder = data.join(name);
        // The driver takes the path as text.
        if folder.join(SOCKET).as_os_str().len() <= SOCKET_PATH_MAX && folder.to_str().is_some() {
            return Ok(Self { folder, _open: open });
        }
        if !cfg!(target_os = "linux") {
            return Err(EmbeddedError::PathTooLong { folder });
        }
        let folder = format!("/proc/{}/fd/{}/{name}", process::id(), OwnedFd::as_raw_fd(&open)).into();
        Ok(Self { folder, _open: open })
    }

    pub(super) fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .port(PORT)
            .username(USER)
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable)
    }

    pub(super) fn url(&self) -> String {
        let mut url = format!("postgresql:///{DATABASE}?user={USER}&port={PORT}&host=");
        for &byte in self.folder.as_os_str().as_bytes() {
            match byte {
                b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                    url.push(char::from(byte));
                }
                // A String takes all that is written to it.
                _ => drop(write!(url, "%{byte:02X}")),
            }
        }
        url
    }

    /// Whether anybody answers at the socket.
    pub(super) fn is_served(&self) -> bool {
        UnixStream::connect(self.folder.join(SOCKET)).is_ok()
    }

    /// Connects, and makes the database where it is missing. `false` while PostgreSQL can't be reached yet.
    pub(super) async fn ensure_database(&self) -> Result<bool, EmbeddedError> {
        let options = self.connect_options().database(FIRST_DATABASE);
        let mut connection = match timeout(CONNECT_MAX, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if !may_pass(&error) => return Err(error.into()),
            Ok(Err(_)) | Err(_) => return Ok(false),
        };
        let exists = sqlx::query_scalar!(
            r#"select exists (
                   select
                   from pg_database
                   where datname = $1
               ) as "exists!""#,
            DATABASE,
        )
        .fetch_one(&mut connection)
        .await?;
        if !exists {
            sqlx::query!("create database scrip").execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(true)
    }
}

/// Whether it is worth another try: nobody listens yet, or PostgreSQL says that it isn't ready.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::PermissionDenied,
        sqlx::Error::Database(error) => error.code().as_deref() == Some(CANNOT_CONNECT_NOW),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_read_back_whatever_the_folder_is_called() {
        let folder = std::env::temp_dir().join(format!("scrip address+50% & more-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        let url = Address::new(&folder, "postgres").unwrap().url();
        fs::remove_dir(&folder).unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        assert_eq!(options.get_socket(), Some(&folder.join("postgres")));
        assert_eq!((options.get_username(), options.get_database()), ("scrip", Some("scrip")));
    }
}
