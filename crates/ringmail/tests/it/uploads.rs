//! Files as people send them: the commands of `examples/receipts`, with curl.

use crate::examples::copy;
use crate::serve::{Serving, key_of};
use crate::setup::Place;
use std::path::Path;
use std::process::Command;

/// What curl prints, status first.
fn curl(place: &Place, key: &str, args: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.current_dir(place.path()).args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
    let output = command.args(["-H", &format!("authorization: Bearer {key}")]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    format!("{status} {body}")
}

#[test]
fn files_are_sent_as_the_page_of_the_example_says() {
    let place = Place::empty();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/receipts");
    copy(&folder, &folder, &place, "");
    place.write("ringmail.toml", &place.read("ringmail.toml").replace("127.0.0.1:8654", "127.0.0.1:0"));
    let key = key_of(&place, "clerk");
    let serving = Serving::start(&place, 1);
    let (receive, count) =
        (format!("{}/chains/receive", serving.urls[0]), format!("{}/chains/count", serving.urls[0]));
    let form = ["-F", "amount=12.5", "-F", "paid_on=2026-11-20", "-F", "tags=lunch", "-F"];
    let sent = |file: &str| curl(&place, &key, &[&form[..], &[file, &receive]].concat());
    assert_eq!(
        sent("file=@lunch.pdf"),
        "200 {\"id\":\"888bde245353570886f4f1bd70e3a4827564eadb5e7ec60965cbff53c568582b\",\"called\":\"lunch.pdf\",\"amount\":12.5,\"tags\":[\"lunch\"]}"
    );
    let told = sent("file=@statement.csv;type=application/pdf;filename=lunch.pdf");
    assert!(told.starts_with("400 ") && told.contains("not `application/pdf`"), "{told}");
    place.write_bytes("large.pdf", &vec![b' '; 600 << 10]);
    let told = sent("file=@large.pdf");
    assert!(told.starts_with("413 ") && told.contains("`file` is larger than a part may be"), "{told}");
    let alone = ["-H", "content-type: text/csv", "--data-binary", "@statement.csv", &count];
    assert_eq!(curl(&place, &key, &alone), "200 {\"entries\":2}");
    let wrong = ["-H", "content-type: text/csv", "--data-binary", "@receipt.json", &count];
    let told = curl(&place, &key, &wrong);
    assert!(told.starts_with("400 ") && told.contains("not `text/csv`"), "{told}");
}
