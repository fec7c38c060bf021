/**
 * Templates of the node, seen from a husk: sealed memory that forkd hands over, of which a pod keeps no copy.
 * Invariant: what is used has every seal, and the octets that the digest names which was asked for, and belongs to this
 * VMM; whatever else came is closed.
 */
import { close, send } from '#reference/base/syscalls.ts';
import { type Received, receiveDescriptors } from '#reference/base/unix-socket.ts';
import {
  handedParts,
  maxTemplateAnswerOctets,
  type NodeRequest,
  nodeProtocolVersion,
} from '#reference/contract/node-protocol.ts';
import type { LoadedSnapshot, VmmPort } from '#reference/contract/vmm-port.ts';
import { connectNode, grantedIn, type NodeAddress, unreachable } from './node-link.ts';

const newline = 0x0a;
const MSG_NOSIGNAL = 0x4000;
/** Between looks at whether it is still wanted. */
const sliceMs = 250;

export interface TemplateOrder {
  readonly vmm: VmmPort;
  /** Of the snapshot's manifest, as the controller says it: forkd is not asked what it should be. */
  readonly digest: string;
  /** forkd hashes a template at the first call after its start. */
  readonly deadlineMs: number;
  /** It is not waited for any longer. */
  readonly signal?: AbortSignal;
}

/**
 * To be prepared from; the caller's to close.
 * @throws CodedError `node-unreachable`, `no-such-template`, `snapshot-mismatch`
 */
export async function takeTemplate(address: NodeAddress, order: TemplateOrder): Promise<LoadedSnapshot> {
  const { vmm, digest } = order;
  const fd = connectNode(address);
  const descriptors: number[] = [];
  try {
    ask(fd, { v: nodeProtocolVersion, ask: 'template', snapshot: digest });
    const said = grantedIn(await lineOf(fd, order, descriptors));
    if (!('manifest' in said) || typeof said.manifest !== 'string') throw unreachable('it gave no manifest');
    const [memory, deviceState] = descriptors;
    const isWhole = descriptors.length === handedParts.length && String(said.parts) === String(handedParts);
    if (!isWhole || memory === undefined || deviceState === undefined) {
      throw unreachable(`it gave ${descriptors.length} descriptors for ${handedParts.join(' and ')}`);
    }
    return await vmm.adopt({ manifest: said.manifest, memory, deviceState }, digest);
  } catch (error) {
    for (const one of descriptors) close(one);
    throw error;
  } finally {
    close(fd);
  }
}

function ask(fd: number, request: NodeRequest): void {
  try {
    send(fd, Buffer.from(`${JSON.stringify(request)}\n`), MSG_NOSIGNAL);
  } catch (cause) {
    throw unreachable('it hung up', cause);
  }
}

/** One line, and nothing after it. @param descriptors what came along, to be closed by the caller */
async function lineOf(
  fd: number,
  { deadlineMs, signal }: TemplateOrder,
  descriptors: number[],
): Promise<string> {
  const until = performance.now() + deadlineMs;
  const chunks: Buffer[] = [];
  for (let held = 0; ; ) {
    const leftMs = until - performance.now();
    if (signal?.aborted === true) throw unreachable('the husk ends, and does not wait for it');
    if (leftMs <= 0) throw unreachable(`no whole answer in ${deadlineMs} ms, or too many descriptors`);
    const waitMs = Math.min(leftMs, sliceMs);
    const received: Received | null = await receiveDescriptors(
      fd,
      maxTemplateAnswerOctets,
      handedParts.length,
      waitMs,
    );
    if (received === null) continue;
    descriptors.push(...received.descriptors);
    chunks.push(received.octets);
    held += received.octets.length;
    if (received.octets.length === 0) throw unreachable('it hung up');
    if (held > maxTemplateAnswerOctets || descriptors.length > handedParts.length) {
      throw unreachable('it said more than an answer');
    }
    const end = received.octets.indexOf(newline);
    if (end >= 0 && end < received.octets.length - 1) throw unreachable('it said more than an answer');
    if (end >= 0) return Buffer.concat(chunks).toString('utf8', 0, held - 1);
  }
}
