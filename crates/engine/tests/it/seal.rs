//! What the gates make cannot be made, copied or opened elsewhere, and links are called by nothing else.

#[test]
fn what_would_get_around_a_gate_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/seal/*.rs");
}
