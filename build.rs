//! Rebuilds the library when a file is added to `datasets/`, which it embeds: the embedding macro sees only known files.

fn main() {
    println!("cargo::rerun-if-changed=datasets");
}
