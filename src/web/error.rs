//! How a [`Problem`] travels between server and browser.

use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use crate::problem::Problem;

impl FromServerFnError for Problem {
    type Encoder = JsonEncoding;

    /// What the framework itself stumbled over. Its own words may hold what nobody should read.
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::Offline,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Self::Malformed,
            ServerFnErrorErr::Deserialization(_) if cfg!(feature = "ssr") => Self::Malformed,
            // In the browser: an answer that is none of ours, such as a proxy's page.
            _ => Self::Unavailable,
        }
    }
}
