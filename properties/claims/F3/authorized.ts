/** F3.authorized: what is delivered is what the stamp names. */
import * as fc from 'fast-check';
import { ClaimWorld } from '../../models/claim-world.ts';
import { pool } from '../../models/husk-pod.ts';
import type { Subject } from '../../subjects/subject.ts';
import { defineClaim } from '../claim.ts';
import { claimBecomesReady } from '../claim-life.ts';

interface StampCase {
  readonly asked: readonly string[];
  /** Names of the verified stamp; null: the claim was admitted without one. */
  readonly stamped: readonly string[] | null;
  /** How the list stands in the claim. */
  readonly form: 'as it should' | 'as environment' | 'a name that is no string' | 'a list that is none';
}

const systemSecrets = ['mitos-ca', 'mitos-forkd-tls', 'sandbox-token-x7k2p'];
const names = ['db', 'api-key', ...systemSecrets];

function environmentOf({ asked, form }: StampCase): unknown {
  if (form !== 'as environment') return [];
  return asked.map((name) => ({ name: 'KEY', valueFrom: { secretKeyRef: { name, key: 'key' } } }));
}

function secretsOf({ asked, form }: StampCase): unknown {
  if (form === 'as environment') return [];
  if (form === 'a list that is none') return { db: asked };
  const list: unknown[] = asked.map((secretRef) => ({ name: secretRef, secretRef }));
  return form === 'as it should' ? list : [...list, { name: 'x', secretRef: 7 }];
}

function deliveredTo(subject: Subject, input: StampCase): readonly string[] {
  const world = new ClaimWorld(subject, ['honest'], input.stamped);
  world.addOwner('SandboxClaim', 'claim-0', {
    poolRef: pool.name,
    secrets: secretsOf(input),
    env: environmentOf(input),
  });
  for (let turn = 0; turn < 60; turn++) {
    world.sync(0);
    world.turn(0, 0);
  }
  return world.deliveries.flatMap(({ secrets }) => secrets);
}

export const claim = defineClaim<StampCase>({
  id: 'F3.authorized',
  statement:
    'A claim is handed only Secrets that its verified stamp names, never the system’s own; a claim without a stamp is handed none.',
  source: 'findings.md F3 Residual: the confused deputy; Reference: "asked at admission, stamped"',
  blindSpot: 'who may have which stamp is F3.deputy',
  decisions: ['claim-step'],
  expected: { decision: { vulnerable: 'falsified', published: 'falsified', reference: 'holds' } },
  weight: 0.3,
  arbitrary: () =>
    fc.record({
      asked: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 }),
      stamped: fc.option(fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 })),
      form: fc.constantFrom<StampCase['form']>(
        'as it should',
        'as it should',
        'as environment',
        'a name that is no string',
        'a list that is none',
      ),
    }),
  control: claimBecomesReady,
  judge(subject, input) {
    const wrong = deliveredTo(subject, input).filter(
      (name) => systemSecrets.includes(name) || input.stamped?.includes(name) !== true,
    );
    if (wrong.length === 0) return null;
    return {
      observed: `delivers ${wrong.join(', ')}`,
      required: `nothing but ${input.stamped?.filter((name) => !systemSecrets.includes(name)).join(', ') || 'nothing'}`,
      requiredRule: 'findings.md F3: only if the claim’s author may get them, never the system’s own',
    };
  },
  notation: ({ asked, stamped, form }) =>
    `asks for ${asked.join(', ') || 'nothing'} (${form}); stamp: ${stamped?.join(', ') ?? 'none'}`,
  observe(subject, input) {
    return `delivers ${deliveredTo(subject, input).join(', ') || 'no Secret'}`;
  },
});
