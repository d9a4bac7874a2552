//! Whether a caller of a run that was cut off would still be let in: nobody shows a proof then, but what was taken back counts.

use crate::server::Doors;
use crate::world::World;
use ringmail_core::issuer::SUBJECT_MARK;
use ringmail_core::policy::Principal;
use ringmail_core::value::Str;
use ringmail_engine::CancellationToken;

/// Whether an issuer that the project still believes might say this of a caller now.
fn by_issuer(
    world: &World,
    issuer: &str,
    principal: &Principal,
    chain: &Str,
) -> Result<CancellationToken, &'static str> {
    let mut all = world.setting.issuers.iter();
    let issuer = all.find(|known| *known.name == *issuer);
    let issuer = issuer.ok_or("nobody issues the tokens of its caller any more")?;
    let own = world.named(&principal.subject, &principal.authenticated);
    if !issuer.may_give(principal, &own) {
        return Err("its caller is another in the project now");
    }
    let for_chain =
        issuer.scopes.is_empty() || issuer.scopes.iter().any(|scope| scope.chains.contains(chain));
    for_chain.then(CancellationToken::new).ok_or("no token of its caller is for this chain any more")
}

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
        "key" => {
            let proof = doors.keys.proof_of(principal, chain, doors.now_ms());
            proof.ok_or("its caller has no key any more that is for this chain")
        }
        "jwt" => match principal.subject.split_once(SUBJECT_MARK) {
            None => {
                let proof = doors.tokens.proof_of(principal, chain, doors.now_ms());
                proof.ok_or("the tokens of its caller were revoked, have ended, or are for other chains")
            }
            // Another issuer's word counted as long as it was given for; whether it is taken back, only it knows.
            Some((issuer, _)) => by_issuer(world, issuer, principal, chain),
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
