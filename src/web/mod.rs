//! The pages, compiled twice: the server renders them, the browser makes them quicker. Nothing native is
//! named here but inside the bodies of server functions, which exist on the server alone.

pub mod app;
pub mod components;
mod error;
pub mod fns;
pub mod pages;
