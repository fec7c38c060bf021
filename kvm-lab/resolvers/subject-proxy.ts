/**
 * `subject-proxy.ts SUBJECT PLACE`: a subject's DNS proxy for one guest, in the namespace that this process is in. It
 * ends with this process, and this process with it.
 */
import { readFileSync } from 'node:fs';
import { builtInSubjects } from '#properties/subjects/subject.ts';
import { parseEndpoint } from '#reference/dnsproxy/parse-endpoint.ts';
import { DnsChild } from '../providers/netns/dns-child.ts';
import { startDnsProxyOf } from '../providers/netns/subject-process.ts';
import { flowSets, guestTap, type SubjectPlace, told } from './subject-setup.ts';

const [name = '', path = ''] = process.argv.slice(2);
const subject = builtInSubjects.find((one) => one === name);
if (subject === undefined) throw new Error(`there is no subject ${name}`);
const place = JSON.parse(readFileSync(path, 'utf8')) as SubjectPlace;

const child = new DnsChild(startDnsProxyOf(subject));
const upstreams = [parseEndpoint('upstream', place.upstream, 53)];
await child.order({ do: 'start', netns: null, upstreams, ttlFloorSeconds: 30 });
await child.order({
  do: 'attach',
  sandbox: {
    tap: guestTap,
    listen: [parseEndpoint('listen', place.listen, 53)],
    policy: {
      allow: told.allow.map((entry) => `${entry}:443`),
      ipv6: true,
      denyCIDRs: [],
      nat64Prefixes: [],
      pinPrivateCIDRs: [],
    },
    sets: flowSets,
  },
});
