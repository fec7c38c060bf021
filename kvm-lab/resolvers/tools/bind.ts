/** BIND with deny-answer-addresses. */
import { documentedRanges, listed, type ResolverTool } from '../resolver-tool.ts';

export const tool: ResolverTool = {
  name: 'bind',
  debianPackage: 'bind9',
  programs: { named: 'bind9' },
  setting: `deny-answer-addresses { ${documentedRanges.join('; ')}; }`,
  documented:
    'BIND 9 Administrator Reference Manual, "Content Filtering": deny-answer-addresses; it names no list, so unbound’s',
  beside: 'forward only, one forwarder, dnssec-validation no, servfail-ttl 0, lame-ttl 0',
  setUp({ folder, server, upstream }) {
    const options = [
      `directory "${folder}";`,
      'pid-file none;',
      'session-keyfile none;',
      'lock-file none;',
      `listen-on port ${server.port} { ${server.address}; };`,
      'listen-on-v6 { none; };',
      'allow-query { any; };',
      'recursion yes;',
      'forward only;',
      `forwarders { ${upstream.address} port ${upstream.port}; };`,
      'dnssec-validation no;',
      'empty-zones-enable no;',
      'servfail-ttl 0;',
      'lame-ttl 0;',
      `deny-answer-addresses { ${documentedRanges.join('; ')}; };`,
    ];
    const config = `options {
${listed(options)}};
controls { };
logging { category default { null; }; };
`;
    return {
      files: { 'named.conf': config },
      command: ['named', '-g', '-n', '1', '-c', `${folder}/named.conf`],
    };
  },
};
