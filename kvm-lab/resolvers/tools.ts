/** The resolvers that are checked, in the order in which docs/resolvers.md shows them. */
import type { ResolverTool } from './resolver-tool.ts';
import { tool as bind } from './tools/bind.ts';
import { tool as dnsmasq } from './tools/dnsmasq.ts';
import { tool as knotResolver } from './tools/knot-resolver.ts';
import { tool as pdnsRecursor } from './tools/pdns-recursor.ts';
import { tool as published } from './tools/published.ts';
import { tool as reference } from './tools/reference.ts';
import { tool as unbound } from './tools/unbound.ts';
import { tool as vulnerable } from './tools/vulnerable.ts';

/** A file of `tools/` joins here; one that starts a proxy of this repository has null as its Debian package. */
export const tools: readonly ResolverTool[] = [
  dnsmasq,
  unbound,
  bind,
  knotResolver,
  pdnsRecursor,
  vulnerable,
  published,
  reference,
];
