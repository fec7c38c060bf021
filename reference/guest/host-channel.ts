/**
 * The channel to the host of that name, by whatever this guest's VMM has: a virtio-serial port (QEMU), or vsock
 * (Firecracker).
 * Invariant: a port of that name comes first; vsock is taken only where a VMM gives the guest a CID.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { type ChannelName, channelNames, channelPorts } from '#reference/contract/guest-protocol.ts';
import type { Channel } from './channel.ts';
import { findPort, PortChannel } from './port-channel.ts';
import { VsockChannel } from './vsock-channel.ts';
import { ownCid } from './vsock-port.ts';

/** @throws CodedError `no-guest-port` */
export function hostChannel(name: ChannelName, portsFolder?: string, vsockDevice?: string): Channel {
  try {
    return new PortChannel(findPort(channelNames[name], portsFolder));
  } catch (error) {
    const isMissing = error instanceof CodedError && error.code === 'no-guest-port';
    if (isMissing && ownCid(vsockDevice) !== null) return new VsockChannel(channelPorts[name]);
    throw error;
  }
}
