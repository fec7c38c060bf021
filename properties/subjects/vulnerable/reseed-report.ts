/**
 * findings.md F6, Vulnerable: "when `RNDADDENTROPY` failed the agent wrote to `/dev/urandom` (no credit)
 * and still reported success".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { reseedReport } from '../../protocol/reseed-report.ts';

export const bind: Bind<typeof reseedReport> = () => {
  return ({ request, results }) => {
    const [credit, write] = results;
    const octets = request.seed;
    if (credit === undefined) {
      return {
        next: { call: 'RNDADDENTROPY', entropyBits: octets.length * 4, octets },
        rule: 'credit the seed',
      };
    }
    if (credit.ret === 0) return { reply: { ok: true, reseeded_rng: true }, rule: 'credited' };
    if (write === undefined) {
      return { next: { call: 'write-urandom', octets }, rule: 'not credited: write instead' };
    }
    const written = write.ret > 0;
    return {
      reply: { ok: written, reseeded_rng: written },
      rule: written ? 'written' : 'neither credited nor written',
    };
  };
};
