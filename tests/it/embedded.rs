//! The private PostgreSQL, tried with real processes: started, shared, killed at every bad moment, and found
//! again. Each test has a folder and a cluster of its own.

#![expect(clippy::disallowed_methods, reason = "what is asked here is no table of the program's")]

use std::{
    env,
    fs::{self, DirBuilder, File},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::{
    fs::FlockOperation,
    process::{Pid, Signal},
};
use scrip::server::store::embedded::{Embedded, EmbeddedError};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout},
    time::{Instant, sleep, timeout},
};

/// Far above what anything here takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(20);

/// Where a process of ours finds its data folder.
const DATA_VARIABLE: &str = "SCRIP_TEST_DATA_DIR";
const READY: &str = "the database is ready";

// Starting and stopping

#[tokio::test]
async fn a_fresh_start_gives_a_database_that_answers() {
    let data = Data::new();
    let embedded = start(&data).await;

    let mut connection = connect(&embedded).await;
    let one: i32 = sqlx::query_scalar("select 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(one, 1);
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
    ] {
        let found: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, value, "{setting}");
    }
    let database: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await.unwrap();
    assert_eq!(database, "scrip");

    let options: PgConnectOptions = embedded.url().parse().unwrap();
    PgConnection::connect_with(&options).await.expect("the address for people works too");
    embedded.stop().await;
}

#[tokio::test]
async fn after_a_stop_nothing_runs_and_a_new_start_finds_the_data() {
    let data = Data::new();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    let options = embedded.connect_options();
    embedded.stop().await;
    assert_eq!(data.postgres(), None);
    PgConnection::connect_with(&options).await.expect_err("nobody is there");

    let embedded = start(&data).await;
    assert_eq!(remembered(&embedded).await, [1]);
    embedded.stop().await;
}

#[tokio::test]
async fn a_database_that_is_dropped_without_a_stop_stops_all_the_same() {
    let data = Data::new();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    let postgres = data.postgres().unwrap();
    drop(embedded);

    // Whether the old one is still on its way out or gone: the next start copes.
    let embedded = start(&data).await;
    assert_ne!(data.postgres(), Some(postgres));
    assert_eq!(remembered(&embedded).await, [1]);
    embedded.stop().await;
}

#[tokio::test]
async fn a_start_that_is_broken_off_at_any_moment_spoils_nothing() {
    let data = Data::new();
    for milliseconds in [5, 50, 200, 400, 600, 800] {
        let attempt = Embedded::start(&data.0);
        drop(timeout(Duration::from_millis(milliseconds), attempt).await);
    }
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    embedded.stop().await;
    assert_eq!(data.postgres(), None);
}

