/**
 * findings.md F6, Published: "success only if `RNDADDENTROPY` succeeded ("credited or refused")".
 * `RNDRESEEDCRNG` is not called: findings.md F6, Residual: "`RNDADDENTROPY` credits the input pool and does
 * not rekey".
 */
import type { Bind } from '../../protocol/decision.ts';
import type { reseedReport } from '../../protocol/reseed-report.ts';

export const bind: Bind<typeof reseedReport> = () => {
  return ({ request, results }) => {
    const [credit] = results;
    if (credit === undefined) {
      const entropyBits = request.seed.length * 4;
      return {
        next: { call: 'RNDADDENTROPY', entropyBits, octets: request.seed },
        rule: 'credit the seed',
      };
    }
    const credited = credit.ret === 0;
    const rule = credited ? 'credited' : `not credited: ${credit.errno}`;
    return { reply: { ok: credited, reseeded_rng: credited }, rule };
  };
};
