/** What the DNS proxies of this repository are told, all the same, and how a subject of the matrix is started. */
import { fileURLToPath } from 'node:url';
import type { BuiltInSubject } from '#properties/subjects/subject.ts';
import { inetTable, pinSetOf } from '#reference/contract/datapath.ts';
import type { ResolverTool } from './resolver-tool.ts';

export const guestTap = 'guest';
/** Names of the check, and a range of the operator that is public otherwise. */
export const told = { allow: ['*.huskproof.example'], denyCidr: ['93.190.0.0/16'] } as const;
export const flowSets = {
  family: 'inet',
  table: inetTable,
  ipv4: pinSetOf(guestTap, 'ipv4'),
  ipv6: pinSetOf(guestTap, 'ipv6'),
  of: 'flows',
} as const;

/** What a subject's process reads of its place, as `address:port`. */
export interface SubjectPlace {
  readonly upstream: string;
  readonly listen: string;
}

const script = fileURLToPath(new URL('./subject-proxy.ts', import.meta.url));

export function subjectTool(name: BuiltInSubject, documented: string): ResolverTool {
  return {
    name,
    debianPackage: null,
    programs: {},
    setting: `allow ${told.allow[0]}:443, ipv6`,
    documented,
    beside: 'one server; sets of pins that were made for it',
    told: { allow: told.allow },
    pinSets: flowSets,
    setUp({ folder, server, upstream }) {
      const place: SubjectPlace = {
        upstream: `${upstream.address}:${upstream.port}`,
        listen: `${server.address}:${server.port}`,
      };
      return {
        files: { 'place.json': `${JSON.stringify(place)}\n` },
        command: [process.execPath, script, name, `${folder}/place.json`],
      };
    },
  };
}
