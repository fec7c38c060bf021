export { bind } from '../published/dns-reply.ts';
