//! Migrations are compiled into the program: a new one alone must make it be built anew.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
