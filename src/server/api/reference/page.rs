//! The page as a whole: its frame, what is true of every call, the contents, the calls, the objects and the errors.

use leptos::prelude::*;
use utoipa::openapi::{OpenApi, Tag};

use super::{
    calls::{self, Call},
    errors,
    shapes::Shapes,
};

pub fn html(document: &OpenApi, base_url: &str) -> String {
    let shapes = Shapes::of(document, errors::told().map(|(code, _)| code.to_owned()).collect());
    let tags: Vec<(&Tag, Vec<Call>)> =
        document.tags.iter().flatten().map(|tag| (tag, Call::of_tag(document, &tag.name))).collect();
    let read: Vec<&str> =
        tags.iter().flat_map(|(_, calls)| calls).filter_map(|call| call.reads(&shapes)).collect();
    let objects: Vec<String> =
        shapes.names().filter(|name| !read.contains(name)).map(ToOwned::to_owned).collect();

    let page = view! {
        <html lang="en" class="wide">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>"API reference · Scrip"</title>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href="/pkg/scrip.css" />
            </head>
            <body>
                <a class="skip" href="#main">
                    "Skip to content"
                </a>
                <header class="header">
                    <a class="wordmark" href="/">
                        <img src="/favicon.svg" alt="" width="22" height="22" />
                        "Scrip"
                    </a>
                    <div class="account">
                        <a class="button text" href="/api/v1/openapi.json">
                            "OpenAPI document"
                        </a>
                    </div>
                </header>
                <main class="main reference" id="main" tabindex="-1">
                    <div class="intro">
                        <h1>"API reference"</h1>
                        <p>{document.info.description.clone()}</p>
                    </div>
                    {contents(&tags)}
                    <div class="chapters">
                        {basics(base_url, &shapes)}
                        {tags.iter().map(|(tag, calls)| chapter(tag, calls, &shapes)).collect_view()}
                        <section class="chapter" aria-labelledby="objects">
                            <div class="intro">
                                <h2 id="objects">"Objects"</h2>
                                <p>"What calls answer with, and what is in it."</p>
                            </div>
                            {calls::objects(objects, &shapes)}
                        </section>
                        <section class="chapter" aria-labelledby="errors">
                            <div class="intro">
                                <h2 id="errors">"Errors"</h2>
                                <p>
                                    {shapes
                                        .prose(
                                            "A call that fails answers with a `Problem`, as `application/problem+json`. \
                                             Go by its `code`, which stays; the words may change, and the numbers in \
                                             them are examples here.",
                                        )}
                                </p>
                            </div>
                            {errors::view(&shapes)}
                        </section>
                    </div>
                </main>
                <footer class="footer">
                    <p>"Scrip"</p>
                    <p>"Made of the API’s own description, so it says what the program does."</p>
                </footer>
            </body>
        </html>
    };
    // What the renderer puts between texts is for a browser part, which this page doesn't have.
    format!("<!DOCTYPE html>{}", page.to_html().replace("<!>", ""))
}

fn contents(tags: &[(&Tag, Vec<Call>)]) -> impl IntoView + use<> {
    let entry = |id: String, title: String| view! { <li><a href=format!("#{id}")>{title}</a></li> };
    let group = |id: String, heading: String, entries: Vec<_>| {
        view! {
            <li>
                <a class="contents-head" href=format!("#{id}")>
                    {heading}
                </a>
                {(!entries.is_empty()).then(|| view! { <ul role="list">{entries}</ul> })}
            </li>
        }
    };
    let mut groups = vec![group("basics".to_owned(), "Basics".to_owned(), Vec::new())];
    groups.extend(tags.iter().map(|(tag, calls)| {
        let entries = calls.iter().map(|call| entry(call.id(), call.title())).collect();
        group(tag.name.to_lowercase(), tag.name.clone(), entries)
    }));
    groups.push(group("objects".to_owned(), "Objects".to_owned(), Vec::new()));
    groups.push(group("errors".to_owned(), "Errors".to_owned(), Vec::new()));
    view! {
        <nav class="contents" aria-label="On this page">
            <ul role="list">{groups}</ul>
        </nav>
    }
}

fn chapter(tag: &Tag, calls: &[Call], shapes: &Shapes) -> impl IntoView + use<> {
    let id = tag.name.to_lowercase();
    view! {
        <section class="chapter" aria-labelledby=id.clone()>
            <div class="intro">
                <h2 id=id.clone()>{tag.name.clone()}</h2>
                {tag.description.as_deref().map(|text| view! { <p>{shapes.prose(text)}"."</p> })}
            </div>
            {calls.iter().map(|call| call.view(shapes)).collect_view()}
        </section>
    }
}

/// What is true of every call.
fn basics(base_url: &str, shapes: &Shapes) -> impl IntoView + use<> {
    let told = [
        ("Address", format!("`{base_url}/api/v1`, with JSON both ways. A field that is not known is refused.")),
        (
            "Keys",
            "Each call brings a key: `Authorization: Bearer sk_…`. The operator makes one with \
             `scrip api-key create`, for one or more scopes: `read` looks, `spend` opens accounts and spends, `grant` \
             gives and takes away, and `admin` is for everything."
                .to_owned(),
        ),
        (
            "Done once",
            "What moves credits has an `Idempotency-Key`: your own name for this request. If no answer came, send it \
             again under the same key. It is done once, and answered as the first time, with \
             `Idempotent-Replayed: true`. The same key for something else is refused: `key_reused`."
                .to_owned(),
        ),
        (
            "Lists",
            "Newest first, `limit` at a time. While `has_more` is true, ask again with `starting_after`: the id of \
             the last that you have."
                .to_owned(),
        ),
        (
            "Times and numbers",
            "Times are RFC 3339: `2026-11-21T12:00:00Z`, answered in UTC. Credits are whole numbers.".to_owned(),
        ),
        (
            "Limits",
            "A key has so many calls a minute. `RateLimit` says how many are left; beyond them it is \
             `too_many_requests`, and `Retry-After` says when to come back."
                .to_owned(),
        ),
        (
            "Traces",
            "Each answer has an `X-Request-Id`, by which the operator finds the request in the log.".to_owned(),
        ),
    ];
    let row = |(term, text): (&'static str, String)| {
        view! { <div><dt>{term}</dt><dd><p>{shapes.prose(&text)}</p></dd></div> }
    };
    let example = format!(
        "curl {base_url}/api/v1/spends \\\n  -H 'Authorization: Bearer sk_…' \\\n  -H 'Idempotency-Key: job-1042' \\\n  \
         -H 'Content-Type: application/json' \\\n  -d '{{\"account\": \"ext_ada\", \"action\": \"thumbnail\"}}'"
    );
    view! {
        <section class="chapter" aria-labelledby="basics">
            <div class="intro">
                <h2 id="basics">"Basics"</h2>
                <p>"What holds for every call."</p>
            </div>
            <dl class="rows">{told.into_iter().map(row).collect_view()}</dl>
            <pre class="sample" tabindex="0" role="region" aria-label="A spend, as a command">
                <code>{example}</code>
            </pre>
        </section>
    }
}
