/**
 * The sandboxes of an engine: forked, forked again while they run, spoken to, ended.
 * Invariant: each answers for at most one VM at a time; a secret is in the sandbox that it was given to, and in a fork
 * of it only when that was asked for.
 */
import { randomBytes } from 'node:crypto';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Log } from '#reference/base/log.ts';
import { within } from '#reference/base/within.ts';
import type {
  ForkRequest,
  LiveForkRequest,
  Sandbox,
  Secret,
  Template,
} from '#reference/contract/fork-engine-port.ts';
import { maxLineOctets } from '#reference/contract/guest-protocol.ts';
import type { NetworksPort, SandboxNetworkHandle } from '#reference/contract/network-port.ts';
import type { LoadedSnapshot, RunningVm, Volume } from '#reference/contract/vmm-port.ts';
import type { WitnessKeeperPort } from '#reference/contract/witness-port.ts';
import type { Activation } from '../fork-engine/activation.ts';
import { type ControlChannel, readAnswer } from '../fork-engine/control-channel.ts';
import { deliverSecrets } from '../fork-engine/secrets.ts';
import { ServiceChannel } from '../fork-engine/service-channel.ts';
import type { ForkedVms, ReadyVm, ReleasedVm } from './forked-vms.ts';
import { SandboxVolumes } from './sandbox-volumes.ts';
import type { StateQuota } from './state-quota.ts';
import { frozenFault } from './warm-guest.ts';

export interface SandboxesParts {
  readonly vms: ForkedVms;
  readonly activation: Activation;
  readonly store: WitnessKeeperPort;
  readonly networks: NetworksPort | null;
  readonly quota: StateQuota;
  readonly log: Log;
  /** For a sandbox to freeze, as long as a template may take. */
  readonly freezeMs: number;
}

export const maxReplicas = 64;

/** What runs in a sandbox now. */
interface Body {
  readonly vm: RunningVm;
  readonly control: ControlChannel;
  readonly services: ServiceChannel;
  readonly generation: number;
}

interface Standing {
  readonly id: string;
  readonly template: Template;
  readonly parent: string | null;
  readonly createdMs: number;
  readonly snapshot: LoadedSnapshot;
  readonly network: SandboxNetworkHandle | null;
  readonly secrets: readonly Secret[];
  readonly volumes: SandboxVolumes;
  admittedAfterMs: number;
  releasedAfterMs: number;
  /** null: it is being forked. */
  body: Body | null;
  /** Begun once. */
  ending: Promise<void> | null;
}

type Origin = Pick<Standing, 'template' | 'parent' | 'snapshot' | 'secrets'>;

/** What is of one of its forks alone. */
interface Share {
  readonly policy: ForkRequest['network'];
  readonly generation: number;
  readonly ready: ReadyVm | null;
  /** The caller's. */
  readonly volumes: readonly Volume[];
}

export class Sandboxes {
  readonly #parts: SandboxesParts;
  readonly #standing = new Map<string, Standing>();
  readonly #listeners: ((id: string) => void)[] = [];

  constructor(parts: SandboxesParts) {
    this.#parts = parts;
  }

  onEnded(listener: (id: string) => void): void {
    this.#listeners.push(listener);
  }

