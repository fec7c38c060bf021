/**
 * Ours as it ships, a process of its own: `reference-forwarder.ts PORT UPSTREAM-PORT epoll|dgram TABLE`. With the policy
 * of one sandbox; without a cache, as its peers.
 */
import { openLog } from '#reference/base/log.ts';
import { startDnsProxy } from '#reference/dnsproxy/dnsproxy.ts';
import { loopback } from './ground.ts';
import { benchLimits, benchSandbox } from './sandbox-policy.ts';

const [, , port = '', upstreamPort = '', io = '', table = ''] = process.argv;
if (io !== 'epoll' && io !== 'dgram') throw new Error(`no adapter ${io}: epoll, dgram`);
const upstreams = [{ address: loopback, port: Number(upstreamPort) }];
const log = openLog('bench', 'warn');
const proxy = await startDnsProxy({ upstreams, io, limits: benchLimits, log, pins: { table } });
await proxy.attach(benchSandbox(Number(port)));
await proxy.ended;
