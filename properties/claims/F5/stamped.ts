/** F5.stamped: the stamp says what was found, about this claim and no other. */
import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import {
  accounts,
  entitled,
  mallory,
  ownSecrets,
  principals,
  specOf,
  tenant,
} from '../../arbitraries/admission-requests.ts';
import { claimName, namespace, type Spec } from '../../models/admission-review.ts';
import { secretsOf } from '../../oracles/admission-oracle.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const more = fc.constantFrom<Spec>(
  {},
  { timeout: 60 },
  { env: [{ name: 'ä"\\', value: '\u2028' }], b: { z: 1, a: [null, 1.5] } },
);

const cases = fc
  .record({
    author: tenant,
    principal: fc.constantFrom<string | undefined>(...principals, undefined),
    secrets: fc.subarray([...ownSecrets]),
    more,
    before: fc.constantFrom<'created' | Spec>(
      'created',
      specOf('builder', ['db'], { timeout: 1 }),
      specOf(undefined),
    ),
    generated: fc.boolean(),
  })
  .map(({ author, principal, secrets, more: rest, before, generated }) => {
    const created = before === 'created';
    const metadata = { generateName: 'claim-', namespace };
    const object = { spec: specOf(principal, secrets, rest) };
    // A name that the API server generates is unknown at admission.
    const nameless = {
      says: 'with metadata.generateName, no name yet',
      request: {
        name: '',
        object: { apiVersion: 'mitos.run/v1alpha1', kind: 'SandboxClaim', metadata, spec: object.spec },
      },
    };
    return {
      request: {
        operation: created ? 'CREATE' : 'UPDATE',
        author,
        object,
        before: created ? null : { spec: before },
        ...(created && generated ? { envelope: nameless } : {}),
      },
      world: entitled(author),
      disturbance: null,
    };
  });

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.stamped',
      statement:
        'A claim that names a principal or a Secret is admitted only with a stamp of exactly this author, namespace, name, principal, Secrets and spec; one that names neither is not stamped.',
      source:
        'findings.md F5: "claims admitted without the check carry no trust"; F3: "asked at admission, stamped"',
      blindSpot: 'that the stamp is signed and verified is the webhook’s and the resume gate’s: F5.resume',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { request: { author, object, envelope } }) => {
      if (ran.outcome !== 'allowed') return null;
      const spec = object?.spec ?? {};
      const secrets = secretsOf(spec);
      const { serviceAccount } = spec;
      const rule = 'findings.md F5: bound durably; what is not stamped carries no trust';
      if (serviceAccount === undefined && secrets.length === 0) {
        return ran.last.stamp === null ? null : violationOf(ran, 'no stamp', rule);
      }
      if (envelope !== undefined) return violationOf(ran, 'deny: a stamp needs a name', rule);
      const account = accounts.find((one) => one.namespace === namespace && one.name === serviceAccount);
      const expected = {
        author,
        namespace,
        name: claimName,
        principal: account ?? null,
        secrets,
        specHash: hash('sha256', canonical(spec)),
      };
      if (ran.last.stamp !== null && canonical(ran.last.stamp) === canonical(expected)) return null;
      return violationOf(ran, `stamp ${canonical(expected)}`, rule);
    },
    [
      {
        request: {
          operation: 'CREATE',
          author: mallory,
          object: { spec: specOf('builder', ['db']) },
          before: null,
        },
        world: entitled(mallory),
        disturbance: null,
      },
    ],
  ),
);