  list(): Sandbox[] {
    const isReleased = ({ ending, releasedAfterMs }: Standing) => ending === null && releasedAfterMs > 0;
    return [...this.#standing.values()].filter(isReleased).map(viewOf);
  }

  async fork(
    { network, secrets, volumes = [] }: ForkRequest,
    template: Template,
    snapshot: LoadedSnapshot,
    ready: ReadyVm | null,
  ): Promise<Sandbox> {
    const origin = { template, parent: null, snapshot, secrets };
    const sandbox = await this.#begin(origin, { policy: network, generation: 0, ready, volumes });
    try {
      if (secrets.length > 0) {
        this.#parts.activation.deliver(this.#bodyOf(sandbox).vm.id, 'secrets');
        await deliverSecrets(this.#bodyOf(sandbox).services, secrets);
      }
      return viewOf(sandbox);
    } catch (error) {
      await this.#end(sandbox);
      throw error;
    }
  }

  /** Freeze and fan out: the source and its children go on from one snapshot, each through the gate. */
  async forkSandbox(id: string, request: LiveForkRequest): Promise<readonly Sandbox[]> {
    const source = this.#named(id);
    const { replicas, allowSecretInheritance, pauseSource = false } = request;
    if (source.secrets.length > 0 && !allowSecretInheritance) {
      throw new CodedError(
        'secrets-not-inherited',
        'the sandbox holds secrets, and its forks may not inherit them',
        'fork a sandbox without secrets, or allow their inheritance',
      );
    }
    checkInheritable(source.volumes);
    const body = this.#bodyOf(source);
    if (body.services.inFlight > 0) throw busy(`${body.services.inFlight} requests are in flight`);
    source.body = null;
    let snapshot: LoadedSnapshot;
    try {
      snapshot = await this.#freeze(source, body);
    } catch (error) {
      if (error instanceof CodedError && error.code === 'snapshot-refused') {
        source.body = body;
      } else {
        await this.#parts.activation.end(body.vm.id);
        await this.#end(source);
      }
      throw error;
    }
    try {
      return await this.#fanOut(source, snapshot, body.generation, { replicas, pauseSource });
    } finally {
      // Nobody forks it again: what its forks have shown need not be kept.
      snapshot.close();
      await this.#parts.store.forget(snapshot.digest);
    }
  }

  /** The services of a sandbox that is released. @throws CodedError `no-such-sandbox`, `sandbox-busy`, `not-released` */
  services(id: string, what: 'exec' | 'files'): { services: ServiceChannel; secrets: readonly Secret[] } {
    const sandbox = this.#named(id);
    const { vm, services } = this.#bodyOf(sandbox);
    this.#parts.activation.deliver(vm.id, what);
    return { services, secrets: sandbox.secrets };
  }

  async terminate(id: string): Promise<void> {
    await this.#end(this.#named(id));
  }

  async close(): Promise<void> {
    const ends = await Promise.allSettled([...this.#standing.values()].map((sandbox) => this.#end(sandbox)));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async #begin(origin: Origin, { policy, generation, ready, volumes: given }: Share): Promise<Standing> {
    const id = `sb-${randomBytes(8).toString('hex')}`;
    const volumes = SandboxVolumes.open(id, origin.template.volumes, given, this.#parts.quota);
    let network: SandboxNetworkHandle | null = null;
    try {
      if (policy !== null) network = await this.#openNetwork(id, policy);
    } catch (error) {
      volumes.close();
      throw error;
    }
    const sandbox: Standing = {
      ...{ id, ...origin, network, volumes, createdMs: Date.now(), admittedAfterMs: 0, releasedAfterMs: 0 },
      ...{ body: null, ending: null },
    };
    this.#standing.set(id, sandbox);
    try {
      await this.#embody(sandbox, generation, origin.snapshot, ready);
      return sandbox;
    } catch (error) {
      await this.#end(sandbox);
      throw error;
    }
  }

  #openNetwork(id: string, policy: NonNullable<ForkRequest['network']>): Promise<SandboxNetworkHandle> {
    const { networks } = this.#parts;
    if (networks !== null) return networks.open(id, policy);
    throw new CodedError(
      'no-network',
      'this engine has no network to give',
      'run it as root, with /dev/net/tun; or fork without a network',
    );
  }

  async #embody(
    sandbox: Standing,
    generation: number,
    snapshot: LoadedSnapshot,
    ready: ReadyVm | null,
  ): Promise<void> {
    const { network, id, volumes } = sandbox;
    // It was ended while it was frozen: what it needs is gone.
    if (sandbox.ending !== null) throw noSuchSandbox();
    const { mounts } = volumes;
    const configuration = {
      hostname: id,
      ...(network === null ? {} : { network: network.guest }),
      ...(mounts.length === 0 ? {} : { volumes: mounts }),
    };
    const released = await volumes.lending((lent) =>
      this.#parts.vms.fork({
        ...{ snapshot, generation, ready, tapFd: network?.tapFd ?? null, volumes: lent, configuration },
        gone: (vm) => this.#gone(sandbox, vm),
      }),
    );
    if (sandbox.ending !== null) {
      // It was ended meanwhile: nobody would end this VM.
      await this.#parts.activation.end(released.vm.id);
      throw noSuchSandbox();
    }
    sandbox.body = bodyOf(released);
    sandbox.admittedAfterMs = released.admittedAfterMs;
    sandbox.releasedAfterMs = released.releasedAfterMs;
  }

  /** Stopped, saved and ended; its sandbox stands on without a body. */
  async #freeze({ snapshot }: Standing, { control, services, vm }: Body): Promise<LoadedSnapshot> {
    const refused = (what: string, cause?: unknown) =>
      new CodedError(
        'snapshot-refused',
        `the sandbox cannot be forked: ${what}`,
        'end what cannot be frozen',
        { cause },
      );
    const late = () =>
      new CodedError(
        'guest-silent',
        'the guest did not freeze in time, and its sandbox was ended',
        'on a slow machine allow agents more time: --boot-seconds',
      );
    const { line } = await within(
      control.ask({ method: 'prepare_snapshot' }, maxLineOctets),
      this.#parts.freezeMs,
      late,
    );
    const answer = readAnswer(line);
    const fault = answer === null ? 'the guest answered with what is no answer' : frozenFault(answer);
    if (fault !== null) throw refused(fault);
    services.close();
    const saved = await vm.save(snapshot.manifest.guest);
    await this.#parts.activation.end(vm.id);
    return saved;
  }

