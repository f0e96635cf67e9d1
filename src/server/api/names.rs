//! How a caller names things: accounts, holds, lots, and the last item of a list that it has.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;
use uuid::Uuid;

use super::Fault;
use crate::{
    domain::{AccountId, EntryId, ExternalId, HoldId, LotId, LotNumber, Version},
    problem::Problem,
    server::AppState,
};

/// How a caller names an account: by its id (`acct_…`), or by `ext_` and the host's own name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountName {
    Id(AccountId),
    External(ExternalId),
}

impl AccountName {
    /// The account. One that is named by its id may not exist; the ledger says so when it is asked.
    pub async fn resolve(&self, state: &AppState) -> Result<AccountId, Fault> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::External(external_id) => Ok(state.accounts.named(external_id).await?),
        }
    }
}

impl TryFrom<String> for AccountName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if let Some(name) = text.strip_prefix("ext_") {
            let name = ExternalId::try_from(name.to_owned());
            return name.map(Self::External).map_err(|_| "ext_ is followed by 1 to 200 characters");
        }
        text.parse().map(Self::Id).map_err(|_| "an account is named acct_… or ext_…")
    }
}

impl<'de> Deserialize<'de> for AccountName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `AccountPath` reads")]
pub struct AccountParam {
    /// `acct_…`, or `ext_` and your own name for it.
    account: String,
}

/// The account in a URL.
pub struct AccountPath(pub AccountId);

impl FromRequestParts<AppState> for AccountPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        let Path(name) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| Problem::UnknownAccount)?;
        let name = AccountName::try_from(name).map_err(|_| Problem::UnknownAccount)?;
        Ok(Self(name.resolve(state).await?))
    }
}

/// The hold in a URL.
pub struct HoldPath(pub HoldId);

impl FromRequestParts<AppState> for HoldPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        parsed(parts, state).await.map(Self).ok_or_else(|| Problem::UnknownHold.into())
    }
}

/// The lot in a URL.
pub struct LotPath(pub LotId);

impl FromRequestParts<AppState> for LotPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        parsed(parts, state).await.map(Self).ok_or_else(|| Problem::UnknownLot.into())
    }
}

/// The purchase in a URL.
pub struct PurchasePath(pub Uuid);

impl FromRequestParts<AppState> for PurchasePath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Fault> {
        parsed(parts, state).await.map(Self).ok_or_else(|| Problem::UnknownPurchase.into())
    }
}

/// The one id in a URL, if it is one.
async fn parsed<T: FromStr>(parts: &mut Parts, state: &AppState) -> Option<T> {
    let Path(id) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    id.parse().ok()
}

/// The version of the entry that a list goes on after: one of this account.
pub fn entry_after(account: AccountId, cursor: Option<&str>) -> Result<Option<Version>, Problem> {
    let entry = |id: &str| id.parse::<EntryId>().ok().filter(|id| id.account == account).map(|id| id.number);
    cursor.map(|id| entry(id).ok_or(Problem::UnknownCursor)).transpose()
}

/// The number of the lot that a list goes on after: one of this account.
pub fn lot_after(account: AccountId, cursor: Option<&str>) -> Result<Option<LotNumber>, Problem> {
    let lot = |id: &str| id.parse::<LotId>().ok().filter(|id| id.account == account).map(|id| id.number);
    cursor.map(|id| lot(id).ok_or(Problem::UnknownCursor)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_by_its_id_or_by_its_hosts_name() {
        let name = |text: &str| AccountName::try_from(text.to_owned());
        let external = ExternalId::try_from("user 7".to_owned()).unwrap();
        assert_eq!(name("ext_user 7"), Ok(AccountName::External(external)));
        assert!(matches!(name("acct_00000000000000000000000000000007"), Ok(AccountName::Id(_))));
        for text in ["ext_", "ext_a\0", "acct_7", "user_7", ""] {
            assert!(name(text).is_err(), "{text:?}");
        }
    }
}
