/**
 * What was asked of a husk, held to its form.
 * Invariant: what is refused is named by its field, and never by what stands in it, which may be a secret.
 */
import { Ajv } from 'ajv';
import Type from 'typebox';
import { CodedError } from '#reference/base/coded-error.ts';
import { type HuskRequest, huskControlVersion } from '#reference/contract/husk-control.ts';
import { maxSecretOctets, maxSecrets } from '../fork-engine/secrets.ts';

const closed = { additionalProperties: false } as const;
const text = (maxLength: number) => Type.String({ maxLength });
const port = Type.Integer({ minimum: 1, maximum: 65_535 });
const maxEntries = 4_096;

const policy = Type.Object(
  {
    egress: Type.Union([Type.Literal('deny'), Type.Literal('allow')]),
    allow: Type.Array(text(512), { maxItems: maxEntries }),
    inbound: Type.Array(
      Type.Object(
        {
          protocol: Type.Union([Type.Literal('tcp'), Type.Literal('udp')]),
          podPort: port,
          guestPort: port,
          from: text(64),
        },
        closed,
      ),
      { maxItems: maxEntries },
    ),
  },
  closed,
);

const secret = Type.Object(
  {
    name: text(256),
    value: text(maxSecretOctets),
    envVar: Type.Optional(text(128)),
    path: Type.Optional(text(4_096)),
  },
  closed,
);

const v = Type.Literal(huskControlVersion);
const asked = <Ask extends HuskRequest['ask']>(ask: Ask) => ({ v, ask: Type.Literal(ask) });

const schemas = {
  prepare: Type.Object({ ...asked('prepare'), snapshot: Type.String({ pattern: '^[0-9a-f]{64}$' }) }, closed),
  activate: Type.Object(
    {
      ...asked('activate'),
      policy,
      secrets: Type.Array(secret, { maxItems: maxSecrets }),
      hostname: Type.Optional(Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' })),
    },
    closed,
  ),
  'change-policy': Type.Object({ ...asked('change-policy'), policy }, closed),
  terminate: Type.Object(asked('terminate'), closed),
  status: Type.Object(asked('status'), closed),
} as const satisfies Record<HuskRequest['ask'], unknown>;

const ajv = new Ajv();
const checks = new Map(
  Object.entries(schemas).map(([ask, schema]) => [ask, ajv.compile<HuskRequest>(schema)] as const),
);

function bad(what: string): CodedError {
  return new CodedError('bad-husk-request', `no request to a husk: ${what}`, 'mend what the message names');
}

/** @throws CodedError `bad-husk-request` */
export function readHuskRequest(value: unknown): HuskRequest {
  const { ask } = typeof value === 'object' && value !== null ? (value as { readonly ask?: unknown }) : {};
  const check = typeof ask === 'string' ? checks.get(ask) : undefined;
  if (check === undefined) throw bad(`ask is none of ${[...checks.keys()].join(', ')}`);
  if (check(value)) return value;
  const [{ instancePath = '', message = 'is wrong' } = {}] = check.errors ?? [];
  throw bad(`${instancePath === '' ? 'it' : instancePath} ${message}`);
}
