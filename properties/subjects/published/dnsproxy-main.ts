/** The published DNS proxy as a harness drives it. */
import { serveDnsProxy } from '../dnsproxy-protocol.ts';
import { bind } from './dns-build.ts';
import { PublishedDnsProxy } from './dnsproxy.ts';

await serveDnsProxy(async (...words) => new PublishedDnsProxy(bind, ...words));
