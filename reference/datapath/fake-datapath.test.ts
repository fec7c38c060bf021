/** The fake keeps the contract of every datapath. */
import { contractPod, datapathContract } from './datapath-contract.ts';
import { FakeDatapath } from './fake-datapath.ts';

datapathContract(
  () => new FakeDatapath(contractPod),
  (datapath) => datapath.shutDown(),
);
