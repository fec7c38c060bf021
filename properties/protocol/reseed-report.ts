/**
 * reseed-report: from what the guest agent did and what each call returned, the next call or the agent's
 * reply.
 */
import Type from 'typebox';
import { defineDecision } from './decision.ts';

const hex = (description: string) => Type.String({ description, maxLength: 8192 });

export const reseedRequest = Type.Object(
  {
    generation: Type.Number({ description: 'unique per fork of the snapshot' }),
    nonce: hex('32 octets in hex'),
    seed: hex('fresh and single-use, 32 octets or more in hex'),
  },
  { additionalProperties: false },
);

export const callResult = Type.Object(
  {
    call: Type.Union([
      Type.Literal('RNDADDENTROPY'),
      Type.Literal('RNDRESEEDCRNG'),
      Type.Literal('write-urandom'),
      Type.Literal('getrandom'),
    ]),
    ret: Type.Integer({ description: 'what the system call returned; -1 on error' }),
    errno: Type.Union([Type.Null(), Type.String({ maxLength: 16 })], {
      description: "errno's name: ENOTTY, EPERM …",
    }),
    octets: Type.Optional(hex('what getrandom drew')),
  },
  { additionalProperties: false },
);

export const generatorCall = Type.Union([
  Type.Object(
    {
      call: Type.Literal('RNDADDENTROPY'),
      entropyBits: Type.Integer({ description: 'entropy_count of struct rand_pool_info' }),
      octets: hex('the buffer'),
    },
    { description: 'ioctl on /dev/random; 0 or an error' },
  ),
  Type.Object(
    { call: Type.Literal('RNDRESEEDCRNG') },
    { description: 'ioctl on /dev/random; 0 or an error' },
  ),
  Type.Object(
    { call: Type.Literal('write-urandom'), octets: hex('the buffer') },
    { description: 'write(2) to /dev/urandom: mixes, credits nothing; the number of octets or an error' },
  ),
  Type.Object(
    { call: Type.Literal('getrandom'), length: Type.Integer({ minimum: 1, maximum: 256 }) },
    { description: 'getrandom(2); the number of octets or an error' },
  ),
]);

/** The guest's line, as an object. Old agents send the two booleans alone. */
export const notifyReply = Type.Object({
  ok: Type.Boolean(),
  reseeded_rng: Type.Boolean(),
  generation: Type.Optional(Type.Number()),
  sample: Type.Optional(Type.String({ description: 'SHA-256 of 32 octets drawn after the reseed, hex' })),
  proof: Type.Optional(
    Type.String({ description: 'SHA-256(label, sample, generation as u64 big-endian, nonce), hex' }),
  ),
  applied_clock_step_nanos: Type.Optional(Type.Number()),
  error: Type.Optional(Type.String()),
});

export const reseedReport = defineDecision({
  name: 'reseed-report',
  summary:
    'The guest agent after a fork: the next call to the kernel’s generator, or what it reports to the host.',
  config: Type.Object({}, { additionalProperties: false }),
  input: Type.Object(
    {
      request: reseedRequest,
      results: Type.Array(callResult, { description: 'what was called so far, in order', maxItems: 16 }),
    },
    { additionalProperties: false },
  ),
  output: Type.Object({
    next: Type.Optional(generatorCall),
    reply: Type.Optional(notifyReply),
    rule: Type.String(),
  }),
  equality: ['next', 'reply'],
  example: {
    config: {},
    input: {
      request: { generation: 7, nonce: 'aa'.repeat(32), seed: '5e'.repeat(32) },
      results: [{ call: 'RNDADDENTROPY' as const, ret: -1, errno: 'ENOTTY' }],
    },
  },
});
