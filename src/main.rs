//! `acr-fanin`: the handler under the Functions host, and the commands of its standalone home.

use std::process::ExitCode;

fn main() -> ExitCode {
    acr_fanin::cli::main()
}
