/**
 * A command of the template, before its snapshot: run to its end, or left in the background.
 * Invariant: no more than the end of its output is kept.
 */
import { type InitReply, type InitRequest, maxInitOutputOctets } from '#reference/contract/guest-protocol.ts';
import { chunksOf, Program, StartError, type Starter } from './program.ts';

export async function runInitCommand(starter: Starter, request: InitRequest): Promise<InitReply> {
  try {
    const program = await Program.start(starter, request, request.background ? 'none' : 'output');
    if (request.background) return { ok: true, pid: program.pid };
    let tail = Buffer.alloc(0);
    const read = program.outputs.map(async ({ stream }) => {
      for await (const chunk of chunksOf(stream)) {
        tail = Buffer.concat([tail, chunk]).subarray(-maxInitOutputOctets);
      }
    });
    await Promise.all(read);
    const end = await program.ended;
    return { ok: end.exit_code === 0, pid: program.pid, ...end, output: tail.toString('base64') };
  } catch (error) {
    if (error instanceof StartError) return { ok: false, error: error.message };
    throw error;
  }
}
