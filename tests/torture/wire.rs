//! A wire between an engine and its database that can be cut at the worst moment: when the database has
//! carried out what it was asked, and before the engine hears of it.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinHandle,
};

/// A stand-in for a database's socket.
pub struct Wire {
    folder: TempDir,
    port: u16,
    cuts: Arc<Cuts>,
    accepts: JoinHandle<()>,
}

#[derive(Default)]
struct Cuts {
    ordered: AtomicU32,
    done: AtomicU32,
    /// Nobody gets through any more once an answer is lost.
    for_good: AtomicBool,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Wire {
    pub fn to(database: &PgConnectOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = database.get_port();
        let listener = UnixListener::bind(folder.path().join(format!(".s.PGSQL.{port}"))).unwrap();
        let cuts = Arc::<Cuts>::default();
        let (database, ordered) = (database.clone(), Arc::clone(&cuts));
        let accepts = tokio::spawn(async move {
            while let Ok((engine, _)) = listener.accept().await {
                if ordered.for_good.load(Ordering::SeqCst) && ordered.done.load(Ordering::SeqCst) > 0 {
                    continue;
                }
                let (database, cuts) = (database.clone(), Arc::clone(&ordered));
                // Whichever side ends the connection ends it for both.
                tokio::spawn(async move {
                    let database = connect(&database).await?;
                    carry(engine, database, &cuts).await
                });
            }
        });
        Self { folder, port, cuts, accepts }
    }

    /// The database at the other end.
    pub fn options(&self, database: &PgConnectOptions) -> PgConnectOptions {
        database.clone().socket(self.folder.path()).port(self.port)
    }

    /// Loses the answer to the next change that is committed, and the connection with it.
    pub fn cut(&self) {
        self.cuts.ordered.fetch_add(1, Ordering::SeqCst);
    }

    /// The same, and from then on there is no way to the database.
    pub fn cut_for_good(&self) {
        self.cuts.for_good.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// How many answers were lost.
    pub fn lost(&self) -> u32 {
        self.cuts.done.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn connect(database: &PgConnectOptions) -> io::Result<Box<dyn Stream>> {
    let port = database.get_port();
    let is_folder = database.get_host().starts_with('/');
    let folder =
        database.get_socket().cloned().or_else(|| is_folder.then(|| PathBuf::from(database.get_host())));
    Ok(match folder {
        Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?),
        None => Box::new(TcpStream::connect((database.get_host(), port)).await?),
    })
}

async fn carry(mut engine: UnixStream, mut database: Box<dyn Stream>, cuts: &Cuts) -> io::Result<()> {
    let (mut asked, mut told) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = engine.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => database.write_all(&asked[..read]).await?,
            },
            read = database.read(&mut told) => match read? {
                0 => return Ok(()),
                read if is_commit(&told[..read]) && cuts.take() => return Ok(()),
                read => engine.write_all(&told[..read]).await?,
            },
        }
    }
}

impl Cuts {
    fn take(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        let is_due = self.ordered.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        self.done.fetch_add(u32::from(is_due), Ordering::SeqCst);
        is_due
    }
}

/// Whether these are the last words on a transaction that has changed something: the end of one, or the one
/// row of the engine's statement when it was a transaction by itself.
fn is_commit(told: &[u8]) -> bool {
    const READY_AND_IDLE: &[u8] = b"Z\0\0\0\x05I";
    let has = |words: &[u8]| told.windows(words.len()).any(|window| window == words);
    told.ends_with(READY_AND_IDLE) && (has(b"COMMIT\0") || has(b"SELECT 1\0"))
}
