//! Hold, work, capture: how a host charges for work whose price is known only when it is done.
//!
//!     SCRIP=http://127.0.0.1:3000 SCRIP_KEY=sk_… hold_work_capture USER JOB CLIP…
//!
//! JOB is the name that your own database gives the work; run again with the same one, it is charged once. Ends with 0:
//! charged; 1: nothing was charged; 2: not known yet, run it again.

use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

use reqwest::{Client, header};
use serde_json::{Value, json};

/// Where your users come back from Scrip's pages.
const RETURN_URL: &str = "http://localhost:8080/account";

/// One try; an answer takes milliseconds.
const TRY: Duration = Duration::from_secs(10);
/// All tries of a call.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than the work and the patience together.
const HOLD_SECONDS: u64 = 600;

/// No answer, however often it was sent: it may have been done, or not.
struct Unknown;

/// A status (0 where there is no answer), what it says, and its Retry-After.
struct Answer {
    status: u16,
    said: Value,
    retry_after: Option<Duration>,
}

struct Scrip {
    http: Client,
    url: String,
    key: String,
}

/// Your work. It takes a while, it may fail, and how much it comes to is known at its end.
async fn make_thumbnails(clips: &[String]) -> Result<Vec<String>, &'static str> {
    let thumbnails: Vec<String> = clips.iter().filter(|clip| !clip.contains("blurred")).cloned().collect();
    if thumbnails.is_empty() { Err("no clip is sharp enough") } else { Ok(thumbnails) }
}

impl Scrip {
    /// One try.
    async fn attempt(&self, path: &str, body: &Value, key: Option<&str>) -> reqwest::Result<Answer> {
        let url = format!("{}/api/v1{path}", self.url);
        let mut request = self.http.post(url).bearer_auth(&self.key).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let text = response.bytes().await?;
        let (status, said) = match serde_json::from_slice(&text) {
            Ok(said) => (status, said),
            // Not from Scrip, but from something on the way.
            Err(_) => (if status >= 400 { status } else { 0 }, Value::Null),
        };
        Ok(Answer { status, said, retry_after: retry_after.map(Duration::from_secs) })
    }

    /// Sends until there is an answer: each time the same bytes, under the same key, after growing pauses.
    async fn call(&self, path: &str, body: Value, key: Option<&str>) -> Result<Answer, Unknown> {
        let give_up_at = Instant::now() + PATIENCE;
        let (mut pause, mut in_doubt) = (Duration::from_millis(250), false);
        loop {
            let answer = self.attempt(path, &body, key).await;
            let answer = answer.unwrap_or(Answer { status: 0, said: Value::Null, retry_after: None });
            let again = match answer.status {
                0 | 408 | 500 | 502 | 503 | 504 => true,
                // Without Retry-After it is a refusal: the catalog may say 429 instead of 402.
                429 => answer.retry_after.is_some(),
                _ => false,
            };
            if !again {
                return Ok(answer);
            }
            in_doubt |= ![408, 429].contains(&answer.status);
            let wait = answer.retry_after.unwrap_or_default().max(pause);
            if Instant::now() + wait > give_up_at {
                return if in_doubt { Err(Unknown) } else { Ok(answer) };
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }

    async fn run(&self, user: &str, job: &str, clips: &[String]) -> Result<u8, Unknown> {
        // Made the first time, there the next.
        let account = self.call("/accounts", json!({ "external_id": user }), None).await?;
        let Some(id) = account.said["id"].as_str() else { return Ok(refused(job, &account)) };

        // 1. Hold the most that it can come to. Without a hold, no work.
        let most =
            json!({ "account": id, "amount": clips.len(), "expires_in": HOLD_SECONDS, "reference": job });
        let held = self.call("/holds", most, Some(&format!("{job}-hold"))).await?;
        let Some(hold) = held.said["id"].as_str() else {
            if held.said["code"] == "insufficient_credits" {
                println!("Get more: {}", self.way_to_credits(id, &held.said).await?);
            }
            return Ok(refused(job, &held));
        };

        // 2. Work.
        let thumbnails = match make_thumbnails(clips).await {
            Ok(thumbnails) => thumbnails,
            Err(error) => {
                println!("{job}: {error}");
                return Ok(self.release(job, hold).await);
            }
        };

        // 3. Capture what it came to.
        let (capture, amount) = (format!("/holds/{hold}/capture"), thumbnails.len());
        let mut entry =
            self.call(&capture, json!({ "amount": amount }), Some(&format!("{job}-capture"))).await?;
        if entry.said["code"] == "hold_closed" {
            // It ran out before, so its credits are free again: charge them without it. (Nobody else captures this
            // hold.)
            let late = json!({ "account": id, "amount": amount, "reference": job });
            entry = self.call("/spends", late, Some(&format!("{job}-spend"))).await?;
        }
        if entry.status != 201 {
            return Ok(refused(job, &entry));
        }
        // Only now your user gets the thumbnails.
        println!("{job}: {amount} of {} clips for {} credits", clips.len(), entry.said["price"]);
        Ok(0)
    }

    /// Sets the credits free. If that fails, the hold runs out by itself, and they are free then.
    async fn release(&self, job: &str, hold: &str) -> u8 {
        let key = format!("{job}-release");
        let _ = self.call(&format!("/holds/{hold}/release"), json!({}), Some(&key)).await;
        1
    }

    /// Your user's way into the pages of their account; for people who sign in at Scrip itself, the page as it is.
    async fn way_to_credits(&self, account: &str, problem: &Value) -> Result<String, Unknown> {
        let path = format!("/accounts/{account}/portal-sessions");
        let session = self.call(&path, json!({ "return_url": RETURN_URL }), None).await?;
        let url = session.said["url"].as_str().or(problem["topup_url"].as_str());
        Ok(url.unwrap_or_default().to_owned())
    }
}

fn refused(job: &str, Answer { status, said, .. }: &Answer) -> u8 {
    let detail = said["detail"].as_str().unwrap_or("refused");
    println!("{job}: {detail} ({status} {})", said["code"].as_str().unwrap_or_default());
    1
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [user, job, clips @ ..] = arguments.as_slice() else {
        println!("usage: hold_work_capture USER JOB CLIP…");
        return ExitCode::from(1);
    };
    let scrip = Scrip {
        http: Client::builder().timeout(TRY).build().expect("a client without special settings"),
        url: env::var("SCRIP").unwrap_or_else(|_| "http://127.0.0.1:3000".to_owned()),
        key: env::var("SCRIP_KEY").expect("SCRIP_KEY is the key"),
    };
    match scrip.run(user, job, clips).await {
        Ok(status) => ExitCode::from(status),
        Err(Unknown) => {
            println!("{job}: Scrip does not answer; run it again");
            ExitCode::from(2)
        }
    }
}
