//! The program: it serves, or does what an operator asks of it (`arguments`).

mod arguments;
mod keys;
mod signals;

use std::{
    error::Error,
    future::IntoFuture,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use futures_util::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};
use scrip::{
    domain::{AccountId, Catalog},
    router::router,
    server::{
        AppState,
        auth::{ApiKeys, Credentials},
        catalog,
        clock::Clock,
        config::{Config, Database},
        demo, jobs,
        ledger::verify::verify,
        notify,
        store::{self, embedded::Embedded, people::Role},
        test_clock, warnings,
    },
};
use sqlx::PgPool;
use tikv_jemallocator::Jemalloc;
use tokio::{net::TcpListener, signal::unix::Signal, sync::watch, task::JoinSet};
use tracing_subscriber::EnvFilter;

use self::{
    arguments::{Arguments, Asked, CatalogTask, Job, Task},
    signals::Signals,
};

/// A request is thousands of small allocations on one thread and their ends on another; measured, this one takes half the
/// time of the system's for a spend over HTTP.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How long requests and a job's step that are under way may take to finish once the program is asked to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,tower_sessions=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let done = match Arguments::parse().command.unwrap_or(Asked::Task(Task::Serve)) {
        Asked::Task(task) => run(task).await,
        Asked::Catalog(CatalogTask::Check { file }) => return check_catalog(&file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scrip: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with a file as compilers do, a line each, on the standard output.
fn check_catalog(file: &Path) -> ExitCode {
    match catalog::load(file) {
        Ok(catalog) => {
            println!("{}: good: {}", file.display(), catalog::summary(&catalog));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> Result<(), Box<dyn Error>> {
    let config = Config::from_env()?;
    let is_server = matches!(task, Task::Serve);
    let job = task.prepare(&config)?;
    let Signals { stop, reload } = Signals::catch(is_server)?;

    let (embedded, options) = match &config.database {
        Database::Given(options) => (None, options.as_ref().clone()),
        Database::Private(data_dir) => {
            // Broken off, it stops what it has started.
            let embedded = tokio::select! {
                embedded = Embedded::start(data_dir) => embedded?,
                () = stopped(stop.clone()) => return Ok(()),
            };
            if is_server {
                tracing::info!(url = embedded.url(), "the private PostgreSQL, for psql");
            }
            let options = embedded.connect_options();
            (Some(embedded), options)
        }
    };
    let pool = store::connect(options);
    let work = async {
        store::reach(&pool).await?;
        match job {
            Job::Serve(catalog) => {
                let (listener, config) = listen(config).await?;
                let state = open(&pool, catalog, &config).await?;
                serve(state, &config, listener, stop.clone(), reload).await
            }
            Job::Migrate => {
                store::migrate(&pool).await?;
                println!("The database is up to date.");
                Ok(())
            }
            Job::Verify(account) => check_books(&pool, account).await,
            Job::TellJobs => tell_jobs(&pool, config.is_sandbox).await,
            Job::CreateAdmin(catalog, typed) => {
                create_admin(&open(&pool, catalog, &config).await?, typed).await
            }
            Job::ManageKeys(task) => {
                store::migrate(&pool).await?;
                keys::manage(&ApiKeys::new(pool.clone()), task, &config.database).await
            }
            Job::SeedDemo(catalog) => seed_demo(&open(&pool, catalog, &config).await?).await,
        }
    };
    let done = tokio::select! {
        done = work => done,
        // A server stops by itself, when it has answered what is under way.
        () = stopped(stop.clone()), if !is_server => Err("stopped before it was done".into()),
    };
    pool.close().await;
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    done
}

/// The program on its database, which is brought up to date.
async fn open(pool: &PgPool, catalog: Catalog, config: &Config) -> Result<AppState, Box<dyn Error>> {
    store::migrate(pool).await?;
    let lax = store::unsafe_settings(pool).await?;
    if !lax.is_empty() {
        return Err(format!(
            "this PostgreSQL may lose what it has confirmed: set {} = on in its configuration",
            lax.join(" and ")
        )
        .into());
    }
    let state = AppState::new(pool.clone(), Clock::default(), catalog, config).await?;
    test_clock::follow(&state).await?;
    Ok(state)
}

/// Where the server listens, and the settings with how it is reached there.
async fn listen(mut config: Config) -> Result<(TcpListener, Config), Box<dyn Error>> {
    let wanted = config.leptos.site_addr;
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        format!("can't listen on {wanted} ({error}); set LEPTOS_SITE_ADDR to another address, such as 127.0.0.1:3005")
    })?;
    // Where a free port was asked for, it is known only now.
    config.leptos.site_addr = listener.local_addr()?;
    Ok((listener, config))
}

async fn serve(
    state: AppState,
    config: &Config,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
    reload: Option<Signal>,
) -> Result<(), Box<dyn Error>> {
    let (address, url) = (listener.local_addr()?, state.base_url.clone());
    let mut beside = JoinSet::new();
    let jobs = tokio::spawn(jobs::run(state.clone(), stop.clone()));
    beside.spawn(notify::tell(state.clone()));
    beside.spawn(notify::hear(state.clone()));
    beside.spawn(warnings::watch(state.clone()));
    if let Some(reload) = reload {
        let (in_force, file) = (state.in_force.clone(), config.catalog.clone());
        beside.spawn(async move { catalog::take_up_when_asked(in_force, &file, reload).await });
    }
    let (ledger, live) = (state.ledger.clone(), state.live.clone());
    let demo = if demo::is_there(&state).await? { demo_sign_ins() } else { String::new() };
    if !demo.is_empty() && !address.ip().is_loopback() {
        tracing::warn!(%address, "the demo's passwords are known to everybody, and others can reach this address");
    }
    if state.is_sandbox && matches!(config.database, Database::Given(_)) {
        tracing::warn!(
            "this is a sandbox, since STRIPE_SECRET_KEY is not set: whoever has an admin key can set its clock"
        );
    }
    // Whoever reads only the first line and closes the pipe does not end the server.
    let welcome = format!("\nScrip serves on {url}\n{demo}Ctrl-C stops it.\n\n");
    let _ = io::stdout().write_all(welcome.as_bytes());

    let app =
        router(state, config.is_served_over_https()).into_make_service_with_connect_info::<SocketAddr>();
    let asked_to_stop = stopped(stop.clone());
    let asked = async move {
        asked_to_stop.await;
        // Who watches would watch for ever.
        live.close();
    };
    let server = axum::serve(listener, app).with_graceful_shutdown(asked).into_future();
    // Jobs end what they are at, too. One that panicked has said so in the log.
    let finished = async { tokio::try_join!(server, jobs.map(|_| Ok(()))) };
    let overdue = async {
        stopped(stop).await;
        tokio::time::sleep(STOP_TIMEOUT).await;
    };
    tokio::select! {
        finished = finished => drop(finished?),
        () = overdue => tracing::warn!("stopped with requests or a job still under way"),
    }
    beside.shutdown().await;
    // What was accepted is finished.
    ledger.stop().await;
    Ok(())
}

/// Returns once the program is asked to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // It fails only where nobody can ask any more.
    if stop.wait_for(|asked| *asked).await.is_err() {
        std::future::pending().await
    }
}

async fn create_admin(state: &AppState, typed: Credentials) -> Result<(), Box<dyn Error>> {
    let user = state.auth.create(typed, Role::Admin).await?;
    println!("{} is an admin now.", user.name);
    Ok(())
}

/// For what changes nothing, not even the form of the database.
async fn refuse_another_form(pool: &PgPool) -> Result<(), Box<dyn Error>> {
    if store::is_current(pool).await? {
        return Ok(());
    }
    Err("this database has no books, or those of an older Scrip: see whether DATABASE_URL is the right \
         one, and bring it up to date with `scrip migrate`"
        .into())
}

async fn tell_jobs(pool: &PgPool, is_sandbox: bool) -> Result<(), Box<dyn Error>> {
    refuse_another_form(pool).await?;
    let clock = test_clock::of(pool, is_sandbox).await?;
    print!("{}", jobs::overview(pool, &clock, 1).await?);
    Ok(())
}

async fn check_books(pool: &PgPool, account: Option<AccountId>) -> Result<(), Box<dyn Error>> {
    refuse_another_form(pool).await?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{spinner} {pos} of about {len} entries {wide_bar} {eta}")?);
    let report = verify(pool, account, |read, about| {
        bar.set_length(about.max(read));
        bar.set_position(read);
    });
    let report = report.await?;
    bar.finish_and_clear();
    if let Some(account) = account.filter(|_| report.accounts == 0) {
        return Err(format!("there is no account {account}").into());
    }
    print!("{report}");
    if report.violations > 0 { Err("the books are not right".into()) } else { Ok(()) }
}

async fn seed_demo(state: &AppState) -> Result<(), Box<dyn Error>> {
    demo::seed(state).await?;
    print!("{}", demo_sign_ins());
    Ok(())
}

/// One line each.
fn demo_sign_ins() -> String {
    let people = [("member", demo::MEMBER), ("admin", demo::ADMIN)];
    people.map(|(role, (email, password))| format!("  demo {role}: {email}, password {password}\n")).concat()
}
