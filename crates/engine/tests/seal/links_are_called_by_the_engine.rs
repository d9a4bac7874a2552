use ringmail_engine::kinds::Runs;
use ringmail_engine::run::Way;

fn main() {}
