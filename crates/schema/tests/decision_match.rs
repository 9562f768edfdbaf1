//! The generated `match` says what the table says: the first row that fits.

use telltale_schema::{Decision, DecisionRow};

/// The rule that the generated `match` is to follow, written plainly.
fn first_fit(
    rows: &[DecisionRow],
    space: &str,
    code: u16,
    sub: Option<u16>,
    class: &str,
) -> Decision {
    rows.iter()
        .find(|r| {
            r.space == space
                && r.code.fits(Some(code))
                && r.sub.fits(sub)
                && r.classes.is_none_or(|l| l.contains(&class))
        })
        .map_or(Decision::UNKNOWN, |r| Decision {
            function: r.function,
            operation: r.operation,
            phase: r.phase,
        })
}

macro_rules! same_as_table {
    ($($table:ident),*) => {$(
        #[test]
        fn $table() {
            use telltale_schema::$table::{DECISIONS, ObjectClass, Space, decide};
            for &space in Space::ALL {
                for &class in ObjectClass::ALL {
                    for code in 0..=260u16 {
                        for sub in std::iter::once(None).chain((0..=260u16).map(Some)) {
                            let want = super::first_fit(DECISIONS, space.as_str(), code, sub, class.as_str());
                            assert_eq!(decide(space, code, sub, class), want, "{space} {code} {sub:?} {class}");
                        }
                    }
                }
            }
        }
    )*};
}

mod the_match_equals_the_table {
    same_as_table!(modbus, dnp3, s7comm, flow, arp, packet_error);

    /// Many classes: every code, subs only where rows name them.
    #[test]
    fn cip() {
        use telltale_schema::cip::{DECISIONS, ObjectClass, Space, decide};
        for &space in Space::ALL {
            for &class in ObjectClass::ALL {
                for code in 0..=260u16 {
                    for sub in [
                        None,
                        Some(0),
                        Some(3),
                        Some(0x50),
                        Some(0x80),
                        Some(0xaa),
                        Some(255),
                    ] {
                        let want =
                            super::first_fit(DECISIONS, space.as_str(), code, sub, class.as_str());
                        assert_eq!(
                            decide(space, code, sub, class),
                            want,
                            "{space} {code} {sub:?} {class}"
                        );
                    }
                }
            }
        }
    }
}
