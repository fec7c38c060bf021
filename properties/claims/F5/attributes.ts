/** F5.attributes: the review is about exactly the user who sent the request. */
import * as fc from 'fast-check';
import { accounts, alice, entitled, grant, specOf } from '../../arbitraries/admission-requests.ts';
import { type Identity, scopesKey } from '../../models/access-world.ts';
import { mayActAs } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const word = fc.oneof(
  fc.constantFrom(
    'dev',
    'editors',
    'system:masters',
    'system:authenticated',
    'O=x,CN=y',
    'Ünïcode',
    '',
    ' dev ',
  ),
  fc.string({ maxLength: 5 }),
);

const identity: fc.Arbitrary<Identity> = fc.record({
  username: fc.oneof(
    fc.constantFrom('alice', 'system:serviceaccount:team-a:bot', 'oidc:a@b'),
    fc.string({ minLength: 1, maxLength: 5 }),
  ),
  uid: fc.constantFrom('uid-1', '', '0'),
  groups: fc.array(word, { maxLength: 3 }),
  extra: fc.dictionary(
    fc.constantFrom(scopesKey, 'authentication.kubernetes.io/pod-uid', 'a%2fb', '__proto__', 'constructor'),
    fc.array(fc.constantFrom('user:info', 'user:full', 'x', ''), { maxLength: 2 }),
    { maxKeys: 2 },
  ),
});

const cases = fc
  .record({ author: identity, to: fc.constantFrom('the user', 'a group'), index: fc.nat({ max: 2 }) })
  .map(({ author, to, index }) => {
    const group = author.groups[index] ?? 'dev';
    const who = to === 'the user' ? `user:${author.username}` : `group:${group}`;
    return {
      request: { operation: 'CREATE', author, object: { spec: specOf('builder') }, before: null },
      world: { grants: [grant(who, 'impersonate', ['builder'])], accounts },
      disturbance: null,
    };
  });

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.attributes',
      statement: 'Each review carries user, uid, groups and extra exactly as the request did.',
      source:
        'findings.md F5: forwarded exactly; kubernetes.md: missing groups → false denial, missing extra → false allow',
      expected: { decision: { vulnerable: 'falsified', published: 'holds', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author }, world }) => {
      const rule = 'findings.md F5: user, uid, groups and extra are forwarded exactly';
      const sent = JSON.stringify([author.username, author.uid, author.groups, Object.entries(author.extra)]);
      for (const question of ran.asked) {
        if (question.kind === 'ServiceAccount') continue;
        const { user, uid, groups, extra } = question.spec;
        const asked = JSON.stringify([user, uid, groups, Object.entries(extra)]);
        if (asked !== sent) return violationOf(ran, `ask about ${sent}, not ${asked}`, rule);
      }
      const may = mayActAs(world, author, 'builder');
      if ((ran.outcome === 'allowed') === may) return null;
      return violationOf(ran, may ? 'allow: he may' : 'deny: he may not', rule);
    },
    [
      {
        // Without extra the authorizer would answer for the whole of alice.
        request: {
          operation: 'CREATE',
          author: { ...alice, extra: { [scopesKey]: ['user:info'] } },
          object: { spec: specOf('builder') },
          before: null,
        },
        world: entitled(alice),
        disturbance: null,
      },
    ],
  ),
);
