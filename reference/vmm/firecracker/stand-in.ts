/**
 * Stands in for Firecracker where there is none: its flags, its API on its socket, its vsock, and a guest that is a
 * program. Run by the tests of the adapter, confined as Firecracker is.
 * Invariant: what Firecracker would refuse is refused with its status and its kind of body.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import { StandInVm } from './stand-in-vm.ts';

const maxBodyOctets = 51_200;
/** Of a command line that it does not know. */
const badArguments = 153;

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > maxBodyOctets) return null;
  }
  return text;
}

function serve(path: string): void {
  const vm = new StandInVm();
  createServer(async (request, response) => {
    const body = await bodyOf(request);
    const { method = '', url = '' } = request;
    const { fault, data, isFatal } =
      body === null ? { fault: 'the body is too long' } : await vm.handle(method, url, body);
    response.setHeader('content-type', 'application/json');
    if (fault !== undefined) response.writeHead(400).end(JSON.stringify({ fault_message: fault }));
    else if (data !== undefined) response.writeHead(200).end(JSON.stringify(data));
    else response.writeHead(204).end();
    if (isFatal === true) response.once('close', () => process.exit(1));
  }).listen(path);
}

function flags(): { readonly version: boolean; readonly socket: string } {
  try {
    const { values } = parseArgs({
      options: { version: { type: 'boolean' }, 'api-sock': { type: 'string' }, id: { type: 'string' } },
    });
    return { version: values.version === true, socket: values['api-sock'] ?? '/run/firecracker.socket' };
  } catch (error) {
    console.error(`Arguments parsing error: ${(error as Error).message}`);
    process.exit(badArguments);
  }
}

const { version, socket } = flags();
if (version) console.log('Firecracker v0.0.0-stand-in');
else {
  serve(socket);
  // A test that was killed leaves nothing behind.
  setInterval(() => process.ppid === 1 && process.exit(), 1_000);
}
