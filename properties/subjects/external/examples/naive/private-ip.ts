/** A naive pin filter: pins what npm's `private-ip` says is not private. */
import ipaddr from 'ipaddr.js';
import isPrivate from 'private-ip';
import { type NaiveFilter, serveFilter } from './serve-filter.ts';

export const filter: NaiveFilter = (text) => {
  const said = isPrivate(text);
  if (said !== false) return { verdict: 'refuse', rule: said === true ? 'private' : 'no address' };
  const address = ipaddr.process(text);
  const pinnedAs = 'toRFC5952String' in address ? address.toRFC5952String() : address.toString();
  return { verdict: 'pin', pinnedAs, rule: 'not private' };
};

if (import.meta.main) await serveFilter(filter);
