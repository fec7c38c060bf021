/**
 * A client of the sandbox server, typed.
 * Invariant: the token is sent to the server that it was made for and shown nowhere; an answer that was cut off is an
 * error.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import type { RequestEnd, Sandbox, Template } from '#reference/contract/fork-engine-port.ts';
import type { FileEntry } from '#reference/contract/guest-protocol.ts';
import type { ExecBody, ForksBody, SandboxBody, TemplateBody } from './requests.ts';
import type { VolumeImage } from './volume-folder.ts';

export interface ExecResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly end: RequestEnd;
}

export type ExecEvent =
  | { readonly stream: 'stdout' | 'stderr'; readonly octets: Buffer }
  | { readonly end: RequestEnd };

export class SandboxClient {
  readonly #url: string;
  readonly #token: string;

  /** @param url as `http://127.0.0.1:7070` */
  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async buildTemplate(body: TemplateBody = {}): Promise<Template> {
    return (await this.#json('POST', '/v1/templates', body)) as Template;
  }

  async keepReady(template: string, forks: number, rehearsed = false): Promise<void> {
    await this.#ask('PUT', `/v1/templates/${template}/ready`, JSON.stringify({ forks, rehearsed }));
  }

  async removeTemplate(template: string): Promise<void> {
    await this.#ask('DELETE', `/v1/templates/${template}`);
  }

  async templates(): Promise<readonly Template[]> {
    const { templates } = (await this.#json('GET', '/v1/templates')) as { templates: Template[] };
    return templates;
  }

  /** That can be given to sandboxes. */
  async images(): Promise<readonly VolumeImage[]> {
    const { images } = (await this.#json('GET', '/v1/volumes')) as { images: VolumeImage[] };
    return images;
  }

  async fork(body: SandboxBody): Promise<Sandbox> {
    return (await this.#json('POST', '/v1/sandboxes', body)) as Sandbox;
  }

  async sandboxes(): Promise<readonly Sandbox[]> {
    const { sandboxes } = (await this.#json('GET', '/v1/sandboxes')) as { sandboxes: Sandbox[] };
    return sandboxes;
  }

  async forkSandbox(id: string, body: ForksBody): Promise<readonly Sandbox[]> {
    const { sandboxes } = (await this.#json('POST', `/v1/sandboxes/${id}/forks`, body)) as {
      sandboxes: Sandbox[];
    };
    return sandboxes;
  }

  async terminate(id: string): Promise<void> {
    await this.#ask('DELETE', `/v1/sandboxes/${id}`);
  }

  /** As it comes. Leaving the loop ends the program. @throws CodedError `answer-cut-off` */
  async *exec(id: string, body: ExecBody, signal?: AbortSignal): AsyncGenerator<ExecEvent> {
    const response = await this.#ask('POST', `/v1/sandboxes/${id}/exec`, JSON.stringify(body), signal);
    for await (const line of linesOf(response)) {
      const { stream, data, end, failed } = JSON.parse(line) as {
        stream?: 'stdout' | 'stderr';
        data?: string;
        end?: RequestEnd;
        failed?: string;
      };
      if (failed !== undefined) throw cutOff(failed);
      if (end !== undefined) {
        yield { end };
        return;
      }
      if (stream !== undefined) yield { stream, octets: Buffer.from(data ?? '', 'base64') };
    }
    throw cutOff('the server ended it');
  }

  /** All of it at once. */
  async run(id: string, body: ExecBody): Promise<ExecResult> {
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    for await (const event of this.exec(id, body)) {
      if ('end' in event) {
        const [stdout, stderr] = [Buffer.concat(chunks.stdout), Buffer.concat(chunks.stderr)];
        return { stdout, stderr, end: event.end };
      }
      chunks[event.stream].push(event.octets);
    }
    throw cutOff('the server ended it');
  }

  async readFile(id: string, path: string): Promise<Buffer> {
    const response = await this.#ask('GET', fileRoute(id, '', path));
    return Buffer.from(await response.arrayBuffer());
  }

  async writeFile(id: string, path: string, octets: Uint8Array, mode = '644'): Promise<void> {
    const route = `${fileRoute(id, '', path)}&mode=${mode}`;
    await this.#ask('PUT', route, new Uint8Array(octets), undefined, 'application/octet-stream');
  }

  async removeFile(id: string, path: string): Promise<void> {
    await this.#ask('DELETE', fileRoute(id, '', path));
  }

  async listFolder(id: string, path: string): Promise<readonly FileEntry[]> {
    const { entries } = (await this.#json('GET', fileRoute(id, '/list', path))) as { entries: FileEntry[] };
    return entries;
  }

  async statFile(id: string, path: string): Promise<FileEntry> {
    return (await this.#json('GET', fileRoute(id, '/stat', path))) as FileEntry;
  }

  async metrics(): Promise<string> {
    return (await this.#ask('GET', '/metrics')).text();
  }

  async #json(method: string, route: string, body?: object): Promise<unknown> {
    const response = await this.#ask(method, route, body === undefined ? undefined : JSON.stringify(body));
    return response.json();
  }

  /** @throws CodedError with the code that the server told */
  async #ask(
    method: string,
    route: string,
    body?: string | Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
    type = 'application/json',
  ): Promise<Response> {
    const headers = {
      authorization: `Bearer ${this.#token}`,
      ...(body === undefined ? {} : { 'content-type': type }),
    };
    const response = await fetch(`${this.#url}${route}`, {
      ...{ method, headers, redirect: 'error' },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.ok) return response;
    throw await refusalOf(response);
  }
}

async function refusalOf(response: Response): Promise<Error> {
  try {
    const { code, message, remedy } = (await response.json()) as Record<string, string>;
    return Object.assign(new CodedError('server-refused', message ?? '', remedy ?? ''), {
      status: response.status,
      told: code,
    });
  } catch {
    return new CodedError('server-refused', `the server answered ${response.status}`, 'see its log');
  }
}

const fileRoute = (id: string, part: string, path: string) =>
  `/v1/sandboxes/${id}/files${part}?path=${encodeURIComponent(path)}`;

function cutOff(why: string): CodedError {
  return new CodedError('answer-cut-off', `the program did not end: ${why}`, 'see the log of the server');
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of response.body) {
    held += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = held.indexOf('\n'); end !== -1; end = held.indexOf('\n')) {
      yield held.slice(0, end);
      held = held.slice(end + 1);
    }
  }
}
