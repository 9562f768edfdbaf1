use super::*;

const IP: &[u8] = &[
    0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
];

fn eth(kind: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    f.extend(kind);
    f.extend(rest);
    f
}

fn ip_of(link: u32, frame: &[u8]) -> Layers<'_> {
    let layers = peel(link, frame).unwrap();
    assert!(
        matches!(layers.net, Net::Ip(ip) if ip.starts_with(IP)),
        "{layers:?}"
    );
    layers
}

#[test]
fn ethernet_and_tags() {
    let plain = eth(&[8, 0], IP);
    let layers = ip_of(1, &plain);
    assert_eq!(
        (layers.dst_mac, layers.src_mac),
        (Some(0x0200_0000_0001), Some(0x0200_0000_0002))
    );
    let tagged = eth(&[0x81, 0, 0x20, 7, 8, 0], IP);
    assert_eq!(ip_of(1, &tagged).vlan, Some(7));
    let qinq = eth(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 8, 0], IP);
    assert_eq!(ip_of(1, &qinq).vlan, Some(9));
    let mpls = eth(&[0x88, 0x47, 0, 0, 0x10, 0, 0, 0, 0x11, 64], IP);
    ip_of(1, &mpls);
    let pppoe = eth(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x21], IP);
    ip_of(1, &pppoe);
    let snap = eth(&[0, 28, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0], IP);
    ip_of(1, &snap);
    let hsr = eth(&[0x89, 0x2f, 0, 30, 0, 1, 8, 0], IP);
    assert!(ip_of(1, &hsr).redundant);
}

#[test]
fn prp_trailer_is_seen_and_only_where_its_size_fits() {
    let mut frame = eth(&[8, 0], IP);
    let size = (IP.len() + 6) as u16;
    frame.extend([0, 1]);
    frame.extend((0xa000 | size).to_be_bytes());
    frame.extend([0x88, 0xfb]);
    assert!(ip_of(1, &frame).redundant);
    let n = frame.len();
    *frame.get_mut(n - 3).unwrap() ^= 1;
    assert!(!ip_of(1, &frame).redundant);
}

#[test]
fn other_link_types() {
    let mut null = vec![2, 0, 0, 0];
    null.extend(IP);
    ip_of(0, &null);
    let mut null_be = vec![0, 0, 0, 2];
    null_be.extend(IP);
    ip_of(0, &null_be);
    for raw in [12, 101, 228] {
        ip_of(raw, IP);
    }
    let mut sll = vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0, 8, 0];
    sll.extend(IP);
    assert_eq!(ip_of(113, &sll).src_mac, Some(0x0200_0000_0005));
    let mut sll2 = vec![8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 5, 0, 0];
    sll2.extend(IP);
    assert_eq!(ip_of(276, &sll2).src_mac, Some(0x0200_0000_0005));
    let mut ppp = vec![0xff, 3, 0, 0x21];
    ppp.extend(IP);
    ip_of(9, &ppp);
    let mut hdlc = vec![0x0f, 0, 8, 0];
    hdlc.extend(IP);
    ip_of(104, &hdlc);
    assert_eq!(peel(147, IP), Err(LinkError::Unknown(147)));
}

#[test]
fn tunnels() {
    let inner = eth(&[8, 0], IP);
    let is_ip = |l: Option<Layers<'_>>| assert!(matches!(l.unwrap().net, Net::Ip(ip) if ip == IP));
    let gre =
        |flags: [u8; 2], kind: [u8; 2], extra: &[u8]| [&flags[..], &kind, extra, &inner].concat();
    is_ip(tunnel::by_ip_protocol(47, &gre([0, 0], [0x65, 0x58], &[])));
    is_ip(tunnel::by_ip_protocol(47, &gre([0, 0], [0x88, 0xbe], &[])));
    is_ip(tunnel::by_ip_protocol(
        47,
        &gre([0x10, 0], [0x88, 0xbe], &[0; 12]),
    ));
    is_ip(tunnel::by_ip_protocol(
        47,
        &gre([0x10, 0], [0x22, 0xeb], &[0; 16]),
    ));
    let mut v = vec![8, 0, 0, 0, 0, 0, 1, 0];
    v.extend(&inner);
    is_ip(tunnel::by_udp_port(4789, &v));
    let mut g = vec![0, 0, 0x65, 0x58, 0, 0, 1, 0];
    g.extend(&inner);
    is_ip(tunnel::by_udp_port(6081, &g));
    assert!(tunnel::by_udp_port(53, &v).is_none());
}

#[test]
fn every_prefix_is_survived() {
    let frames = [
        eth(&[0x81, 0, 0, 7, 0x88, 0x47, 0, 0, 0x11, 64], IP),
        eth(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 22, 0, 0x21], IP),
        eth(&[0x89, 0x2f, 0, 30, 0, 1, 8, 0], IP),
    ];
    for frame in &frames {
        for cut in 0..frame.len() {
            for link in [0, 1, 9, 12, 50, 104, 105, 107, 108, 113, 127, 276] {
                // an error or a result, but no panic
                assert!(peel(link, frame.get(..cut).unwrap()).is_ok() || cut < 40);
            }
        }
    }
}
