use ringmail_engine::core::gate::{Admitted, Answer, CheckedAddress, Entered, Left, NetPermit, Released};
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>() {}

fn main() {
    read::<Entered>();
    read::<Admitted>();
    read::<NetPermit>();
    read::<CheckedAddress>();
    read::<Released>();
    read::<Left>();
    read::<Answer>();
}
