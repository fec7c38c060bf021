/** F5.name: a principal is a name, and the identity behind it is one account. */
import * as fc from 'fast-check';
import {
  accounts,
  entitled,
  mallory,
  noAccounts,
  noNames,
  principals,
  specOf,
  tenant,
} from '../../arbitraries/admission-requests.ts';
import { namespace } from '../../models/admission-review.ts';
import { admissionClaim, violationOf } from '../admission-claim.ts';
import { defineClaim } from '../claim.ts';

const dnsName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

const cases = fc
  .record({
    author: tenant,
    // Valid ones made of the same letters, so that the check is met from both sides.
    serviceAccount: fc.oneof(
      fc.constantFrom(...noNames),
      fc.constantFrom<unknown>(...principals),
      fc.string({ unit: fc.constantFrom('a', 'z', '0', '-', '.', ':', '/', 'A', '\n', '*'), maxLength: 6 }),
    ),
    account: fc.oneof(
      { withCrossShrink: true },
      { weight: 2, arbitrary: fc.constant(null) },
      fc.constantFrom(...noAccounts),
    ),
    operation: fc.constantFrom('CREATE', 'UPDATE'),
  })
  .map(({ author, serviceAccount, account, operation }) => ({
    request: {
      operation,
      author,
      object: { spec: specOf(serviceAccount) },
      before: operation === 'CREATE' ? null : { spec: specOf('builder', [], { timeout: 60 }) },
    },
    // As the stock edit role grants it: every name, without a list.
    world: entitled(author),
    disturbance: serviceAccount === 'builder' ? account : null,
  }));

function isName(value: unknown): value is string {
  // No label is empty, begins or ends with a hyphen; 253 characters at most.
  return (
    typeof value === 'string' &&
    value.length <= 253 &&
    dnsName.test(value) &&
    !/\.\.|\.-|-\./.test(value) &&
    !value.endsWith('\n')
  );
}

export const claim = defineClaim(
  admissionClaim(
    {
      id: 'F5.name',
      statement:
        'A principal is a DNS-1123 name, judged before any review; its identity is the namespace, name and UID of one service account.',
      source:
        'findings.md F5: "a principal is a DNS-1123 name, checked before any review; its identity is …"',
      expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
    },
    cases,
    (ran, { request: { object }, disturbance }) => {
      const name = object?.spec.serviceAccount;
      const rule = 'findings.md F5: a DNS-1123 name, checked before any review';
      if (name === '') return null;
      if (!isName(name)) {
        if (ran.outcome === 'denied' && ran.asked.length === 0) return null;
        return violationOf(ran, 'deny before any review', rule);
      }
      if (ran.outcome !== 'allowed') return null;
      const account = accounts.find((one) => one.namespace === namespace && one.name === name);
      if (account === undefined || disturbance !== null) {
        return violationOf(ran, 'deny: there is no such service account', rule);
      }
      const principal = ran.last.stamp?.principal;
      const bound =
        principal?.uid === account.uid && principal.namespace === namespace && principal.name === name;
      return bound
        ? null
        : violationOf(
            ran,
            `stamped as ${namespace}/${name} ${account.uid}`,
            'findings.md F5: namespace, name and UID',
          );
    },
    [
      {
        request: {
          operation: 'CREATE',
          author: mallory,
          object: { spec: specOf('system:serviceaccount:other:admin') },
          before: null,
        },
        world: entitled(mallory),
        disturbance: null,
      },
    ],
  ),
);
