/** What the lab knows of a resolver or a proxy: how it forwards to us, and refuses rebinding. */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface ResolverPlace {
  /** A folder of its own, which goes with the run. */
  readonly folder: string;
  /** Where it listens. */
  readonly server: Endpoint;
  /** The only server that it asks. */
  readonly upstream: Endpoint;
  /** Names under which it is asked. */
  readonly domain: string;
}

export interface ResolverSetup {
  /** Files of the folder, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Stays in the foreground. */
  readonly command: readonly [program: string, ...words: string[]];
}

export interface ResolverTool {
  readonly name: string;
  /** Debian package that it comes from, whose version is kept with what was found; null: this repository. */
  readonly debianPackage: string | null;
  /** Programs that must be there, and the packages that bring them. */
  readonly programs: Readonly<Record<string, string>>;
  /** Its setting against rebinding, as it stands in its configuration. */
  readonly setting: string;
  /** Where its makers describe it, and what we had to choose. */
  readonly documented: string;
  /** Settings beside it, so that it forwards to us. No cache answers: every name is fresh. TTLs are left alone. */
  readonly beside: string;
  /** What else it was told, so that these claims are asked as well: its allowlist, ranges of the operator. */
  readonly told?: { readonly allow?: readonly string[]; readonly denyCidr?: readonly string[] };
  /** Sets of nf_tables that it pins into, made for it beforehand. */
  readonly pinSets?: PinSets;
  setUp(place: ResolverPlace): ResolverSetup;
}

export interface PinSets {
  readonly family: string;
  readonly table: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** `addresses` alone, or `flows`: address, protocol and port, each with a timeout. */
  readonly of: 'addresses' | 'flows';
}

/**
 * The list that unbound.conf(5) and its example configuration suggest for private-address. BIND and pdns-recursor
 * document the mechanism and no list: they get this one, so that the figures compare.
 */
export const documentedRanges: readonly string[] = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  'fd00::/8',
  'fe80::/10',
  '::ffff:0:0/96',
];

/** One a line, indented. */
export const listed = (lines: readonly string[], indent = '  ') =>
  lines.map((line) => `${indent}${line}\n`).join('');