  async #fanOut(
    source: Standing,
    snapshot: LoadedSnapshot,
    generation: number,
    { replicas, pauseSource }: { readonly replicas: number; readonly pauseSource: boolean },
  ): Promise<readonly Sandbox[]> {
    const { template, secrets, id } = source;
    const origin: Origin = { template, secrets, parent: id, snapshot: source.snapshot };
    const goOn = () => this.#embody(source, generation, snapshot, null);
    const beginAll = (after: Promise<unknown>) =>
      Array.from({ length: replicas }, () =>
        after.then(() =>
          this.#begin(
            { ...origin, snapshot },
            { policy: null, generation, ready: null, volumes: source.volumes.attached },
          ),
        ),
      );
    // It goes on whatever became of its children; they are none without it.
    let going: Promise<void>;
    let children: Promise<Standing>[];
    if (pauseSource) {
      children = beginAll(Promise.resolve());
      going = Promise.allSettled(children).then(goOn);
    } else {
      // What somebody waits for goes first.
      going = goOn();
      children = beginAll(going);
    }
    const ends = await Promise.allSettled([going, ...children]);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed?.status !== 'rejected') return (await Promise.all(children)).map(viewOf);
    // All of them or none; the source, where it goes on, is nobody's to take.
    for (const child of await Promise.allSettled(children)) {
      if (child.status === 'fulfilled') await this.#end(child.value);
    }
    if (ends[0]?.status === 'rejected') await this.#end(source);
    throw failed.reason;
  }

  /** A VM is gone: its sandbox with it, unless that is between two bodies. */
  async #gone(sandbox: Standing, vm: RunningVm): Promise<void> {
    const { body } = sandbox;
    if (body?.vm !== vm) return;
    // It is being reaped: who waited for that here would be waited for by it.
    body.services.close();
    sandbox.body = null;
    await this.#end(sandbox);
  }

  #end(sandbox: Standing): Promise<void> {
    sandbox.ending ??= this.#takeAway(sandbox);
    return sandbox.ending;
  }

  async #takeAway(sandbox: Standing): Promise<void> {
    const { body, network, id, volumes } = sandbox;
    sandbox.body = null;
    body?.services.close();
    try {
      if (body !== null) await this.#parts.activation.end(body.vm.id);
    } finally {
      try {
        await network?.close();
      } finally {
        volumes.close();
        this.#standing.delete(id);
        for (const listener of this.#listeners) listener(id);
      }
    }
  }

  #named(id: string): Standing {
    const sandbox = this.#standing.get(id);
    if (sandbox !== undefined && sandbox.ending === null) return sandbox;
    throw noSuchSandbox();
  }

  #bodyOf({ body }: Standing): Body {
    if (body !== null) return body;
    throw busy('it is being forked');
  }
}

function noSuchSandbox(): CodedError {
  return new CodedError('no-such-sandbox', 'there is no sandbox of that id', 'fork one; it may have ended');
}

function busy(what: string): CodedError {
  return new CodedError('sandbox-busy', `the sandbox is busy: ${what}`, 'try again when that has ended');
}

/** Read-only ones are whoever's. @throws CodedError `volume-not-inherited`, `bad-volume` */
function checkInheritable(volumes: SandboxVolumes): void {
  const [serial] = volumes.privateSerials;
  if (serial !== undefined) {
    throw new CodedError(
      'volume-not-inherited',
      `the sandbox has the private volume ${serial}, and what it has written there would be lost`,
      'fork a sandbox whose volumes are read-only, or fork the template and give each fork its volume',
    );
  }
  volumes.checkUnchanged();
}

function bodyOf({ vm, activated }: ReleasedVm): Body {
  const { control, generation } = activated;
  return { vm, control, generation, services: new ServiceChannel(vm.channel('services')) };
}

function viewOf(sandbox: Standing): Sandbox {
  const { id, template, parent, createdMs, secrets, network, admittedAfterMs, releasedAfterMs } = sandbox;
  return {
    ...{
      id,
      template: template.id,
      parent,
      volumes: sandbox.volumes.serials,
      createdMs,
      holdsSecrets: secrets.length > 0,
      hasNetwork: network !== null,
    },
    ...{ admittedAfterMs, releasedAfterMs },
  };
}
