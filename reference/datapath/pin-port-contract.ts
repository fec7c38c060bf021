/** What every `PinPort` does, told as tests: run on the fake everywhere, and on the kernel where there is one. */
import { expect, test } from 'vitest';
import type { PinPlace, PinPort } from '#reference/contract/pin-port.ts';

export const contractSetSize = 6;

const place = (last: number, port = 443): PinPlace => ({
  address: `93.184.215.${last}`,
  protocol: 'tcp',
  port,
});
const six: PinPlace = { address: '2606:4700::1', protocol: 'udp', port: 53 };
const lasting = (pin: PinPlace, timeoutMs = 60_000) => ({ ...pin, timeoutMs });

type Contract = (title: string, act: (pins: PinPort) => void) => void;

const listed = (pins: PinPort) =>
  pins
    .read()
    .map(({ tap, address, protocol, port }) => `${tap} ${address} ${protocol} ${port}`)
    .sort();
const add = (tap: string, ...elements: ReturnType<typeof lasting>[]) =>
  ({ kind: 'add', tap, elements }) as const;
const remove = (tap: string, ...elements: PinPlace[]) => ({ kind: 'delete', tap, elements }) as const;

/** `make` gives one where `a` and `b` have sets of both families, of `contractSetSize`, `c` that of IPv4. */
export function pinPortContract(make: () => PinPort): void {
  const contract: Contract = (title, act) =>
    void test(title, () => {
      const pins = make();
      try {
        act(pins);
      } finally {
        pins.close();
      }
    });
  readingContract(contract);
  commandContract(contract);
}

function readingContract(contract: Contract): void {
  contract('says which sets stand', (pins) => {
    expect(pins.setsOf('a').sort()).toEqual(['ipv4', 'ipv6']);
    expect(pins.setsOf('c')).toEqual(['ipv4']);
    expect(pins.setsOf('nobody')).toEqual([]);
    expect(
      pins.run([
        { kind: 'create-sets', tap: 'a' },
        { kind: 'create-sets', tap: 'nobody' },
        { kind: 'delete-set', tap: 'c', family: 'ipv6' },
      ]),
    ).toEqual([null, 'ENODEV', 'ENOENT']);
  });

  contract('adds both families of several taps in one run, and lists them with what is left', (pins) => {
    expect(pins.run([add('a', lasting(place(1)), lasting(six)), add('b', lasting(place(1, 80)))])).toEqual([
      null,
      null,
    ]);
    expect(listed(pins)).toEqual([
      'a 2606:4700::1 udp 53',
      'a 93.184.215.1 tcp 443',
      'b 93.184.215.1 tcp 80',
    ]);
    for (const { remainingMs } of pins.read()) {
      expect(remainingMs).toBeGreaterThan(30_000);
      expect(remainingMs).toBeLessThanOrEqual(60_000);
    }
  });

  contract('extends what is there', (pins) => {
    pins.run([add('a', lasting(place(1), 30_000))]);
    expect(pins.run([add('a', lasting(place(1), 300_000))])).toEqual([null]);
    expect(pins.read()).toMatchObject([{ address: '93.184.215.1' }]);
    expect(pins.read()[0]?.remainingMs).toBeGreaterThan(200_000);
  });
}

function commandContract(contract: Contract): void {
  contract('does a command whole or not at all, and one that fails costs no other', (pins) => {
    const many = [1, 2, 3, 4, 5, 6, 7].map((last) => lasting(place(last)));
    expect(
      pins.run([
        add('a', lasting(place(1))),
        add('b', ...many),
        remove('a', place(9)),
        add('c', lasting(six)),
      ]),
    ).toEqual([null, 'ENFILE', 'ENOENT', 'ENOENT']);
    expect(listed(pins)).toEqual(['a 93.184.215.1 tcp 443']);
    expect(pins.run([add('a', ...many.slice(1))])).toEqual(['ENFILE']);
    expect(pins.run([add('a', ...many.slice(1, 6))])).toEqual([null]);
    expect(pins.run([add('a', lasting(place(1)))])).toEqual([null]);
    expect(pins.run([add('a', lasting(place(7)))])).toEqual(['ENFILE']);
  });

  contract('deletes what it is told, in order with what it adds', (pins) => {
    pins.run([add('a', lasting(place(1)), lasting(place(2)))]);
    expect(pins.run([remove('a', place(1)), add('a', lasting(place(3))), remove('a', place(2))])).toEqual([
      null,
      null,
      null,
    ]);
    expect(listed(pins)).toEqual(['a 93.184.215.3 tcp 443']);
    expect(pins.run([remove('a', place(3), place(4))])).toEqual(['ENOENT']);
    expect(listed(pins)).toEqual(['a 93.184.215.3 tcp 443']);
  });

  contract('empties a set, and no other', (pins) => {
    pins.run([add('a', lasting(place(1)), lasting(place(2)), lasting(six)), add('b', lasting(place(1)))]);
    expect(pins.run([{ kind: 'delete-set', tap: 'a', family: 'ipv4' }])).toEqual([null]);
    expect(listed(pins)).toEqual(['a 2606:4700::1 udp 53', 'b 93.184.215.1 tcp 443']);
    expect(pins.run([{ kind: 'delete-set', tap: 'a', family: 'ipv4' }])).toEqual([null]);
    expect(pins.run([add('a', lasting(place(3)))])).toEqual([null]);
  });

  contract('runs nothing for nothing', (pins) => {
    expect(pins.run([])).toEqual([]);
    expect(pins.read()).toEqual([]);
  });
}
