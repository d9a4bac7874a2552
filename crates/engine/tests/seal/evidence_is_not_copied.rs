use ringmail_engine::core::gate::{
    Admitted, Answer, Due, Entered, FsPermit, Left, NetPermit, Permit, Released, Unchecked,
};

fn copied<T: Clone>() {}

fn main() {
    copied::<Entered>();
    copied::<Admitted>();
    copied::<Due>();
    copied::<Permit>();
    copied::<NetPermit>();
    copied::<FsPermit>();
    copied::<Unchecked>();
    copied::<Released>();
    copied::<Left>();
    copied::<Answer>();
}
