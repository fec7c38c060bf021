/**
 * What tests say to an agent in namespaces of its own, and how they hear it to the end.
 * Invariant: each chunk is acknowledged once; nothing that was started for a test file outlives it.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { AgentInNamespaces, type HostEnd } from './agent-in-namespaces.ts';

export type Reply = Record<string, unknown>;
export type Finished = Reply & { readonly stdout: string; readonly stderr: string; readonly data: string };

export class AgentTalk {
  agent!: AgentInNamespaces;
  control!: HostEnd;
  services!: HostEnd;
  generation = 0;
  lastId = 0;

  /** One for a test file. */
  static forThisFile(): AgentTalk {
    const talk = new AgentTalk();
    beforeAll(async () => {
      talk.agent = await AgentInNamespaces.start();
      talk.control = await talk.agent.channel('control');
      talk.services = await talk.agent.channel('services');
    }, 60_000);
    afterAll(async () => {
      talk.control.close();
      talk.services.close();
      await talk.agent.stop();
    });
    return talk;
  }

  init(script: string, more: object = {}): Promise<Reply> {
    return this.control.ask({ method: 'init', argv: ['sh', '-c', script], timeout_ms: 10_000, ...more });
  }

  notify(more: object = {}) {
    this.generation += 1;
    return {
      method: 'notify_forked',
      version: 1,
      generation: this.generation,
      nonce: randomBytes(32).toString('hex'),
      seed: randomBytes(64).toString('hex'),
      host_wall_clock_nanos: Date.now() * 1e6,
      ...more,
    };
  }

  /** @throws when a leg is refused */
  async snapshotAndFork(more: object = {}): Promise<void> {
    const legs = [
      { method: 'prepare_snapshot' },
      this.notify(more),
      { method: 'release', generation: this.generation },
    ];
    for (const leg of legs) {
      const { ok, error } = await this.control.ask(leg);
      if (ok !== true) throw new Error(`refused: ${error}`);
    }
  }

  exec(argv: string[], more: object = {}): number {
    const id = ++this.lastId;
    this.services.send({
      id,
      method: 'exec',
      argv,
      timeout_ms: 10_000,
      max_output_octets: 1_000_000,
      ...more,
    });
    return id;
  }

  run(script: string, more: object = {}): Promise<Finished> {
    return this.finish(this.exec(['sh', '-c', script], more));
  }

  file(request: object): Promise<Finished> {
    const id = ++this.lastId;
    this.services.send({ id, ...request });
    return this.finish(id);
  }

  /** Acknowledges each chunk; ends with what was written. */
  async finish(id: number): Promise<Finished> {
    const said = { stdout: '', stderr: '', data: '' };
    for (;;) {
      const reply = await this.services.next();
      if (reply.id !== id || 'ack' in reply) continue;
      if ('ok' in reply) return { ...reply, ...said };
      said[reply.stream as keyof typeof said] += Buffer.from(String(reply.data), 'base64').toString();
      this.services.send({ id, method: 'ack', chunks: 1 });
    }
  }
}
