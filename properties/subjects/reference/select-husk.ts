/** The reference's select-husk behind the subject protocol. */
import { selectHusk as select } from '#reference/decisions/select-husk/select-husk.ts';
import type { Bind } from '../../protocol/decision.ts';
import type { selectHusk } from '../../protocol/select-husk.ts';

export const bind: Bind<typeof selectHusk> = () => (input) => {
  const { verdict, pod, refusals, rule } = select(input);
  return { verdict, pod, refusals: [...refusals], rule };
};
