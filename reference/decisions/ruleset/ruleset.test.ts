/** The ruleset as data: its structure, its bounds, and where transactions lead, on a small model of nf_tables. */
import { expect, test } from 'vitest';
import { flowMark } from './flow-mark.ts';
import type { Command, Json, Transaction } from './nft-json.ts';
import { changePolicy, closePod, closeSandbox, cutSandbox, openPod, openSandbox } from './ruleset.ts';
import { mixedPolicy, narrowPolicy, sampleNetwork, samplePod, widePolicy } from './ruleset-samples.ts';

interface Chain {
  readonly base: Json | null;
  readonly policy: Json | null;
  readonly hook: Json | null;
  readonly rules: Json[];
}
interface NftSet {
  readonly words: { readonly [key: string]: Json };
  readonly elements: Map<string, Json>;
}

/** What stands after the transactions; a command that nf_tables would refuse is refused here. */
class Model {
  readonly chains = new Map<string, Chain>();
  readonly sets = new Map<string, NftSet>();

  run({ nftables }: Transaction): this {
    for (const command of nftables) this.#run(command);
    return this;
  }

  #run(command: Command): void {
    const [[verb, objects] = ['', {}]] = Object.entries(command);
    const [[kind, words] = ['', {}]] = Object.entries(objects) as [
      string,
      { readonly [key: string]: Json },
    ][];
    const { family, name, chain, hook = null, type = null, policy = null } = words;
    const [key, inChain] = [`${family} ${name}`, `${family} ${chain}`];
    const here = (map: Map<string, unknown>) => {
      if (!map.has(key)) throw new Error(`${verb} ${kind}: there is no ${key}`);
    };
    if (kind === 'table' && verb === 'delete') {
      for (const one of [this.chains, this.sets])
        for (const owned of [...one.keys()]) if (owned.startsWith(`${family} `)) one.delete(owned);
    } else if (kind === 'chain' && (verb === 'add' || verb === 'create')) {
      if (verb === 'create' && this.chains.has(key)) throw new Error(`${key} is there`);
      if (!this.chains.has(key))
        this.chains.set(key, { base: hook === null ? null : type, policy, hook, rules: [] });
    } else if (kind === 'chain') {
      here(this.chains);
      if (verb === 'flush') this.chains.get(key)?.rules.splice(0);
      else this.chains.delete(key);
    } else if (kind === 'rule') {
      const rules = this.chains.get(inChain)?.rules;
      if (rules === undefined) throw new Error(`a rule in ${inChain}`);
      rules.push({ comment: words.comment ?? null, expr: words.expr ?? null });
    } else if (kind === 'set' || kind === 'map') {
      if (verb === 'create' && this.sets.has(key)) throw new Error(`${key} is there`);
      if (verb === 'flush') this.sets.get(key)?.elements.clear();
      else if (verb === 'delete') {
        here(this.sets);
        this.sets.delete(key);
      } else if (!this.sets.has(key)) this.sets.set(key, { words, elements: new Map() });
    } else if (kind === 'element') {
      here(this.sets);
      for (const element of words.elem as Json[]) this.#element(verb, key, element);
    }
  }

  #element(verb: string, key: string, element: Json): void {
    const { elements, words } = this.sets.get(key) as NftSet;
    const text = JSON.stringify('map' in words ? (element as Json[])[0] : element);
    if (verb === 'add') elements.set(text, element);
    else if (!elements.delete(text)) throw new Error(`${key} holds no ${text}`);
  }

  /** As data, whatever the order in which things were made. */
  get state() {
    const sorted = <T>(map: Map<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      chains: sorted(this.chains),
      sets: sorted(this.sets).map(([name, { words, elements }]) => [name, words, sorted(elements)]),
    };
  }
}

const policies = [narrowPolicy, widePolicy, mixedPolicy];
const network = sampleNetwork(0, true);
const pod = () => new Model().run(openPod(samplePod));

