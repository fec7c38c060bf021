/** The fake keeps the contract of every datapath. */
import { expect, test } from 'vitest';
import { contractPod, narrowPolicy, sampleNetwork } from '../decisions/ruleset/ruleset-samples.ts';
import { datapathContract } from './datapath-contract.ts';
import { FakeDatapath } from './fake-datapath.ts';

datapathContract(
  () => new FakeDatapath(contractPod),
  (datapath) => datapath.shutDown(),
);

test('refusals carry their codes', () => {
  const datapath = new FakeDatapath(contractPod);
  const network = sampleNetwork(0);
  const coded = (code: string) => expect.objectContaining({ code });
  expect(() => new FakeDatapath({ ...contractPod, maxPins: 0 })).toThrow(coded('bad-network'));
  expect(() => datapath.close(network.tap)).toThrow(coded('no-sandbox'));
  datapath.open(network, narrowPolicy);
  expect(() => datapath.open(network, narrowPolicy)).toThrow(coded('tap-taken'));
});
