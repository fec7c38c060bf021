/** The DNS proxy before the fix, as a harness drives it: the same messages behind the older address filter. */
import { serveDnsProxy } from '../dnsproxy-protocol.ts';
import { PublishedDnsProxy } from '../published/dnsproxy.ts';
import { bind } from './dns-build.ts';

await serveDnsProxy(async (...words) => new PublishedDnsProxy(bind, ...words));
