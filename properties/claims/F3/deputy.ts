/** F3.deputy: the controller reads no Secret for an author who could not read it himself. */
import * as fc from 'fast-check';
import {
  alice,
  entitled,
  mallory,
  ownSecrets,
  someRights,
  specOf,
  systemSecrets,
  tenant,
} from '../../arbitraries/admission-requests.ts';
import type { Spec } from '../../models/admission-review.ts';
import { admissionConfig } from '../../models/admission-run.ts';
import { mayGet, secretsOf, whyNotEntitled } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

interface Source {
  readonly name: string;
  readonly by: 'secrets' | 'env';
}

const source: fc.Arbitrary<Source> = fc.record({
  name: fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: fc.constantFrom(...ownSecrets) },
    { weight: 1, arbitrary: fc.constantFrom(...systemSecrets) },
    { weight: 1, arbitrary: fc.constantFrom('s-1', 's-2', 's-3') },
  ),
  by: fc.constantFrom('secrets', 'env'),
});

function specNaming(sources: readonly Source[], principal: string | undefined): Spec {
  const env = sources
    .filter(({ by }) => by === 'env')
    .map(({ name }, index) => ({ name: `E${index}`, valueFrom: { secretKeyRef: { name, key: 'k' } } }));
  const listed = sources.filter(({ by }) => by === 'secrets').map(({ name }) => name);
  return specOf(principal, listed, env.length === 0 ? {} : { env: [{ name: 'PLAIN', value: 'x' }, ...env] });
}

const cases = fc
  .record({
    author: tenant,
    sources: fc.array(source, { minLength: 1, maxLength: 7 }),
    principal: fc.constantFrom(undefined, 'builder'),
    before: fc.constantFrom('created', 'other', 'same Secrets'),
    rights: fc.constantFrom('some', 'some', 'all'),
    dryRun: fc.boolean(),
  })
  .chain(({ author, sources, principal, before, rights, dryRun }) => {
    const worlds = rights === 'all' ? fc.constant(entitled(author)) : someRights(author);
    const spec = specNaming(sources, principal);
    const former = before === 'other' ? specOf(undefined) : { ...spec, poolRef: 'pool-2' };
    return worlds.map((world) => ({
      request: {
        operation: before === 'created' ? 'CREATE' : 'UPDATE',
        author,
        object: { spec },
        before: before === 'created' ? null : { spec: former },
        dryRun,
      },
      world,
      disturbance: null,
    }));
  });

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F3.deputy',
      statement:
        'Only Secrets that the claim’s author may read are stamped for delivery, never the system’s own, whoever asks; an author who may read all of them is admitted.',
      source:
        'findings.md F3 Residual: "a claim author without any right on Secrets names mitos-forkd-tls in spec.secrets"',
      blindSpot: 'that nothing but what is stamped is delivered is F3.authorized',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, object }, world }) => {
      const spec = object?.spec ?? {};
      const rule = 'findings.md F3: only if the claim’s author may get them, never the system’s own';
      const named = secretsOf(spec);
      const why = whyNotEntitled(world, author, spec);
      const tooMany = named.length > admissionConfig.maxSecrets;
      const reviews = ran.asked.filter(
        (question) =>
          question.kind === 'SubjectAccessReview' && question.spec.resourceAttributes.verb === 'get',
      ).length;
      if (reviews > admissionConfig.maxSecrets) return violationOf(ran, 'a bounded number of reviews', rule);
      if (ran.outcome === 'allowed') {
        if (why !== null) return violationOf(ran, `deny: ${why}`, rule);
        const stamped = ran.last.stamp?.secrets ?? [];
        const wrong = stamped.find((name) => !mayGet(world, author, name));
        return wrong === undefined ? null : violationOf(ran, `no stamp for ${wrong}`, rule);
      }
      return why === null && !tooMany ? violationOf(ran, 'allow: he may read all of them', rule) : null;
    },
    [
      {
        request: {
          operation: 'CREATE',
          author: mallory,
          object: { spec: specOf(undefined, ['mitos-forkd-tls']) },
          before: null,
        },
        world: { ...entitled(alice), grants: [] },
        disturbance: null,
      },
    ],
  ),
);
