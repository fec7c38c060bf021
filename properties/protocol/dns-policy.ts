/** Configuration shared by the three DNS decisions. */
import Type from 'typebox';
import { addressPolicyConfig } from './pin-address.ts';

/** Wire messages travel as lower-case hex, two digits an octet, at most 65,535 octets. */
export const hexMessage = Type.String({ pattern: '^([0-9a-f]{2})*$', maxLength: 131070 });

export const dnsPolicyConfig = Type.Object(
  {
    ...addressPolicyConfig.properties,
    allow: Type.Array(Type.String(), {
      description:
        'allow entries of the template: `[tcp|udp://]host:port` or `[tcp|udp://]*.host:port` (default tcp)',
      maxItems: 1024,
    }),
    ipv6: Type.Boolean({
      description: 'the IPv6 option; off: AAAA is answered NODATA and nothing enters the v6 set',
    }),
    randomCase: Type.Boolean({
      description: '0x20: randomise the case of the upstream question and require it back',
    }),
    ttlFloorSeconds: Type.Integer({ minimum: 1, maximum: 86400 }),
    ttlCeilingSeconds: Type.Integer({ minimum: 1, maximum: 86400 }),
    maxPinsPerAnswer: Type.Integer({ minimum: 1, maximum: 4096 }),
  },
  { additionalProperties: false },
);

/** The reference's defaults (findings.md, F1): IPv6 off, 0x20 on, [30 s, 300 s], 64 pins an answer. */
export const defaultDnsPolicy = {
  denyCIDRs: [],
  nat64Prefixes: [],
  pinPrivateCIDRs: [],
  allow: ['example.com:443', '*.wild.test:443', 'udp://time.test:123', 'example.com:8443'],
  ipv6: true,
  randomCase: true,
  ttlFloorSeconds: 30,
  ttlCeilingSeconds: 300,
  maxPinsPerAnswer: 64,
};
