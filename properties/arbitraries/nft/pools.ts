/** The values that random rulesets and random packets share, so that they meet. */

export const guest = '10.1.0.2';
export const gateway = '10.1.0.1';
export const uplinkAddress = '172.20.0.10';

export const ipv4Sources = [
  guest,
  guest,
  guest,
  gateway,
  '10.1.0.0',
  '10.1.0.3',
  '10.9.9.9',
  '8.8.8.8',
  '172.20.0.5',
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '169.254.1.1',
  '192.168.7.7',
] as const;

export const ipv4Destinations = [
  gateway,
  gateway,
  uplinkAddress,
  '8.8.8.8',
  '8.8.8.8',
  '93.184.216.34',
  '169.254.169.254',
  '255.255.255.255',
  '10.1.0.3',
  '10.1.0.0',
  '224.0.0.1',
  '224.0.0.251',
  '127.0.0.1',
  '0.0.0.0',
  '192.168.7.7',
  '172.20.0.255',
  '172.20.0.77',
] as const;

export const ipv4Prefixes = [
  '10.0.0.0/8',
  '10.1.0.0/30',
  '8.8.8.0/24',
  '93.184.0.0/16',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '127.0.0.0/8',
  '0.0.0.0/1',
  '128.0.0.0/1',
  '172.16.0.0/12',
] as const;

export const ipv6Sources = [
  'fd00:1::2',
  'fd00:1::2',
  'fe80::2',
  'fd00:1::1',
  '2001:4860:4860::8888',
  '::',
  '::1',
  'ff02::1',
] as const;

export const ipv6Destinations = [
  'fd00:1::1',
  'fd00:2::10',
  'fe80::1',
  'ff02::1',
  'ff02::2',
  'ff02::fb',
  '2001:4860:4860::8888',
  '2001:db8::7',
  '::1',
  'fd00:2::77',
] as const;

export const ipv6Prefixes = ['fd00::/8', 'fe80::/10', 'ff00::/8', '2001:4860::/32', '2000::/3'] as const;

export const ports = [22, 53, 80, 443, 853, 8080, 9091, 9443, 1024, 1025, 65535, 0] as const;
export const marks = [0, 1, 2, 5, 0x10, 0xff] as const;
export const otherProtocols = [2, 50, 253] as const;

export const macs = {
  tap: [2, 0, 0, 0, 0, 1],
  uplink: [2, 0, 0, 0, 0, 2],
  guest: [2, 0, 0, 0, 0, 0x11],
  stranger: [2, 0, 0, 0, 0, 0x99],
  broadcast: [255, 255, 255, 255, 255, 255],
  multicast: [1, 0, 0x5e, 0, 0, 1],
  multicast6: [0x33, 0x33, 0, 0, 0, 1],
} as const;

export function macText(octets: readonly number[]): string {
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}
