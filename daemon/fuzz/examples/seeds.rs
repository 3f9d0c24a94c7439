//! Writes what the fuzz targets begin with, below `seeds/`: real messages, settings, keys and patterns.

use memberd::seal::datagram::Sealer;
use memberd::seal::lives::For;
use memberd::state::{Remembered, State};
use memberd_control::frame::encode;
use memberd_control::grep::{GrepPattern, GrepRequest};
use memberd_control::keyring::GroupKey;
use memberd_control::message::{Hello, PROTOCOL_VERSION, Reply, Request};
use memberd_fuzz::{START, address, at, founder, keys};
use memberd_ring::{Incarnation, Name, Node, Settings, wire};
use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let (datagrams, request, welcome) = conversation();
    let mut sealer = Sealer::new(address(2));
    sealer.begin(wire::decode(&datagrams[0]).map_err(io::Error::other)?.incarnation);
    let sealed = sealer.seal(&keys(), address(3), For::Life(Incarnation(START)), &datagrams[0]).map_err(io::Error::other)?;
    write("sealed_datagram", &[piece(&[], sealed)])?;
    let said: Vec<Vec<u8>> = datagrams.iter().map(|datagram| piece(&[2, 10], datagram)).collect();
    write("opened_datagram", &[said.concat()])?;
    write("opened_datagram", &said)?;
    write("member_call", &[[&[0], request.as_slice()].concat(), [&[1], welcome.as_slice()].concat()])?;
    let framed = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes(), bytes].concat();
    write("member_stream", &[[&[1], framed(&request).as_slice()].concat(), [&[0], &[1; 53][..]].concat(), vec![8, 0, 17, 1]])?;

    let hello = Hello { protocol: PROTOCOL_VERSION, program: "memberctl".to_owned() };
    let pattern = GrepPattern { patterns: vec![b"a.*b".to_vec()], ..GrepPattern::default() };
    let grep = GrepRequest { pattern, ..GrepRequest::default() };
    let bodies = [
        encode(&hello),
        encode(&Request::Grep(Box::new(grep))),
        encode(&Request::Join { introducers: vec!["vm1:8946".to_owned()] }),
        encode(&Reply::Left { was_member: true }),
        encode(&Reply::GrepOutput { member: "vm1".to_owned(), bytes: b"line\n".to_vec() }),
    ];
    let bodies: Vec<Vec<u8>> = bodies.into_iter().collect::<Result<_, _>>().map_err(io::Error::other)?;
    let whole: Vec<Vec<u8>> =
        bodies.iter().map(|frame| frame.get(4..).unwrap_or_default().to_vec()).chain(bodies.clone()).collect();
    write("control_frame", &whole)?;

    let settings = include_str!("../../../packaging/memberd.toml");
    let set: String = settings
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .filter(|line| !line.starts_with(' '))
        .collect::<Vec<_>>()
        .join("\n");
    write("settings", &[settings.into(), set.into()])?;
    let member = Remembered { name: "vm2".to_owned(), address: address(2), incarnation: START };
    let state = State { incarnation: START, in_group: true, members: vec![member] }.to_bytes().map_err(io::Error::other)?;
    let body = state.get(40..).unwrap_or_default();
    write("state", &[[&[0], state.as_slice()].concat(), [&[1], body].concat()])?;
    let key = GroupKey::generate()?;
    write("keyring", &[format!("# a key\n\n{}", key.to_line().as_str()).into()])?;
    let patterns =
        [r"^\(a*\)b\{1,3\}\1$", r"(foo|ba[[:alpha:]x-z]+)?\<bar\>{2,}", "/var/log/**/*.{log,gz}", r"[]^-[=a=][.-.]]*\w\W\s"];
    write("pattern", &patterns.map(|pattern| [&[0], pattern.as_bytes()].concat()))
}

/// What two members say to each other from the first word on, and what is asked and answered at the join.
fn conversation() -> (Vec<Vec<u8>>, Vec<u8>, Vec<u8>) {
    let (mut one, mut said) = (founder(), Vec::new());
    let mut two = Node::new(Settings::default(), Name::new("vm2").expect("a name"), address(2), None, 8);
    two.join(at(10), vec![address(1)], Vec::new()).expect("it was out");
    let call = two.poll_call().expect("it asks its introducer");
    let welcome = one.handle_request(at(20), &call.payload);
    two.handle_reply(at(30), call.id, Ok(&welcome));
    for step in 0..100 {
        let now = at(30 + step * 50);
        if step == 90 {
            two.leave(now);
        }
        let mut payload = Vec::new();
        while two.poll_transmit(&mut payload).is_some() {
            // What one does not hear in the middle makes it ask.
            if !(30..60).contains(&step) {
                let _ = one.handle_datagram(now, address(2), &payload);
            }
            said.push(payload.clone());
        }
        while one.poll_transmit(&mut payload).is_some() {
            let _ = two.handle_datagram(now, address(1), &payload);
            said.push(payload.clone());
        }
        one.handle_timeout(now);
        two.handle_timeout(now);
        while one.poll_event().is_some() || two.poll_event().is_some() {}
    }
    (said, call.payload, welcome)
}

fn piece(head: &[u8], bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(head.len() + bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), head, bytes].concat()
}

fn write(target: &str, seeds: &[Vec<u8>]) -> io::Result<()> {
    let directory = Path::new("seeds").join(target);
    fs::create_dir_all(&directory)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(directory.join(format!("{number}-{}", seed.len())), seed)?;
    }
    Ok(())
}
