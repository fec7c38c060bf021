/** F1's claims on addresses: each vector of the published corpus as the only address of an honest-looking reply. */
import * as fc from 'fast-check';
import { addressArbitrary, embeddedIn, emptyPolicy, specialIpv4 } from '#properties/arbitraries/addresses.ts';
import { query, types } from '#properties/models/dns-message.ts';
import { addressNumber, addressText, intervalOf } from '#properties/oracles/addresses/address-number.ts';
import { embeddingsIn, type Policy, requiredOf } from '#properties/oracles/addresses/address-oracle.ts';
import { nat64Embedding, sixToFour, wellKnownNat64 } from '#properties/oracles/addresses/embeddings.ts';
import type { AddressVector } from '#properties/vectors/generate/addresses.ts';
import { loadCorpus } from '#properties/vectors/load-corpus.ts';
import type { ClaimId } from '../claim-ids.ts';
import { alwaysAnswers, exchangePart, neverAnswers } from '../exchange-part.ts';
import type { Missing, Part } from '../part.ts';
import type { Settings } from '../settings.ts';
import { addressRecordOf, answersWith } from '../stage.ts';

/** One vector for each address that needs no operator policy; text that is no address does not fit in a record. */
export function addressVectors(): AddressVector[] {
  const seen = new Set<string>();
  return loadCorpus<AddressVector>('addresses').vectors.filter(({ config, flags, input }) => {
    const plain = Object.values(config).every((entries) => entries.length === 0) && !flags.includes('text');
    if (!plain || seen.has(input.address)) return false;
    seen.add(input.address);
    return true;
  });
}

const mapped = intervalOf('::ffff:0:0/96');

function isMapped(address: string): boolean {
  const { family, value } = addressNumber(address);
  return family === 6 && value >= mapped.first && value <= mapped.last;
}

/** The claim that an address which must not be answered belongs to, from the rule that says so. */
export function claimOfRule(address: string, rule: string): ClaimId {
  if (rule.startsWith('operator deny') || rule.includes(' of operator deny')) return 'F1.deny-cidr';
  if (rule.startsWith('NAT64 64:ff9b::/96')) return 'F1.embedded';
  if (rule.startsWith('6to4')) return 'F1.6to4';
  if (rule.startsWith('fec0::/10')) return 'F1.site-local';
  if (/^(NAT64|ISATAP|64:ff9b:1::|2001::\/32 Teredo)/.test(rule) || isMapped(address)) return 'F1.embeddings';
  if (/Guide|documentation$/.test(rule)) return 'F1.cloud';
  return 'F1.special-purpose';
}

function claimOfVector({ id, input, rule, verdict }: AddressVector): ClaimId {
  if (verdict === 'pin') return 'F1.public';
  const claim = claimOfRule(input.address, rule);
  // Teredo, IPv4-compatible and SIIT lie in blocks that are refused whole.
  return claim === 'F1.special-purpose' && id.startsWith('embedding/') ? 'F1.embeddings' : claim;
}

function addressPart(id: string, address: string, claim: ClaimId, rule: string, open: boolean): Part {
  const type = address.includes(':') ? types.aaaa : types.a;
  const what = `${type === types.a ? 'A' : 'AAAA'} ${address}`;
  return exchangePart({
    claim,
    id,
    sends: `the reply holds ${what}`,
    never: open ? `${address} is left out` : `${address} reaches the guest`,
    clause: rule,
    guest: (name) => query(name, type),
    play: (name) => answersWith(name, [addressRecordOf(name, address)]),
    judge: open ? alwaysAnswers(address) : neverAnswers([address]),
  });
}

/** As the guest's answer holds it: an IPv4-mapped AAAA may be left out, it is pinned as IPv4 or not at all. */
const mustBeAnswered = (address: string, rule: string) =>
  !isMapped(address) && !rule.startsWith('NAT64 of') && rule.startsWith('global unicast');

export function addressParts({ policy, seed, runs }: Settings): (Part | Missing)[] {
  const parts: (Part | Missing)[] = [];
  for (const vector of addressVectors()) {
    const { id, input } = vector;
    const required = requiredOf(policy, input.address);
    const open = vector.verdict === 'pin' && required.mayPin;
    // A denied or configured prefix may cover it: then its claim is another.
    const claim =
      open || vector.verdict === 'refuse' ? claimOfVector(vector) : claimOfRule(input.address, required.rule);
    if (open && isMapped(input.address)) continue;
    const rule = vector.verdict === 'refuse' ? vector.rule : required.rule;
    parts.push(addressPart(id, input.address, claim, rule, open));
  }
  parts.push(...nat64Parts(policy), ...denyParts(policy), ...generatedParts(policy, seed, runs));
  return parts;
}

const carried = ['169.254.169.254', '10.0.0.1', '168.63.129.16', '240.0.0.1'];

/** The prefixes of the operator's own translator. */
function nat64Parts(policy: Policy): (Part | Missing)[] {
  if (policy.nat64Prefixes.length === 0) {
    const never = 'an address in the translator’s own prefix hides an IPv4 that is refused';
    const give = '--nat64-prefix PREFIX, where there is a translator';
    return [{ claim: 'F1.embeddings', id: 'nat64-prefix', never, reason: 'no NAT64 prefix was named', give }];
  }
  return policy.nat64Prefixes.flatMap((prefix) =>
    carried.map((ipv4) => {
      const address = nat64Embedding(prefix).embed(addressNumber(ipv4).value, 0n);
      const { rule } = requiredOf(policy, address);
      return addressPart(`nat64-prefix/${prefix}/${ipv4}`, address, 'F1.embeddings', rule, false);
    }),
  );
}

/** First, last, and inside what is decoded; of an IPv6 prefix its ends. */
function denyParts(policy: Policy): (Part | Missing)[] {
  if (policy.denyCIDRs.length === 0) {
    const never = 'an address of the operator’s own ranges reaches the guest';
    const reason = 'no range was named';
    return [{ claim: 'F1.deny-cidr', id: 'deny-cidr', never, reason, give: '--deny-cidr PREFIX' }];
  }
  return policy.denyCIDRs.flatMap((prefix) => {
    const { family, first, last } = intervalOf(prefix);
    const ends = [...new Set([first, last])].map((value) => addressText({ family, value }));
    const inside =
      family === 4 ? [wellKnownNat64, sixToFour].map((embedding) => embedding.embed(first, 0n)) : [];
    return [...ends, ...inside].map((address) => {
      const { rule } = requiredOf(policy, address);
      return addressPart(`deny-cidr/${prefix}/${address}`, address, 'F1.deny-cidr', rule, false);
    });
  });
}

/** Any address, weighted towards edges and embeddings, under the policy that was named. */
function generatedParts(policy: Policy, seed: number, runs: number): Part[] {
  const half = Math.ceil(runs / 2);
  const anywhere = fc.sample(addressArbitrary, { seed, numRuns: runs - half });
  const wrapped = fc.sample(embeddedIn([wellKnownNat64, sixToFour], specialIpv4), { seed, numRuns: half });
  const addresses = new Set([...anywhere, ...wrapped.map(({ address }) => address)]);
  return [...addresses].flatMap((address) => {
    const { mayPin, rule } = requiredOf(policy, address);
    if (!mayPin)
      return [addressPart(`generated/${address}`, address, claimOfRule(address, rule), rule, false)];
    const unusual = address.includes(':') && embeddingsIn(emptyPolicy, addressNumber(address)).length > 0;
    if (unusual || !mustBeAnswered(address, rule)) return [];
    return [addressPart(`generated/${address}`, address, 'F1.public', rule, true)];
  });
}
