//! An introducer's side of a join: whether a newcomer is welcome. Nothing changes here; the
//! newcomer introduces itself.

use crate::context::Context;
use crate::gossip::anti_entropy::whole_list;
use crate::identity::Identity;
use crate::list::Update;
use crate::members::Members;
use crate::settings::GroupSettings;
use crate::wire::{CallReply, JoinRefusal};

/// Welcomes a newcomer, or says why not.
pub(crate) fn introduce(
    newcomer: &Update,
    settings: &GroupSettings,
    list: &Members,
    context: &Context,
) -> CallReply {
    let identity = &newcomer.identity;
    let known = || list.get(&identity.name).into_iter().chain(list.at(identity.address));
    let taken = || {
        let mut holders = known().filter(|entry| entry.is_up());
        holders.find_map(|holder| conflict(identity, &holder.identity))
    };
    let ahead = || {
        let own = context.local.incarnation;
        let plausible = context.plausibility.is_plausible(identity.incarnation, own);
        (!plausible).then(|| JoinRefusal::ClockAhead { newcomer: identity.to_string() })
    };
    match disagreement(context.group(), settings).or_else(taken).or_else(ahead) {
        Some(refusal) => CallReply::Refused(refusal),
        // Its address counts too: whoever had that before must not be taken for its newer
        // incarnation.
        None => {
            let forgotten = &list.forgotten;
            let gone = [forgotten.incarnation(&identity.name), forgotten.at(identity.address)];
            let known = known().map(|entry| entry.identity.incarnation);
            let last = known.chain(gone.into_iter().flatten()).max();
            CallReply::Welcome {
                list: whole_list(list),
                last: last.map_or(0, |last| last.0),
                forgotten: forgotten.all(context.now.mono),
            }
        }
    }
}

/// The first setting in which a newcomer disagrees with the group.
fn disagreement(group: &GroupSettings, newcomer: &GroupSettings) -> Option<JoinRefusal> {
    let pairs = newcomer.named().into_iter().zip(group.named());
    let differing = pairs.into_iter().find(|(newcomer, group)| newcomer != group);
    differing.map(|((setting, newcomer), (_, group))| JoinRefusal::Settings {
        setting: setting.to_owned(),
        newcomer,
        group,
    })
}

/// The refusal of a newcomer whose name or address a live member has.
fn conflict(newcomer: &Identity, holder: &Identity) -> Option<JoinRefusal> {
    let (newcomer_text, holder_text) = (newcomer.to_string(), holder.to_string());
    match (newcomer.name == holder.name, newcomer.address == holder.address) {
        (true, false) => {
            Some(JoinRefusal::NameTaken { newcomer: newcomer_text, holder: holder_text })
        }
        (false, true) => {
            Some(JoinRefusal::AddressTaken { newcomer: newcomer_text, holder: holder_text })
        }
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::Claim;
    use crate::testing::{Fixture, address, identity, name, update};
    use std::time::Duration;

    fn answer(fixture: &Fixture, newcomer: &Update) -> CallReply {
        let settings = GroupSettings::default();
        introduce(newcomer, &settings, &fixture.members, &fixture.context)
    }

    #[test]
    fn a_newcomer_is_welcomed_with_the_whole_list() {
        let fixture = Fixture::new(3);
        let CallReply::Welcome { list, last, .. } = answer(&fixture, &update(9)) else { panic!() };
        assert_eq!(list, [update(0), update(1), update(2)]);
        assert_eq!(last, 0);
    }

    #[test]
    fn a_name_or_address_of_a_live_member_is_refused() {
        let fixture = Fixture::new(3);
        let (mut name_taken, mut address_taken) = (update(9), update(9));
        name_taken.identity.name = name(1);
        address_taken.identity.address = address(1);
        let refused = answer(&fixture, &name_taken);
        assert!(matches!(refused, CallReply::Refused(JoinRefusal::NameTaken { .. })));
        let refused = answer(&fixture, &address_taken);
        assert!(matches!(refused, CallReply::Refused(JoinRefusal::AddressTaken { .. })));
    }

    #[test]
    fn a_successor_learns_the_incarnation_of_a_gone_holder() {
        let mut fixture = Fixture::new(3);
        let mut left = Update::new(identity(1), Claim::Left);
        left.identity.incarnation.0 += 7;
        let last = left.identity.incarnation.0;
        fixture.members.merge(left, &mut fixture.context);
        let mut newcomer = update(9);
        newcomer.identity.address = address(1);
        assert!(
            matches!(answer(&fixture, &newcomer), CallReply::Welcome { last: l, .. } if l == last)
        );
    }

    #[test]
    fn other_settings_are_refused_and_both_values_named() {
        let fixture = Fixture::new(3);
        let settings =
            GroupSettings { failure_timeout: Duration::from_secs(3), ..GroupSettings::default() };
        let reply = introduce(&update(9), &settings, &fixture.members, &fixture.context);
        let refusal = JoinRefusal::Settings {
            setting: "failure_timeout".to_owned(),
            newcomer: "3s".to_owned(),
            group: "1.75s".to_owned(),
        };
        assert_eq!(reply, CallReply::Refused(refusal));
    }

    #[test]
    fn a_clock_far_ahead_is_refused() {
        let fixture = Fixture::new(3);
        let mut ahead = update(9);
        ahead.identity.incarnation.0 += 400 * 24 * 60 * 60 * 1_000;
        let refused = answer(&fixture, &ahead);
        assert!(matches!(refused, CallReply::Refused(JoinRefusal::ClockAhead { .. })));
    }
}