test('base chains only dispatch: one rule, one verdict map; what can let something pass has policy drop', () => {
  const model = pod().run(openSandbox(samplePod, network, widePolicy));
  const base = [...model.chains].filter(([, chain]) => chain.base !== null);
  expect(base.map(([name]) => name).sort()).toEqual([
    'inet forward',
    'inet inbound-nat',
    'inet input',
    'inet output',
    'inet postrouting-guard',
    'inet prerouting-policy',
    'inet prerouting-raw',
    'inet source-nat',
    'netdev tap-0/ingress',
  ]);
  for (const [name, chain] of base) {
    expect(chain.policy, name).toBe(chain.base === 'nat' ? 'accept' : 'drop');
    if (chain.base === 'nat' || name.startsWith('netdev')) continue;
    expect(chain.rules.length, name).toBe(1);
    expect(JSON.stringify(chain.rules[0]), name).toMatch(/"vmap":\{"key":.*"data":"@dispatch\//);
  }
});

test('a sandbox more adds only its own chains, sets and elements: base chains but its ingress stay as they are', () => {
  const one = pod().run(openSandbox(samplePod, network, mixedPolicy));
  const shared = (model: Model) => [...model.chains].filter(([name]) => !/ tap-\d/.test(name));
  const before = JSON.stringify(shared(one));
  one.run(openSandbox(samplePod, sampleNetwork(1), narrowPolicy));
  expect(JSON.stringify(shared(one))).toBe(before);
});

test('every rule says why, in at most 127 octets; every name fits; every set has a bound or is a list of intervals', () => {
  const long = { ...network, tap: 'tap-12345678901' };
  const model = pod().run(openSandbox(samplePod, long, widePolicy));
  const rules = [...model.chains.values()].flatMap(({ rules: all }) => all) as { comment: Json }[];
  expect(rules.length).toBeGreaterThan(40);
  for (const { comment } of rules) {
    expect(
      typeof comment === 'string' && comment !== '' && Buffer.byteLength(comment) <= 127,
      String(comment),
    ).toBe(true);
  }
  for (const name of [...model.chains.keys(), ...model.sets.keys()]) expect(name.length).toBeLessThan(64);
  for (const [name, { words }] of model.sets) {
    expect(words.size !== undefined || JSON.stringify(words.flags) === '["interval"]', name).toBe(true);
  }
});

test('p → q equals a fresh q, for every pair of policies', () => {
  for (const from of policies) {
    for (const to of policies) {
      const changed = pod()
        .run(openSandbox(samplePod, network, from))
        .run(changePolicy(samplePod, network, from, to));
      const fresh = pod().run(openSandbox(samplePod, network, to));
      expect(changed.state).toEqual(fresh.state);
    }
  }
});

test('after the end of a sandbox nothing of it is left, and its sibling is untouched', () => {
  for (const policy of policies) {
    const model = pod().run(openSandbox(samplePod, sampleNetwork(1), narrowPolicy));
    const before = JSON.stringify(model.state);
    model.run(openSandbox(samplePod, network, policy));
    expect(JSON.stringify(model.state)).not.toBe(before);
    model.run(cutSandbox(samplePod, network, policy)).run(closeSandbox(network));
    expect(JSON.stringify(model.state)).toBe(before);
  }
});

test('what an earlier run left is replaced, and the end of the pod leaves nothing', () => {
  const left = pod()
    .run(openSandbox(samplePod, network, widePolicy))
    .run(openPod(samplePod));
  expect(left.state).toEqual(pod().state);
  left.run(closePod());
  expect([...left.chains.keys(), ...left.sets.keys()]).toEqual([]);
});

test('a sandbox whose chains stand already is refused, never added to', () => {
  const model = pod().run(openSandbox(samplePod, network, narrowPolicy));
  expect(() => model.run(openSandbox(samplePod, network, narrowPolicy))).toThrow('is there');
});

test('only accepts of a first packet set the mark, and each policy has a mark of its own', () => {
  const marks = policies.map((policy) => flowMark(samplePod, network, policy));
  const others = policies.map((policy) => flowMark(samplePod, sampleNetwork(1, true), policy));
  expect(new Set([...marks, ...others]).size).toBe(6);
  expect(flowMark(samplePod, structuredClone(network), structuredClone(widePolicy))).toBe(marks[1]);
  const { nftables } = openSandbox(samplePod, network, widePolicy);
  const marking = nftables.filter((command) => JSON.stringify(command).includes('mangle'));
  for (const command of marking) {
    const { chain } = (command as { add: { rule: { chain: string } } }).add.rule;
    expect(chain).toMatch(/^tap-0\/(policy|arrive)$/);
    expect(JSON.stringify(command)).toMatch(/"mangle".*"accept":null/);
  }
});

test('CIDR entries become disjoint intervals by protocol and port', () => {
  const { sets } = pod().run(openSandbox(samplePod, network, mixedPolicy));
  expect([...(sets.get('inet tap-0/cidrs-ipv4')?.elements.values() ?? [])]).toEqual([
    { concat: [{ range: ['10.0.0.0', '10.255.255.255'] }, 'tcp', 443] },
    { concat: ['203.0.113.7', 'tcp', 8443] },
  ]);
});

test('a change of policy never goes on with a network that is none', () => {
  const network = { ...sampleNetwork(0), tap: 'no tap' };
  expect(() => changePolicy(samplePod, network, narrowPolicy, widePolicy)).toThrow(
    expect.objectContaining({ code: 'bad-network' }),
  );
});