#[tokio::test]
async fn an_attempt_to_make_the_cluster_that_was_killed_is_made_again() {
    let data = Data::new();
    let unfinished = data.0.join("postgres.new");
    fs::create_dir_all(unfinished.join("base")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    assert!(!unfinished.exists());
    embedded.stop().await;
}

// Crashes

#[tokio::test]
async fn a_scrip_that_is_killed_at_any_moment_of_its_first_start_spoils_nothing() {
    let data = Data::new();
    for milliseconds in [20, 100, 250, 400, 550, 700, 850] {
        let mut scrip = Scrip::begin(&data);
        sleep(Duration::from_millis(milliseconds)).await;
        scrip.kill().await;
    }
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    embedded.stop().await;
    assert_eq!(data.postgres(), None);
}

#[tokio::test]
async fn a_postgres_that_outlived_its_scrip_is_taken_over() {
    let data = Data::new();
    let mut scrip = Scrip::start(&data).await;
    let postgres = data.postgres().unwrap();
    scrip.kill().await;
    assert_eq!(data.postgres(), Some(postgres));

    let embedded = start(&data).await;
    assert_eq!(data.postgres(), Some(postgres), "the same server goes on");
    assert_eq!(remembered(&embedded).await, [i64::from(scrip.id)]);
    embedded.stop().await;
    assert_eq!(data.postgres(), None, "and whoever uses it last stops it");
}

#[tokio::test]
async fn a_postgres_that_was_killed_with_its_scrip_recovers() {
    let data = Data::new();
    let mut scrip = Scrip::start(&data).await;
    scrip.kill().await;
    data.kill_postgres();
    assert!(data.cluster().join("postmaster.pid").exists());

    let embedded = start(&data).await;
    assert_eq!(remembered(&embedded).await, [i64::from(scrip.id)]);
    embedded.stop().await;
}

#[tokio::test]
async fn a_stale_pid_file_does_not_stop_a_start_even_if_its_number_lives_again() {
    let data = Data::new();
    let mut scrip = Scrip::start(&data).await;
    scrip.kill().await;
    data.kill_postgres();
    // The files that were left now name a living process of PostgreSQL's own user.
    let mut sleeper = Command::new("sleep");
    sleeper.arg("60");
    if is_root() {
        sleeper.uid(fs::metadata(data.cluster()).unwrap().uid());
    }
    let mut sleeper = sleeper.spawn().unwrap();
    for name in ["postmaster.pid", ".s.PGSQL.5432.lock"] {
        let path = data.cluster().join(name);
        let stale = fs::read_to_string(&path).unwrap();
        let (_, rest) = stale.split_once('\n').unwrap();
        fs::write(&path, format!("{}\n{rest}", sleeper.id())).unwrap();
    }

    let embedded = start(&data).await;
    assert_eq!(remembered(&embedded).await, [i64::from(scrip.id)]);
    assert_eq!(sleeper.try_wait().unwrap(), None, "nobody touched the other process");
    embedded.stop().await;
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[tokio::test]
async fn a_postgres_that_dies_while_it_is_needed_is_brought_back() {
    let data = Data::new();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    // Once quickly, and again: the pause that follows has grown by then.
    for _ in 0..2 {
        let killed = data.kill_postgres();
        until("PostgreSQL is back", async || data.postgres().is_some_and(|postgres| postgres != killed))
            .await;
        until("it answers", async || PgConnection::connect_with(&embedded.connect_options()).await.is_ok())
            .await;
        assert_eq!(remembered(&embedded).await, [1]);
    }
    embedded.stop().await;
    assert_eq!(data.postgres(), None);
}

// Several at once

#[tokio::test]
async fn a_second_user_leaves_the_server_to_the_first() {
    let data = Data::new();
    let serving = start(&data).await;
    remember(&serving, 1).await;
    let postgres = data.postgres();

    let mut command = Scrip::start(&data).await;
    assert_eq!(data.postgres(), postgres);
    command.finish().await;
    assert_eq!(data.postgres(), postgres);
    assert_eq!(remembered(&serving).await, [1, i64::from(command.id)]);

    serving.stop().await;
    assert_eq!(data.postgres(), None);
}

#[tokio::test]
async fn the_server_outlives_the_one_who_started_it_while_another_uses_it() {
    let data = Data::new();
    let mut first = Scrip::start(&data).await;
    let second = start(&data).await;
    let postgres = data.postgres();

    first.finish().await;
    assert_eq!(data.postgres(), postgres);
    assert_eq!(remembered(&second).await, [i64::from(first.id)]);
    second.stop().await;
    assert_eq!(data.postgres(), None);
}

#[tokio::test]
async fn two_that_start_at_once_share_one_new_cluster() {
    let data = Data::new();
    let (mut one, other) = tokio::join!(Scrip::start(&data), start(&data));
    assert_eq!(remembered(&other).await, [i64::from(one.id)]);
    tokio::join!(one.finish(), other.stop());
    assert_eq!(data.postgres(), None);
}

// Where the cluster lies, and who may reach it

#[tokio::test]
async fn a_path_that_is_too_long_for_a_socket_works() {
    let data = Data::below(&["a rather long name of a folder, with spaces & 100% of what else there is"; 4]);
    assert!(data.0.as_os_str().len() > 250);
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    let options: PgConnectOptions = embedded.url().parse().unwrap();
    PgConnection::connect_with(&options).await.expect("the address for people works too");
    embedded.stop().await;
}

#[tokio::test]
async fn root_can_keep_its_cluster_below_a_folder_that_only_root_may_enter() {
    if !is_root() {
        return;
    }
    let data = Data::below(&["closed", "data"]);
    let closed = data.0.parent().unwrap();
    fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).unwrap();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    assert_eq!(fs::metadata(closed).unwrap().uid(), 0);
    assert_ne!(fs::metadata(data.cluster()).unwrap().uid(), 0);
    data.kill_postgres();
    drop(embedded);
    let embedded = start(&data).await;
    assert_eq!(remembered(&embedded).await, [1]);
    embedded.stop().await;
}

#[tokio::test]
async fn root_can_start_a_cluster_that_was_copied_by_root() {
    if !is_root() {
        return;
    }
    let data = Data::new();
    let embedded = start(&data).await;
    remember(&embedded, 1).await;
    embedded.stop().await;
    let all = Command::new("chown").args(["-R", "0:0"]).arg(data.cluster()).status().unwrap();
    assert!(all.success());

    let embedded = start(&data).await;
    assert_eq!(remembered(&embedded).await, [1]);
    embedded.stop().await;
}

#[tokio::test]
async fn nobody_else_on_the_machine_reaches_the_socket() {
    let data = Data::below(&["open"]);
    for folder in [&data.0, data.0.parent().unwrap()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let embedded = start(&data).await;
    assert_eq!(fs::metadata(data.cluster()).unwrap().permissions().mode() & 0o777, 0o700);
    if is_root() {
        const STRANGER: u32 = 54_321;
        let socket = data.cluster().join(".s.PGSQL.5432");
        let sees = |uid| Command::new("test").arg("-S").arg(&socket).uid(uid).status().unwrap().success();
        assert!(sees(0));
        assert!(!sees(STRANGER));
    }
    embedded.stop().await;
}

// What stands in the way is said

#[tokio::test]
async fn without_postgresql_the_message_says_what_to_install() {
    let data = Data::new();
    let error = Embedded::start_with(&data.0, std::slice::from_ref(&data.0)).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::NotInstalled));
    for word in ["apt-get install postgresql", "brew install postgresql", "DATABASE_URL"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_cluster_of_another_version_is_named_with_both_versions() {
    let data = Data::new();
    fs::create_dir_all(data.cluster()).unwrap();
    fs::write(data.cluster().join("PG_VERSION"), "8.4\n").unwrap();
    let error = Embedded::start(&data.0).await.unwrap_err();
    let EmbeddedError::OtherVersion { cluster: 8, installed } = &error else { panic!("{error}") };
    assert!(!installed.is_empty());
    assert!(error.to_string().contains("PostgreSQL 8"), "{error}");
}

#[tokio::test]
async fn a_folder_that_holds_something_else_is_left_alone() {
    let data = Data::new();
    fs::create_dir_all(data.cluster()).unwrap();
    fs::write(data.cluster().join("holiday.jpg"), "sun").unwrap();
    let error = Embedded::start(&data.0).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::NotACluster { .. }), "{error}");
    assert_eq!(fs::read_to_string(data.cluster().join("holiday.jpg")).unwrap(), "sun");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_is_named() {
    let data = Data::new();
    fs::write(data.0.join("file"), "").unwrap();
    let error = Embedded::start(&data.0.join("file/data")).await.unwrap_err();
    assert!(
        error.to_string().contains("file/data") && error.to_string().contains("SCRIP_DATA_DIR"),
        "{error}"
    );
}

#[tokio::test]
async fn a_start_that_fails_shows_the_end_of_the_log() {
    let data = Data::new();
    start(&data).await.stop().await;
    let settings = data.cluster().join("postgresql.conf");
    let good = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{good}\nnonsense = 1\n")).unwrap();
    let error = Embedded::start(&data.0).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Starting { .. }), "{error}");
    assert!(error.to_string().contains("nonsense"), "{error}");

    fs::write(&settings, good).unwrap();
    start(&data).await.stop().await;
}

