/** The reference's reseed-report behind the subject protocol. */
import { reportReseed } from '#reference/decisions/reseed-report.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { reseedReport } from '../../protocol/reseed-report.ts';

export const bind: Bind<typeof reseedReport> = () => {
  return ({ request, results }) => reportReseed(request, results);
};
