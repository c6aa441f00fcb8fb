//! arkworks, and halo2curves' multi-scalar multiplication and transform, on the cases of the prover bench.
//!
//! `bench-arkworks PEER CASE SCALARS LOG_SIZE INPUTS`, where PEER is arkworks or halo2curves; the protocol is that of
//! `prover/crates/bench/README.md`.

mod arkworks;
mod halo2curves;

use std::{
    env,
    fs::File,
    io::{BufRead, Read, Write, stdin, stdout},
    path::Path,
    time::Instant,
};

/// Runs once uncounted, prints that run's result, then runs once for every line read.
fn serve(mut work: impl FnMut() -> String) {
    println!("{{\"result\": \"{}\"}}", work());
    stdout().flush().expect("a reader");
    for line in stdin().lock().lines() {
        line.expect("a line");
        let start = Instant::now();
        std::hint::black_box(work());
        println!("{{\"seconds\": {}}}", start.elapsed().as_secs_f64());
        stdout().flush().expect("a reader");
    }
}

/// `count` values of 32 bytes.
fn read(folder: &Path, name: &str, count: usize) -> Vec<[u8; 32]> {
    let mut bytes = vec![0; 32 * count];
    File::open(folder.join(name))
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("inputs, as assay-bench writes them");
    bytes
        .chunks_exact(32)
        .map(|chunk| chunk.try_into().expect("32 bytes"))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, peer, case, kind, log_size, inputs] = args.as_slice() else {
        panic!("usage: bench-arkworks arkworks|halo2curves CASE SCALARS LOG_SIZE INPUTS");
    };
    let n = 1usize << log_size.parse::<u32>().expect("LOG_SIZE is a number");
    let inputs = Path::new(inputs);
    match peer.as_str() {
        "arkworks" => arkworks::bench(case, kind, n, inputs),
        "halo2curves" => halo2curves::bench(case, kind, n, inputs),
        _ => panic!("no peer {peer}"),
    }
}
