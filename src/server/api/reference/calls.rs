//! The calls of the API, one by one: what each is for, what it takes and what it answers.

use leptos::prelude::*;
use utoipa::openapi::{
    Content, OpenApi, Ref, RefOr, Required, Response,
    path::{Operation, Parameter, ParameterIn},
    request_body::RequestBody,
};

use super::shapes::{Shapes, title};

/// One method of one path.
pub struct Call<'a> {
    method: &'static str,
    path: &'a str,
    operation: &'a Operation,
    document: &'a OpenApi,
}

impl<'a> Call<'a> {
    /// Those of a tag, in the order of the document.
    pub fn of_tag(document: &'a OpenApi, tag: &str) -> Vec<Self> {
        let calls = document.paths.paths.iter().flat_map(|(path, item)| {
            let methods = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            methods.into_iter().filter_map(move |(method, operation)| {
                Some(Self { method, path, operation: operation.as_ref()?, document })
            })
        });
        let has_tag = |call: &Self| call.operation.tags.iter().flatten().any(|known| known == tag);
        calls.filter(has_tag).collect()
    }

    /// Its place on the page: `post-accounts-account-grants`.
    pub fn id(&self) -> String {
        let path = self.path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace('/', "-");
        format!("{}-{path}", self.method.to_lowercase())
    }

    pub fn title(&self) -> String {
        self.operation.summary.clone().unwrap_or_else(|| self.path.to_owned())
    }

    /// The object that it reads, which is told of with it.
    pub fn reads<'b>(&'b self, shapes: &'b Shapes) -> Option<&'b str> {
        let RefOr::T(RequestBody { content, .. }) = self.operation.request_body.as_ref()? else {
            return None;
        };
        let words = shapes.words(content.values().find_map(schema)?, false);
        shapes.names().find(|name| words == format!("`{name}`"))
    }

    pub fn view(&self, shapes: &Shapes) -> impl IntoView + use<> {
        let id = self.id();
        view! {
            <article class="call" aria-labelledby=id.clone()>
                <h3 id=id.clone()>
                    <a class="anchor" href=format!("#{id}")>
                        {self.title()}
                    </a>
                </h3>
                <p class="address">
                    <span class="method">{self.method}</span>
                    " "
                    <code>{self.path.to_owned()}</code>
                    {self.scope().map(|scope| view! { " " <span class="tag">"scope " {scope}</span> })}
                </p>
                {self.operation.description.as_deref().map(|text| view! { <p class="told">{shapes.prose(text)}</p> })}
                {self.parameters("In the path", &ParameterIn::Path, shapes)}
                {self.parameters("In the query", &ParameterIn::Query, shapes)}
                {self.parameters("Headers", &ParameterIn::Header, shapes)}
                {self.body(shapes)}
                {self.answers(shapes)}
            </article>
        }
    }

    /// What a key needs for it.
    fn scope(&self) -> Option<String> {
        let security = serde_json::to_value(&self.operation.security).ok()?;
        Some(security.pointer("/0/key/0")?.as_str()?.to_owned())
    }

    fn parameters(
        &self,
        heading: &str,
        place: &ParameterIn,
        shapes: &Shapes,
    ) -> Option<impl IntoView + use<>> {
        let here = |parameter: &&Parameter| parameter.parameter_in == *place;
        let all = self.operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        let rows: Vec<_> = all
            .filter(here)
            .map(|parameter| {
                let words = parameter.schema.as_ref().map(|schema| shapes.words(schema, false));
                let is_required = matches!(parameter.required, Required::True);
                let description = parameter.description.as_deref();
                shapes.row(&parameter.name, is_required, &words.unwrap_or_default(), description)
            })
            .collect();
        let heading = heading.to_owned();
        (!rows.is_empty()).then(|| view! { <h4>{heading}</h4> <dl class="rows">{rows}</dl> })
    }

    fn body(&self, shapes: &Shapes) -> Option<impl IntoView + use<>> {
        let name = self.reads(shapes)?;
        let object = shapes.object(name)?;
        let words = match object.properties.is_empty() {
            true => Some("An empty object, or nothing."),
            false if object.required.is_empty() => Some("May be left out."),
            false => None,
        };
        Some(view! {
            <h4 id=name.to_owned()>"Body"</h4>
            {words.map(|words| view! { <p class="aside">{words}</p> })}
            {(!object.properties.is_empty()).then(|| shapes.fields(object))}
        })
    }

    fn answers(&self, shapes: &Shapes) -> impl IntoView + use<> {
        let rows = self.operation.responses.responses.iter().map(|(status, response)| {
            let status = if status == "default" { "Otherwise" } else { status }.to_owned();
            let response = self.response(response);
            let description = response.map(|response| response.description.as_str()).unwrap_or_default();
            let bodies = response.iter().flat_map(|response| &response.content);
            let bodies: Vec<String> =
                bodies.map(|(kind, content)| body_words(kind, content, shapes)).collect();
            view! {
                <div>
                    <dt class="number">{status}</dt>
                    <dd>
                        <p class="kind">{shapes.prose(&bodies.join(", or "))}</p>
                        <p>{shapes.prose(description)}</p>
                    </dd>
                </div>
            }
        });
        view! {
            <h4>"Answers"</h4>
            <dl class="rows">{rows.collect_view()}</dl>
        }
    }

    /// A response as it stands there, or the one that is meant by a reference.
    fn response(&self, response: &'a RefOr<Response>) -> Option<&'a Response> {
        match response {
            RefOr::T(response) => Some(response),
            RefOr::Ref(Ref { ref_location, .. }) => {
                match self.document.components.as_ref()?.responses.get(ref_location.rsplit('/').next()?)? {
                    RefOr::T(response) => Some(response),
                    RefOr::Ref(_) => None,
                }
            }
        }
    }
}

/// The object by its name; other things than JSON by their type.
fn body_words(kind: &str, content: &RefOr<Content>, shapes: &Shapes) -> String {
    match schema(content).and_then(|schema| shapes.name_of(schema)) {
        Some(name) => format!("`{name}`"),
        None => format!("`{kind}`"),
    }
}

fn schema(content: &RefOr<Content>) -> Option<&RefOr<utoipa::openapi::Schema>> {
    match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    }
}

/// The objects that are told of by themselves, since no call alone reads them.
pub fn objects(names: Vec<String>, shapes: &Shapes) -> impl IntoView + use<> {
    let each = |name: String| {
        let object = shapes.object(&name)?;
        let description = object.description.clone();
        Some(view! {
            <article class="call" aria-labelledby=name.clone()>
                <h3 id=name.clone()>
                    <a class="anchor" href=format!("#{name}")>
                        {title(&name)}
                    </a>
                </h3>
                {description.map(|text| view! { <p class="told">{shapes.prose(&text)}</p> })}
                {shapes.fields(object)}
            </article>
        })
    };
    names.into_iter().filter_map(each).collect_view()
}
