/** Where each subject's datapath keeps the pins of a sandbox. */
import type { PinSetNames } from '#properties/subjects/dnsproxy-protocol.ts';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { inetTable, pinSetOf } from '#reference/contract/datapath.ts';

export function pinSetNames(subject: BuiltInSubject, tap: string): PinSetNames {
  if (subject === 'reference') {
    return { table: inetTable, ipv4: pinSetOf(tap, 'ipv4'), ipv6: pinSetOf(tap, 'ipv6') };
  }
  return { table: inetTable, ipv4: `${tap}-allow-v4`, ipv6: `${tap}-allow-v6` };
}
