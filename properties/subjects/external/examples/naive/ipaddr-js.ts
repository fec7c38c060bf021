/** A naive pin filter: pins what npm's `ipaddr.js` calls unicast, an IPv4-mapped address as its IPv4. */
import ipaddr from 'ipaddr.js';
import { type NaiveFilter, serveFilter } from './serve-filter.ts';

export const filter: NaiveFilter = (text) => {
  if (!ipaddr.isValid(text)) return { verdict: 'refuse', rule: 'no address' };
  const address = ipaddr.process(text);
  const range = address.range();
  if (range !== 'unicast') return { verdict: 'refuse', rule: range };
  const pinnedAs = 'toRFC5952String' in address ? address.toRFC5952String() : address.toString();
  return { verdict: 'pin', pinnedAs, rule: range };
};

if (import.meta.main) await serveFilter(filter);
