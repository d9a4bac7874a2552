//! A worker, for programs that embed the host and cannot be started again themselves.

fn main() -> std::process::ExitCode {
    ringmail_host::serve_as_worker()
}
