//! Names to addresses, as a seam: tests need a resolver that changes its mind.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

/// The addresses of a name.
pub type Resolving<'r> = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send + 'r>>;

pub trait Resolve: Send + Sync {
    fn resolve<'r>(&'r self, name: &'r str) -> Resolving<'r>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'r>(&'r self, name: &'r str) -> Resolving<'r> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
