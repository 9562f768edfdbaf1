//! From the network layer to the flow: tunnels, fragments, copies.

use super::Pipeline;
use crate::ip::{self, Ip};
use crate::link::{Layers, Net, tunnel};
use crate::rows::PacketInfo;
use telltale_schema::ErrorLayer;

/// Tunnels in tunnels that are peeled from one packet at most.
const MAX_TUNNELS: usize = 4;

impl Pipeline {
    pub(super) fn network(
        &mut self,
        info: PacketInfo,
        layers: &Layers<'_>,
        wire: u64,
        depth: usize,
    ) {
        match layers.net {
            Net::Ip(bytes) => match ip::parse(bytes) {
                Ok(ip) => self.ip(info, &ip, layers.redundant, wire, depth),
                Err((code, reason)) => self.failure(info, ErrorLayer::Network, code, reason, bytes),
            },
            Net::Arp(bytes) => {
                let at = self.segments.of(info.vlan);
                let name = self.segments.name(at).clone();
                if !self.claims.message(&mut self.out, info, (at, &name), bytes) {
                    self.failure(
                        info,
                        ErrorLayer::Network,
                        "TT-ARP-001",
                        "ARP message cut short, or not for IPv4 over Ethernet",
                        bytes,
                    );
                }
            }
            Net::Other(_) => self.out.counters.not_ip += 1,
        }
    }

    fn ip(&mut self, info: PacketInfo, ip: &Ip<'_>, redundant: bool, wire: u64, depth: usize) {
        if self.dedup.seen(info.ts_ns, ip, redundant) {
            self.out.counters.duplicates += 1;
            if !self.config.keep_duplicates {
                self.count_duplicate(info, ip);
                return;
            }
        }
        match ip.fragment {
            None => self.datagram(info, ip, wire, depth),
            Some(fragment) => {
                if let Some(whole) = self.defrag.push(info.ts_ns, ip, fragment) {
                    let ip = Ip {
                        payload: &whole,
                        fragment: None,
                        ..*ip
                    };
                    self.datagram(info, &ip, wire, depth);
                }
            }
        }
    }

    fn datagram(&mut self, info: PacketInfo, ip: &Ip<'_>, wire: u64, depth: usize) {
        let inner = match ip.protocol {
            4 | 41 | 47 => tunnel::by_ip_protocol(ip.protocol, ip.payload),
            17 => udp_port(ip.payload).and_then(|port| {
                tunnel::by_udp_port(port, ip.payload.get(8..).unwrap_or_default())
            }),
            _ => None,
        };
        match inner {
            Some(inner) if depth < MAX_TUNNELS => {
                // the plant's own addresses are inside; its VLAN wins over the tunnel's
                let info = PacketInfo {
                    vlan: inner.vlan.or(info.vlan),
                    src_mac: inner.src_mac.or(info.src_mac),
                    dst_mac: inner.dst_mac.or(info.dst_mac),
                    ..info
                };
                self.network(info, &inner, wire, depth + 1);
            }
            _ => self.transport(info, ip, wire),
        }
    }
}

fn udp_port(payload: &[u8]) -> Option<u16> {
    payload
        .get(2..4)
        .and_then(|b| b.first_chunk())
        .map(|b| u16::from_be_bytes(*b))
}
