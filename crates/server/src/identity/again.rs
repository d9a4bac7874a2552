//! Whether a caller of a run that was cut off would still be let in: nobody shows a proof then, but what was taken back counts.

use crate::server::Doors;
use crate::world::World;
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use ringmail_engine::CancellationToken;

/// What ends when the caller's proof is taken back; or why its run does not go on.
pub(crate) fn still(
    doors: &Doors,
    world: &World,
    principal: &Principal,
    chain: &Str,
) -> Result<CancellationToken, &'static str> {
    let by_name = || {
        let now = world.named(&principal.subject, &principal.authenticated);
        (now == *principal).then(CancellationToken::new).ok_or("its caller is another in the project now")
    };
    match &*principal.authenticated {
        "key" => doors.keys.proof_of(principal, doors.now_ms()).ok_or("its caller has no key any more"),
        "jwt" => match doors.tokens.proof_of(principal) {
            Some(proof) => proof.ok_or("the tokens of its caller were revoked"),
            // Another issuer's word counted as long as it was given for; whether it is taken back, only it knows.
            None if !world.setting.issuers.is_empty() => Ok(CancellationToken::new()),
            None => Err("nobody issues the tokens of its caller any more"),
        },
        "schedule" => {
            let mut all = world.setting.schedules.iter();
            let still = all.any(|own| own.chain == *chain && *own.subject() == *principal.subject);
            if still { by_name() } else { Err("its schedule is gone") }
        }
        "webhook" => {
            let mut all = world.setting.webhooks.iter();
            let own = |name: &str| *principal.subject == *format!("webhook:{name}");
            let still = all.any(|hook| hook.chain == *chain && own(&hook.name));
            if still { by_name() } else { Err("its webhook is gone") }
        }
        "anonymous" => {
            let still = world.setting.listeners.iter().any(|listener| listener.anonymous);
            still.then(CancellationToken::new).ok_or("nobody may call without a proof any more")
        }
        _ => by_name(),
    }
}
