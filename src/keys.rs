//! The keys of host applications, as an operator asks for them on the command line.

use std::error::Error;

use chrono::{DateTime, TimeDelta, Utc};
use scrip::{
    domain::KeyId,
    server::{
        auth::{ApiKeys, NewKey},
        config::Database,
        store::api_keys::ApiKey,
    },
};

use crate::arguments::ApiKeyTask;

/// Carries out what is asked, and says on the standard output what came of it.
pub async fn manage(keys: &ApiKeys, task: ApiKeyTask, database: &Database) -> Result<(), Box<dyn Error>> {
    // Another folder has another database, and its keys are good for nothing here.
    let place = match database {
        Database::Given(_) => "the database of DATABASE_URL".to_owned(),
        Database::Private(folder) => format!("the private database in {}", folder.display()),
    };
    let told = |(key, secret): (ApiKey, String)| {
        // Alone on the standard output, so that a script can take it.
        println!("{secret}");
        eprintln!("{} is the key {}, in {place}. It is not shown again.", key.id, key.name);
    };
    let unknown = |id: KeyId| format!("there is no key {id}, or not any more");
    match task {
        ApiKeyTask::Create { name, scopes, requests_per_minute } => {
            told(keys.create(NewKey::parse(name, scopes, requests_per_minute)?).await?);
        }
        ApiKeyTask::List => {
            for key in keys.all().await? {
                println!("{}", line_of(&key));
            }
        }
        ApiKeyTask::Rotate { id, overlap_hours } => {
            let overlap = TimeDelta::hours(overlap_hours.into());
            told(keys.rotate(id, overlap).await?.ok_or_else(|| unknown(id))?);
        }
        ApiKeyTask::Revoke { id } => {
            if !keys.revoke(id).await? {
                return Err(unknown(id).into());
            }
            println!("{id} is good for nothing any more.");
        }
    }
    Ok(())
}

/// A key in one line.
fn line_of(key: &ApiKey) -> String {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M");
    let end = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) => format!("until {}", day(at)),
        (None, None) => "in use".to_owned(),
    };
    let used =
        key.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at)));
    let (id, prefix, name, scopes) = (key.id, &key.prefix, &key.name, scopes.join(","));
    format!("{id}  {prefix}…  {scopes:<22}  {end:<24}  {used:<26}  {name}")
}
