//! The program as it is run: its commands, killed and started again, on a private PostgreSQL.

use std::{path::Path, process::Stdio, time::Duration};

use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, PgPool};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

use crate::support::{Browser, PASSWORD};

/// Far above what a start takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

pub fn scrip(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrip"));
    command
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("SCRIP_DATA_DIR", data_dir)
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        // As where nobody sits at a terminal.
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end: whether it succeeded, and what it said.
pub async fn run(mut command: Command) -> (bool, String) {
    let output = timeout(LONG, command.output()).await.expect("it ends by itself").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Starts a server and waits until it says where it is.
pub async fn serve(data_dir: &Path) -> (Child, String) {
    let mut command = scrip(data_dir, &[]);
    command.stderr(Stdio::null());
    started(command).await
}

/// Starts this server and waits until it says where it is.
pub async fn started(mut command: Command) -> (Child, String) {
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(url) = line.strip_prefix("Scrip serves on ") {
                return url.to_owned();
            }
        }
        panic!("the server ended before it served");
    };
    let url = timeout(LONG, address).await.expect("the server starts");
    (server, url)
}

/// A key for everything, as an operator makes one beside a server.
pub async fn admin_key(data_dir: &Path) -> String {
    let create = ["api-key", "create", "--name", "test", "--scope", "admin"];
    let made = scrip(data_dir, &create).output().await.unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

pub fn send(server: &Child, signal: Signal) {
    let id = server.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(id, signal).unwrap();
}

pub async fn stop(mut server: Child) {
    send(&server, Signal::TERM);
    let status = timeout(LONG, server.wait()).await.expect("it stops when asked to").unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn what_was_answered_before_a_kill_is_there_afterwards() {
    let data = TempDir::new().unwrap();
    let (mut server, url) = serve(data.path()).await;
    let ada = Browser::new(&url, true);
    ada.submit("/sign-up", "sign_up", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    let mut spent = 0;
    for _ in 0..4 {
        let fields = ada.prompt("/actions/thumbnail").await;
        spent += usize::from(ada.confirm("/actions/thumbnail", &fields).await.url().path() == "/actions");
    }
    assert_eq!(spent, 4);
    server.kill().await.unwrap();

    let (server, url) = serve(data.path()).await;
    let ada = Browser::new(&url, true);
    ada.submit("/sign-in", "sign_in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    assert!(ada.page("/credits").await.contains("6 of 10"));
    stop(server).await;
}

#[tokio::test]
async fn commands_work_beside_a_server_that_keeps_its_database() {
    let data = TempDir::new().unwrap();
    let (server, url) = serve(data.path()).await;
    let mut create = scrip(data.path(), &["admin", "create", "--email", "root@example.com"]);
    create.env("SCRIP_ADMIN_PASSWORD", PASSWORD);
    assert!(run(create).await.0);
    for _ in 0..2 {
        let (seeded, said) = run(scrip(data.path(), &["demo", "seed"])).await;
        assert!(seeded && said.contains("member@demo.example"), "{said}");
    }
    for (email, password) in [("root@example.com", PASSWORD), ("member@demo.example", "demo-member")] {
        let browser = Browser::new(&url, true);
        let page = browser.submit("/sign-in", "sign_in", &[("email", email), ("password", password)]).await;
        assert_eq!((page.status(), page.url().path()), (StatusCode::OK, "/actions"), "{email}");
    }
    stop(server).await;
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why_and_what_to_do() {
    let data = TempDir::new().unwrap();
    let bad = data.path().join("bad.toml");
    std::fs::write(&bad, "name = \"\"\nlow_balance = -1\n[[actions]]\nkey = \"a\"\n").unwrap();
    let mut command = scrip(data.path(), &["serve"]);
    command.env("SCRIP_CATALOG", &bad);
    let (started, said) = run(command).await;
    assert!(!started);
    for line in ["bad.toml:1:", "bad.toml:2:", "bad.toml:3:"] {
        assert!(said.contains(line), "{line} in {said}");
    }

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = scrip(data.path(), &["serve"]);
    command.env("LEPTOS_SITE_ADDR", taken.local_addr().unwrap().to_string());
    let (started, said) = run(command).await;
    assert!(!started && said.contains("set LEPTOS_SITE_ADDR to another address"), "{said}");

    let mut command = scrip(data.path(), &["migrate"]);
    command.env("DATABASE_URL", "mysql://nowhere");
    let (started, said) = run(command).await;
    assert!(!started && said.contains("DATABASE_URL is not the address"), "{said}");
    let mut command = scrip(data.path(), &["demo", "seed"]);
    command.env("DATABASE_URL", "postgres://scrip@localhost/production");
    let (started, said) = run(command).await;
    assert!(!started && said.contains("unset DATABASE_URL"), "{said}");

    let mut command = scrip(data.path(), &["migrate"]);
    command.env("SCRIP_BASE_URL", "credits.example.com");
    let (started, said) = run(command).await;
    assert!(!started && said.contains("SCRIP_BASE_URL must start with"), "{said}");
}

#[sqlx::test(migrations = false)]
async fn the_books_are_checked_without_changing_the_form_that_they_have(pool: PgPool) {
    let data = TempDir::new().unwrap();
    let options = pool.connect_options();
    let address = options.to_url_lossy().to_string();
    let scrip = |arguments: &[&str]| {
        let mut command = scrip(data.path(), arguments);
        // Neither needs a catalog.
        command.env("DATABASE_URL", &address).env("SCRIP_CATALOG", "/nowhere.toml");
        run(command)
    };
    let (checked, said) = scrip(&["verify"]).await;
    assert!(!checked && said.contains("scrip migrate"), "{said}");
    let tables = sqlx::query_scalar!("select count(*) from pg_tables where schemaname = 'public'");
    assert_eq!(tables.fetch_one(&pool).await.unwrap(), Some(0));
    let (migrated, said) = scrip(&["migrate"]).await;
    assert!(migrated, "{said}");
    let (checked, said) = scrip(&["verify"]).await;
    assert!(checked && said.contains("All of it holds."), "{said}");
}
