//! Serves a file system in memory by WebHDFS, to try clients with. It prints its address, and ends
//! with its standard input.
//!
//!     cargo run -p memberd-webhdfs --example webhdfs_memory -- SHARE...

use memberd_webhdfs::{May, Server, Settings};
use memory::Memory;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[path = "../tests/webhdfs/memory.rs"]
mod memory;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shares: Vec<String> = std::env::args().skip(1).collect();
    let shares: Vec<&str> = shares.iter().map(String::as_str).collect();
    let settings = Settings { may: May::Write, ..Settings::default() };
    let server = Server::new(Arc::new(Memory::new(&shares)), settings);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let serving = tokio::spawn(server.serve(listener));
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    serving.abort();
    Ok(())
}
