/** The providers of a network lab, by name. */
import type { BuiltInSubject, DatapathSubject, Engine } from '#properties/subjects/subject.ts';
import { CodedError } from '#reference/base/coded-error.ts';
import { containerUnsupported } from './container/readiness.ts';
import type { DnsForm, DnsLab } from './dns-lab.ts';
import { microvmLabUnsupported } from './microvm/readiness.ts';
import { NetnsLab, netnsUnsupported } from './netns/netns.ts';
import type { NetworkLab } from './network-lab.ts';
import type { Unsupported } from './unsupported.ts';

export const providerNames = ['netns', 'container', 'microvm'] as const;
export type ProviderName = (typeof providerNames)[number];

export interface LabProvider {
  readonly name: ProviderName;
  /** Why it cannot be had here; null when it can. */
  unsupported(): Unsupported | null;
  lab(subject: DatapathSubject, engine: Engine): NetworkLab;
  dnsLab(subject: BuiltInSubject, form: DnsForm): DnsLab;
  /** What labs share; when none of them is used any more. */
  close(): Promise<void>;
}

const nothingShared = async () => undefined;

/** Throws CodedError `unknown-provider`. */
export function providerNamed(name: string): ProviderName {
  const found = providerNames.find((one) => one === name);
  if (found !== undefined) return found;
  throw new CodedError(
    'unknown-provider',
    `there is no provider ${name}`,
    `valid: ${providerNames.join(', ')}`,
  );
}

export async function loadProvider(name: ProviderName, image?: string): Promise<LabProvider> {
  if (name === 'netns') {
    return {
      name,
      unsupported: netnsUnsupported,
      lab: (subject, engine) => new NetnsLab(subject, engine),
      dnsLab: (subject, dnsForm) => new NetnsLab(subject, 'husk', { dnsForm }),
      close: nothingShared,
    };
  }
  if (name === 'microvm') {
    const { VmGuests } = await import('./microvm/vm-guests.ts');
    const guests = new VmGuests();
    return {
      name,
      unsupported: () => netnsUnsupported() ?? microvmLabUnsupported(),
      lab: (subject, engine) => new NetnsLab(subject, engine, { guests }),
      dnsLab: (subject, dnsForm) => new NetnsLab(subject, 'husk', { guests, dnsForm }),
      close: () => guests.close(),
    };
  }
  // testcontainers is large, and only this provider needs it.
  const { ContainerLab } = await import('./container/container.ts');
  return {
    name,
    unsupported: () => containerUnsupported(image),
    lab: (subject, engine) => new ContainerLab(subject, engine, { image }),
    dnsLab: (subject, dnsForm) => new ContainerLab(subject, 'husk', { image, dnsForm }),
    close: nothingShared,
  };
}
