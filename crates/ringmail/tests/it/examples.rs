//! Every chain under `examples/` is run as its page says and must answer as its page says.
