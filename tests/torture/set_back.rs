//! A database that comes back as it was some time ago: from a backup, or from a standby that had not heard of all
//! that was done. An engine that served it meanwhile remembers what is not there any more, and must not build on it.

use scrip::{
    domain::{AccountId, Receipt},
    server::{clock::Clock, ledger::Ledger, store},
};
use sqlx::{PgConnection, PgPool};

use crate::{
    books::assert_sound,
    deed::{Deed, cost, pack},
    place::{aside, break_one, open_neighbours},
};

/// Two accounts of one lane, each with its first entry, and the engine that has made them.
async fn begin(pool: &PgPool) -> (PgPool, Ledger, Vec<AccountId>) {
    let pool = store::connect((*pool.connect_options()).clone());
    let ledger = open(&pool).await;
    let accounts = open_neighbours(&ledger, &pool, 2).await;
    for account in &accounts {
        done(&ledger, *account, "pack", pack(10)).await;
    }
    (pool, ledger, accounts)
}

async fn open(pool: &PgPool) -> Ledger {
    Ledger::open(pool.clone(), Clock::default()).await.unwrap()
}

async fn done(ledger: &Ledger, account: AccountId, key: &str, deed: Deed) -> Receipt {
    ledger.execute(deed.asked_of(account, key)).await.unwrap().unwrap()
}

/// Keeps the accounts as they are, with one entry each, for [`set_back`].
async fn keep(pool: &PgPool) -> PgConnection {
    let mut conn = aside(&pool.connect_options()).await;
    sqlx::raw_sql("create temp table kept as table accounts").execute(&mut conn).await.unwrap();
    conn
}

/// Takes back all spends since.
async fn set_back(conn: &mut PgConnection) {
    let statements = "set session_replication_role = replica;
         delete from entries where version > 1;
         delete from accounts;
         insert into accounts table kept;
         update lots set remaining = granted";
    sqlx::raw_sql(statements).execute(conn).await.unwrap();
}

#[sqlx::test]
async fn what_is_remembered_beyond_what_is_there_is_not_built_upon(pool: PgPool) {
    let (pool, ledger, accounts) = begin(&pool).await;
    let mut kept = keep(&pool).await;
    done(&ledger, accounts[0], "lost", cost(4)).await;
    set_back(&mut kept).await;
    assert_eq!(done(&ledger, accounts[0], "next", cost(3)).await.entry.version.0, 2);
    assert_eq!(ledger.account(accounts[0]).await.unwrap().balance().get(), 7);
    assert_sound(&pool).await;
}

/// Versions alone don't tell: the other history has come as far as the one that is remembered.
#[sqlx::test]
async fn nothing_is_remembered_of_a_database_that_was_lost_and_came_back_with_another_history(pool: PgPool) {
    let (pool, ledger, accounts) = begin(&pool).await;
    let mut kept = keep(&pool).await;
    for account in &accounts {
        done(&ledger, *account, "lost", cost(4)).await;
    }
    while break_one(&mut kept).await {}
    set_back(&mut kept).await;
    let other = open(&pool).await;
    for account in &accounts {
        done(&other, *account, "elsewhere", cost(1)).await;
    }
    // With the first of them the engine learns that its connection is lost.
    for account in &accounts {
        done(&ledger, *account, "next", cost(2)).await;
        assert_eq!(ledger.account(*account).await.unwrap().balance().get(), 7);
    }
    assert_sound(&pool).await;
}
