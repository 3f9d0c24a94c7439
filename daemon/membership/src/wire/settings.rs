//! Encodes the settings of a group, as a newcomer says them at join. The names say the detector, so
//! members that know only the ring refuse whoever has no interval of heartbeats. It owns no state.

use crate::identity::Name;
use crate::settings::{AgreementSettings, Detection, GroupSettings, SwimSettings};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// The map on the wire. The first three are those of version 1.
#[derive(Serialize, Deserialize)]
struct Fields {
    max_simultaneous_failures: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_interval: Option<Duration>,
    failure_timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    ping_interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicion_timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indirect_pings: Option<u8>,
    /// Members that know no agreement leave it out of the comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agreement: Option<AgreementFields>,
}

/// The settings of the agreement, as one more map.
#[derive(Serialize, Deserialize)]
struct AgreementFields {
    initial_council: Vec<String>,
    council: u8,
    lease: Duration,
}

impl From<&AgreementSettings> for AgreementFields {
    fn from(settings: &AgreementSettings) -> Self {
        let AgreementSettings { initial_council, council, lease } = settings;
        let initial_council = initial_council.iter().map(ToString::to_string).collect();
        AgreementFields { initial_council, council: *council, lease: *lease }
    }
}

impl TryFrom<AgreementFields> for AgreementSettings {
    type Error = &'static str;

    fn try_from(fields: AgreementFields) -> Result<Self, Self::Error> {
        let AgreementFields { initial_council, council, lease } = fields;
        if initial_council.len() > AgreementSettings::MAX_FOUNDERS {
            return Err("too many founders");
        }
        let names: Result<Vec<Name>, _> =
            initial_council.iter().map(|name| Name::new(name)).collect();
        let initial_council = names.map_err(|_| "a founder's name is none")?;
        Ok(AgreementSettings { initial_council, council, lease })
    }
}

impl Serialize for GroupSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (heartbeat_interval, swim) = match self.detection {
            Detection::Ring { heartbeat_interval } => (Some(heartbeat_interval), None),
            Detection::Swim(swim) => (None, Some(swim)),
        };
        let fields = Fields {
            max_simultaneous_failures: self.max_simultaneous_failures,
            heartbeat_interval,
            failure_timeout: self.failure_timeout,
            ping_interval: swim.map(|swim| swim.ping_interval),
            suspicion_timeout: swim.map(|swim| swim.suspicion_timeout),
            indirect_pings: swim.map(|swim| swim.indirect_pings),
            agreement: self.agreement.as_ref().map(AgreementFields::from),
        };
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GroupSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(deserializer)?;
        let swim = (fields.ping_interval, fields.suspicion_timeout, fields.indirect_pings);
        let detection = match (fields.heartbeat_interval, swim) {
            (Some(heartbeat_interval), (None, None, None)) => {
                Detection::Ring { heartbeat_interval }
            }
            (None, (Some(ping_interval), Some(suspicion_timeout), Some(indirect_pings))) => {
                Detection::Swim(SwimSettings { ping_interval, suspicion_timeout, indirect_pings })
            }
            _ => return Err(D::Error::custom("the settings are of no detector, or of two")),
        };
        let Fields { max_simultaneous_failures, failure_timeout, agreement, .. } = fields;
        let agreement = agreement.map(AgreementSettings::try_from).transpose();
        let agreement = agreement.map_err(D::Error::custom)?;
        Ok(GroupSettings { max_simultaneous_failures, failure_timeout, detection, agreement })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &impl Serialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn settings_of_both_detectors_survive() {
        let agreement = AgreementSettings {
            initial_council: vec![Name::new("vm1").unwrap(), Name::new("vm2").unwrap()],
            council: 5,
            lease: Duration::from_millis(1_500),
        };
        let agreeing = GroupSettings { agreement: Some(agreement), ..GroupSettings::default() };
        for settings in [GroupSettings::default(), GroupSettings::swim(), agreeing] {
            let bytes = encoded(&settings);
            let decoded: GroupSettings = ciborium::from_reader(bytes.as_slice()).unwrap();
            assert_eq!(decoded, settings);
        }
    }

    #[test]
    fn who_knows_only_the_ring_cannot_read_those_of_swim() {
        #[derive(Deserialize)]
        struct Before {
            #[serde(rename = "heartbeat_interval")]
            _heartbeat_interval: Duration,
        }
        let read = |settings| ciborium::from_reader::<Before, _>(encoded(&settings).as_slice());
        assert!(read(GroupSettings::default()).is_ok());
        assert!(read(GroupSettings::swim()).is_err());
    }

    #[test]
    fn settings_of_no_detector_or_of_two_are_refused() {
        let none = encoded(&Fields {
            max_simultaneous_failures: 4,
            heartbeat_interval: None,
            failure_timeout: Duration::from_secs(4),
            ping_interval: None,
            suspicion_timeout: None,
            indirect_pings: None,
            agreement: None,
        });
        assert!(ciborium::from_reader::<GroupSettings, _>(none.as_slice()).is_err());
        let two = encoded(&Fields {
            max_simultaneous_failures: 4,
            heartbeat_interval: Some(Duration::from_secs(1)),
            failure_timeout: Duration::from_secs(4),
            ping_interval: Some(Duration::from_secs(1)),
            suspicion_timeout: Some(Duration::ZERO),
            indirect_pings: Some(3),
            agreement: None,
        });
        assert!(ciborium::from_reader::<GroupSettings, _>(two.as_slice()).is_err());
    }
}
