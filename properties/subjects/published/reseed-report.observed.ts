/** What was observed of the published agent's report. */
import type { reseedReport } from '../../protocol/reseed-report.ts';
import type { Observed } from '../observed.ts';

const request = { generation: 7, nonce: 'aa'.repeat(32), seed: '5e'.repeat(32) };

export const observed: readonly Observed<typeof reseedReport>[] = [
  {
    says: 'success only if `RNDADDENTROPY` succeeded ("credited or refused")',
    config: {},
    input: { request, results: [{ call: 'RNDADDENTROPY', ret: -1, errno: 'ENOTTY' }] },
    output: { reply: { ok: false, reseeded_rng: false } },
  },
  {
    says: 'success only if `RNDADDENTROPY` succeeded ("credited or refused")',
    config: {},
    input: { request, results: [{ call: 'RNDADDENTROPY', ret: -1, errno: 'EPERM' }] },
    output: { reply: { ok: false, reseeded_rng: false } },
  },
  {
    says: '`RNDADDENTROPY` credits the input pool and does not rekey; two forks of one snapshot then return the same `/dev/urandom` bytes although both reported success',
    config: {},
    input: { request, results: [{ call: 'RNDADDENTROPY', ret: 0, errno: null }] },
    output: { reply: { ok: true, reseeded_rng: true } },
  },
];
