/** F5.namespace: what the object says of its namespace decides nothing. */
import * as fc from 'fast-check';
import { accounts, grant, specOf, tenant } from '../../arbitraries/admission-requests.ts';
import { namespace } from '../../models/admission-review.ts';
import { mayActAs } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const cases = fc
  .record({
    author: tenant,
    own: fc.constantFrom<string | null>('team-b', null, '', namespace, 'Team-A', `${namespace} `),
    rightsIn: fc.constantFrom('team-b', namespace, ''),
    operation: fc.constantFrom('CREATE', 'UPDATE'),
  })
  .map(({ author, own, rightsIn, operation }) => {
    const to = `user:${author.username}`;
    const grants = [grant(to, 'impersonate', '*', rightsIn), grant(to, 'get', '*', rightsIn)];
    const object = { spec: specOf('builder', ['db']), namespace: own };
    const before = { spec: specOf('builder', ['db'], { timeout: 60 }), namespace: own };
    return {
      request: { operation, author, object, before: operation === 'CREATE' ? null : before },
      world: { grants, accounts },
      disturbance: null,
    };
  });

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.namespace',
      statement:
        'Rights are asked for in the namespace of the request; an object that names another one is denied.',
      source: 'findings.md F5, observed on the original: "the review takes … the object’s namespace"',
      blindSpot: 'the API server itself refuses such objects before admission: decision tier only',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, object }, world }) => {
      const rule = 'findings.md F5: decide on the request’s namespace';
      const elsewhere = ran.asked.some((question) => {
        const { namespace: where } =
          question.kind === 'ServiceAccount' ? question : question.spec.resourceAttributes;
        return where !== namespace;
      });
      if (elsewhere) return violationOf(ran, `ask in ${namespace}, or deny`, rule);
      if (ran.outcome !== 'allowed') return null;
      const own = object?.namespace ?? '';
      if (own !== '' && own !== namespace) return violationOf(ran, 'deny: of another namespace', rule);
      return mayActAs(world, author, 'builder')
        ? null
        : violationOf(ran, `deny: no right in ${namespace}`, rule);
    },
  ),
);
