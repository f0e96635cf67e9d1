//! What the program is asked on its command line, and what has to be known before it is begun.

use std::{error::Error, num::NonZeroU32, path::PathBuf};

use clap::{Parser, Subcommand};
use scrip::{
    domain::{AccountId, Catalog, KeyId},
    server::{
        auth::Credentials,
        catalog,
        config::{Config, Database},
        store::api_keys::Scope,
    },
};

/// A self-hosted credit system.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Asked>,
}

#[derive(Subcommand)]
pub enum Asked {
    #[command(flatten)]
    Task(Task),
    /// Look at a catalog file
    #[command(subcommand)]
    Catalog(CatalogTask),
}

/// Needs neither a database nor any setting.
#[derive(Subcommand)]
pub enum CatalogTask {
    /// Name every mistake of a catalog file, each with its line; ends with status 1 where there is one
    Check { file: PathBuf },
}

/// Has to do with a database.
#[derive(Subcommand)]
pub enum Task {
    /// Serve the pages (the default)
    Serve,
    /// Bring the database up to date, and stop
    Migrate,
    /// Check the books: every entry, every lot, every hash; ends with status 1 where something is wrong
    Verify {
        /// Only this account (acct_…)
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// Tell what was done without anybody asking: the last run of each job, and how much is overdue
    Jobs,
    /// Manage people who may administer
    #[command(subcommand)]
    Admin(AdminTask),
    /// Manage the keys of host applications
    #[command(subcommand)]
    ApiKey(ApiKeyTask),
    /// Manage the demo
    #[command(subcommand)]
    Demo(DemoTask),
}

#[derive(Subcommand)]
pub enum AdminTask {
    /// Make an admin; the password is read from SCRIP_ADMIN_PASSWORD or, without it, from the terminal
    Create {
        #[arg(long)]
        email: String,
    },
}

#[derive(Subcommand)]
pub enum ApiKeyTask {
    /// Make a key, and print it: it is never shown again
    Create {
        /// What it is for, to tell it from others
        #[arg(long)]
        name: String,
        /// What it may be used for: read, spend, grant or admin; several times for several
        #[arg(long = "scope", required = true, value_parser = scope)]
        scopes: Vec<Scope>,
        /// How many requests it may make in a minute
        #[arg(long, default_value = "6000")]
        requests_per_minute: NonZeroU32,
    },
    /// List all keys there ever were
    List,
    /// Make a key like another, which goes on for a while
    Rotate {
        /// The old one (key_…)
        id: KeyId,
        /// For how many hours the old one goes on
        #[arg(long, default_value = "24")]
        overlap_hours: u16,
    },
    /// End a key at once
    Revoke {
        /// Which one (key_…)
        id: KeyId,
    },
}

fn scope(word: &str) -> Result<Scope, String> {
    let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
    known.ok_or_else(|| format!("a scope is one of {}", Scope::ALL.map(Scope::as_str).join(", ")))
}

#[derive(Subcommand)]
pub enum DemoTask {
    /// Make a member with some history and an admin, with known passwords
    Seed,
}

/// A task that has all it needs.
pub enum Job {
    Serve(Catalog),
    Migrate,
    Verify(Option<AccountId>),
    TellJobs,
    CreateAdmin(Catalog, Credentials),
    ManageKeys(ApiKeyTask),
    SeedDemo(Catalog),
}

impl Task {
    /// Asks what must be asked before anything is started, and refuses what should not be done.
    pub fn prepare(self, config: &Config) -> Result<Job, Box<dyn Error>> {
        let catalog = || catalog::load(&config.catalog);
        Ok(match self {
            Self::Serve => Job::Serve(catalog()?),
            Self::Migrate => Job::Migrate,
            Self::Verify { account } => Job::Verify(account),
            Self::Jobs => Job::TellJobs,
            Self::Admin(AdminTask::Create { email }) => {
                let password = match std::env::var("SCRIP_ADMIN_PASSWORD") {
                    Ok(password) => password,
                    Err(_) => {
                        rpassword::prompt_password("Password for the new admin (8 to 256 characters): ")
                            .map_err(
                                |_| "there is no terminal to ask for a password: set SCRIP_ADMIN_PASSWORD",
                            )?
                    }
                };
                Job::CreateAdmin(catalog()?, Credentials { email, password })
            }
            Self::ApiKey(task) => Job::ManageKeys(task),
            Self::Demo(DemoTask::Seed) => {
                if let Database::Given(_) = config.database {
                    return Err("the demo's passwords are known to everybody, so it is made in a private \
                                database only: unset DATABASE_URL"
                        .into());
                }
                Job::SeedDemo(catalog()?)
            }
        })
    }
}
