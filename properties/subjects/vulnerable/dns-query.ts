export { bind } from '../published/dns-query.ts';
