/** Answers pin-address with a filter that knows no policy, over the subject protocol on stdin and stdout. */
import { answerCases } from '../../../../protocol/case-lines.ts';
import type { OutputOf } from '../../../../protocol/decision.ts';
import { pinAddress } from '../../../../protocol/pin-address.ts';

export type NaiveFilter = (address: string) => OutputOf<typeof pinAddress>;

export async function serveFilter(filter: NaiveFilter): Promise<void> {
  const bind = () => (input: { readonly address: string }) => filter(input.address);
  await answerCases(
    pinAddress,
    bind as () => (input: never) => unknown,
    process.stdin,
    process.stdout,
    (line, message) => {
      process.stderr.write(`line ${line}: ${message}\n`);
    },
  );
}