// Tools

/// A folder for one test, gone with it, together with any PostgreSQL that is left.
struct Data(PathBuf, PathBuf);

impl Data {
    fn new() -> Self {
        Self::below(&[])
    }

    fn below(names: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = env::temp_dir().join(format!("scrip-embedded-{}-{number}", process::id()));
        let mut data = root.clone();
        data.extend(names);
        DirBuilder::new().recursive(true).mode(0o700).create(&data).unwrap();
        Self(data, root)
    }

    fn cluster(&self) -> PathBuf {
        self.0.join("postgres")
    }

    /// The server's process, if there is one.
    fn postgres(&self) -> Option<Pid> {
        let file = fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?;
        let pid = Pid::from_raw(file.lines().next()?.parse().ok()?)?;
        self.is_served().then_some(pid)
    }

    /// Told by the lock that PostgreSQL and its children hold. Their numbers tell less: they stay taken until
    /// somebody has asked how those processes ended.
    fn is_served(&self) -> bool {
        let lock = File::open(self.0.join("postgres.server.lock"));
        lock.is_ok_and(|lock| rustix::fs::flock(lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    fn kill_postgres(&self) -> Pid {
        let pid = self.postgres().expect("PostgreSQL runs");
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
        self.wait_until_gone();
        pid
    }

    fn wait_until_gone(&self) {
        let begun = Instant::now();
        while self.is_served() && begun.elapsed() < LONG {
            thread::sleep(GLANCE);
        }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(postgres) = self.postgres() {
            let _ = rustix::process::kill_process(postgres, Signal::QUIT);
            self.wait_until_gone();
        }
        let _ = fs::remove_dir_all(&self.1);
    }
}

/// Another process that uses the database: this test program, told to run nothing but the test below.
struct Scrip {
    child: Child,
    id: u32,
    output: BufReader<ChildStdout>,
}

impl Scrip {
    async fn start(data: &Data) -> Self {
        let mut scrip = Self::begin(data);
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            let read = timeout(LONG, scrip.output.read_line(&mut line)).await.unwrap().unwrap();
            assert_ne!(read, 0, "it ended before it was ready");
        }
        scrip
    }

    fn begin(data: &Data) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut child = tokio::process::Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact"])
            .arg(format!("{module}::the_other_process"))
            .env(DATA_VARIABLE, &data.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let id = child.id().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, id, output }
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    async fn finish(&mut self) {
        drop(self.child.stdin.take());
        assert!(timeout(LONG, self.child.wait()).await.unwrap().unwrap().success());
    }
}

#[tokio::test]
#[ignore = "not a test by itself: others run it as a process that they can kill"]
async fn the_other_process() {
    let Some(data) = env::var_os(DATA_VARIABLE) else { return };
    let embedded = Embedded::start(Path::new(&data)).await.unwrap();
    remember(&embedded, i64::from(process::id())).await;
    println!("{READY}");
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    embedded.stop().await;
}

async fn start(data: &Data) -> Embedded {
    timeout(LONG, Embedded::start(&data.0)).await.expect("a start doesn't hang").unwrap()
}

async fn connect(embedded: &Embedded) -> PgConnection {
    PgConnection::connect_with(&embedded.connect_options()).await.unwrap()
}

async fn remember(embedded: &Embedded, number: i64) {
    let mut connection = connect(embedded).await;
    let create = "create table if not exists remembered (number bigint not null)";
    sqlx::query(create).execute(&mut connection).await.unwrap();
    sqlx::query("insert into remembered values ($1)").bind(number).execute(&mut connection).await.unwrap();
}

async fn remembered(embedded: &Embedded) -> Vec<i64> {
    let numbers = "select number from remembered order by ctid";
    sqlx::query_scalar(numbers).fetch_all(&mut connect(embedded).await).await.unwrap()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < LONG, "waited too long until {what}");
        sleep(GLANCE).await;
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
